"""`verify` against tshark on one capture, half MACsec, half ESP: seconds, processors, memory; and the same verdict.

`python -m tests.bench.verify_bench [FRAMES [MIX...]]`; mixes are imix (7 small frames, 4 middle ones, 1 large) and
large. tshark only dissects, once fully (a protocol tree for each frame, of which one field is printed) and once for
its usual columns, where it builds no tree; it has no keys. wireproof reads, hashes, classifies and authenticates every
frame and forms the verdict. The programs take turns, so that a slow moment of the machine hits all alike.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.verify_traffic import MIXES, write

FRAMES = 1_000_000
ROUNDS = 3
WANTED = 2.0  # times as fast as tshark dissecting fully, with one process already
MOST_MB = 200
_HERE = Path(__file__).resolve().parents[2]

# Runs the command in this process, and tells what it and the workers that it waited for took at the most.
_DRIVER = """
import resource, sys
from lab.cli.main import run
code = run(sys.argv[1:])
sys.stdout.flush()
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(*peaks, file=sys.stderr)
sys.exit(code)
"""


@dataclass
class Program:
    """A command line and what its runs took; `busy` are seconds of all processors.

    `peak` is in MB: its own, and that of the largest of its children.
    """

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    peak: int = 0
    printed: str = ""

    def run(self) -> None:
        """Run it once."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            start = time.perf_counter()
            process = subprocess.Popen(self.command, stdout=out, stderr=err, cwd=_HERE)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds.append(time.perf_counter() - start)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.busy.append(usage.ru_utime + usage.ru_stime)
            out.seek(0)
            err.seek(0)
            said = err.read()
            if process.returncode:
                raise SystemExit(f"{self.name} failed: {said}")
            if self.command[0] == sys.executable:
                self.printed = out.read()
                self.peak = max(self.peak, sum(map(int, said.split()[-2:])) // 1024)
            else:
                self.peak = max(self.peak, usage.ru_maxrss // 1024)

    @property
    def median(self) -> float:
        """The seconds of the run in the middle."""
        return statistics.median(self.seconds)


def verify(capture: Path, key_log: Path, workers: int) -> Program:
    words = ["verify", str(capture), "--keys", str(key_log), "--json", "--workers", str(workers)]
    return Program(f"verify --workers {workers}", [sys.executable, "-c", _DRIVER, *words])


def measure(folder: Path, frames: int, mix: str) -> bool:
    """Measure all programs on one capture; tell whether what is wanted was missed."""
    capture, key_log = write(folder, frames, mix)
    dissect = ["tshark", "-n", "-r", str(capture)]
    full = Program("tshark, fully", [*dissect, "-T", "fields", "-e", "frame.number"])
    columns = Program("tshark, columns", dissect)
    ours = [verify(capture, key_log, 1), verify(capture, key_log, 2)]
    programs = [full, columns, *ours]
    for _ in range(ROUNDS):
        for program in programs:
            program.run()
    print(f"{mix}: {frames} frames, {capture.stat().st_size >> 20} MB; medians of {ROUNDS} runs, `x` by seconds")
    print(f"  {'program':<20} {'seconds':>8} {'CPU s':>6} {'frames/s':>9} {'MB':>4} {'x fully':>8} {'x columns':>9}")
    for program in programs:
        print(
            f"  {program.name:<20} {program.median:>8.2f} {statistics.median(program.busy):>6.2f}"
            f" {frames / program.median:>9.0f} {program.peak:>4} {full.median / program.median:>8.2f}"
            f" {columns.median / program.median:>9.2f}"
        )
    (segment,) = json.loads(ours[0].printed)["segments"]
    half = frames // 2
    authentic = [segment[protocol]["authenticated"] for protocol in ("macsec", "esp")]
    assert (segment["verdict"], authentic) == ("proven", [half, frames - half]), segment["reasons"]
    alike = all(_comparable(program.printed) == _comparable(ours[0].printed) for program in ours)
    print(f"  every frame authenticated; with 2 workers the JSON is {'the same' if alike else 'NOT THE SAME'}")
    capture.unlink()
    fast = full.median / ours[0].median >= WANTED
    return not (alike and fast and max(program.peak for program in ours) < MOST_MB)


def _comparable(printed: str) -> object:
    """The document without the time at which it was formed."""
    document = json.loads(printed)
    document.pop("provenance", None)
    return document


def main() -> int:
    if shutil.which("tshark") is None:
        print("tshark is not installed; to have it: apt-get install tshark", file=sys.stderr)
        return 4
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    print(f"fully dissecting tshark must be {WANTED} times as slow as one process; memory below {MOST_MB} MB in all")
    with tempfile.TemporaryDirectory(prefix="wireproof-bench-") as folder:
        missed = [measure(Path(folder), frames, mix) for mix in sys.argv[2:] or ["imix"]]
    return any(missed)


if __name__ == "__main__":
    assert set(sys.argv[2:]) <= set(MIXES), f"mixes are {', '.join(MIXES)}"
    sys.exit(main())
