"""`make bench`: every benchmark, one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    failed = []
    for path in sorted(HERE.glob("*_bench.py")):
        print(f"\n== {path.stem.removesuffix('_bench')}", flush=True)
        command = [sys.executable, "-m", f"tests.bench.{path.stem}"]
        if subprocess.run(command, cwd=HERE.parent.parent, check=False).returncode:
            failed.append(path.stem)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
