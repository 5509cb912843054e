"""How long one waits at the command line, from pressing enter to the prompt: `up`, `down`, and what only looks."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.conftest import Bench

ROUNDS = 5
LIMITS = {
    "up, direct path": 1.0,
    "up, 100 plain nodes": 2.0,
    "status": 0.2,
    "list": 0.2,
    "--help": 0.2,
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder, "runtime")
        runtime.mkdir(mode=0o700)
        return measure(Bench(runtime=runtime, topologies=Path(folder)))


def measure(bench: Bench) -> int:
    taken: dict[str, list[float]] = {}
    phases = ""
    files = {"direct path": "expressroute-direct", "100 plain nodes": bench.chain(100)}
    commands: dict[str, tuple[str, ...]] = {
        "up": ("up", "{file}"), "status": ("status",), "list": ("list",), "--help": ("--help",),
        "down": ("down", "--purge"),
    }  # fmt: skip
    for _ in range(ROUNDS):
        for path, file in files.items():
            for name, command in commands.items():
                began = time.monotonic()
                ran = bench.run(*(word.format(file=file) for word in command))
                taken.setdefault(f"{name}, {path}", []).append(time.monotonic() - began)
                assert ran.returncode == 0, ran.stderr
                if name == "up" and path == "direct path":
                    phases = ran.stderr
    print(phases.rstrip())
    print(f"{'':<24} {'best':>7} {'median':>7} {'limit':>7}  (seconds, of {ROUNDS})")
    late = []
    for name, each in taken.items():
        limit = LIMITS.get(name) or LIMITS.get(name.partition(",")[0])
        late += [name] if limit is not None and min(each) >= limit else []
        print(f"{name:<24} {min(each):7.3f} {statistics.median(each):7.3f} {limit if limit is not None else '':>7}")
    for name in late:
        print(f"{name} is too slow", file=sys.stderr)
    return bool(late)


if __name__ == "__main__":
    sys.exit(main())
