"""`make test`: every test once, and as root the lab's tests once more as a user without any privilege.

Tests that only compute share the processors; those that build labs or speak with peers have the machine to themselves,
one after the other. With arguments, they are pytest's, and it runs once.

The unprivileged run sees this tree bind-mounted at a place that everybody may read, in a mount namespace of its own, so
it works wherever the tree lies. It gets a user id that owns nothing, no group, and an empty capability bounding set.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 15321
TUN = Path("/dev/net/tun")


WORLDLY = ("tests/lab", "tests/interop")


def main() -> int:
    if sys.argv[1:]:
        return pytest(*sys.argv[1:])
    print("tests that only compute", flush=True)
    failed = pytest("-n", "auto", *(f"--ignore={folder}" for folder in WORLDLY))
    print("\ntests that build labs, and tests against peers", flush=True)
    failed |= pytest(*WORLDLY)
    if os.geteuid() != 0:
        print("not root: the lab's tests ran as you; nothing to run again without privilege")
        return failed
    print("\nthe lab's tests again, as a user without privilege", flush=True)
    return failed or unprivileged()


def pytest(*arguments: str) -> int:
    """Run pytest in a process of its own; 0 when all passed."""
    return int(subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode != 0)


def unprivileged() -> int:
    """Run tests/lab as a user that owns nothing; /dev/net/tun is opened to all for that time, as udev would have it."""
    mode = stat.S_IMODE(TUN.stat().st_mode)
    with tempfile.TemporaryDirectory(prefix="wireproof-test-") as work:
        place = Path(work) / "tree"
        home = Path(work) / "home"
        place.mkdir()
        home.mkdir()
        Path(work).chmod(0o755)
        os.chown(home, NOBODY, NOBODY)
        TUN.chmod(0o666)
        try:
            return subprocess.run(
                ["unshare", "--mount", "sh", "-ec", _SCRIPT, "sh", str(ROOT), str(place), str(home), str(NOBODY)],
                check=False,
            ).returncode
        finally:
            TUN.chmod(mode)


_SCRIPT = """
mount --bind "$1" "$2"
cd "$2"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$3" TMPDIR="$3" CI="${CI:-}" \
    PYTHONDONTWRITEBYTECODE=1 \
    setpriv --reuid "$4" --regid "$4" --clear-groups --no-new-privs --bounding-set=-all \
    .venv/bin/python -m pytest -p no:cacheprovider tests/lab
"""

if __name__ == "__main__":
    sys.exit(main())
