"""Labs of the tests: in a state folder of each test's own, so that none of the user's is seen or touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.topologies import chain_text

ROOT = Path(__file__).resolve().parents[2]
_MAIN = "from lab.cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Runs our command line against a state folder; `topologies` is a folder for files."""

    runtime: Path
    topologies: Path

    @property
    def environment(self) -> dict[str, str]:
        # PYTHONPATH, since the tree may lie elsewhere than where it was installed from.
        return {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-c", _MAIN, *arguments]

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment, cwd=ROOT, text=True, capture_output=True, check=False, timeout=timeout,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment, cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ok(self, *arguments: str, timeout: float = 60) -> str:
        ran = self.run(*arguments, timeout=timeout)
        assert ran.returncode == 0, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def chain(self, nodes: int, name: str = "chain") -> str:
        """A file with plain nodes in a row."""
        path = self.topologies / f"{name}.yaml"
        path.write_text(chain_text(nodes, name))
        return str(path)

    def folder(self, name: str = "chain") -> Path:
        """Where a lab's files are."""
        return self.runtime / "wireproof" / name

    def processes(self) -> dict[int, list[int]]:
        """Every process that was started with this state folder: its pid here, and in each namespace below."""
        mark = f"XDG_RUNTIME_DIR={self.runtime}\0".encode()
        found = {}
        for path in Path("/proc").iterdir():
            if not path.name.isdigit():
                continue
            try:
                if mark in (path / "environ").read_bytes():
                    status = (path / "status").read_text()
                    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                    found[int(path.name)] = [int(number) for number in line.split()[1:]]
            except (OSError, StopIteration):  # it has ended, or is another user's
                continue
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    made = Bench(runtime=runtime, topologies=tmp_path)
    yield made
    made.run("down", "--all")
    assert made.processes() == {}
