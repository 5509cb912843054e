"""Where output goes, and what a command says when it can go nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COMMANDS = (["--help"], ["plan", "macsec-pair"], ["completion", "bash"])


def wireproof(words: list[str], out: int) -> subprocess.CompletedProcess[str]:
    code = "import sys; from lab.cli.main import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_ends_a_command_without_a_word(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = wireproof(words, writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_space_for_the_output(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = wireproof(words, full.fileno())
    assert (ran.returncode, ran.stderr) == (4, "wireproof: No space left on device\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_closed_descriptors_are_nobodys_output(words: list[str]) -> None:
    code = "import sys; from lab.cli.main import main; main(sys.argv[1:])"
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run([*closed, *words], cwd=ROOT, check=False).returncode == 0
    assert subprocess.run([*closed, "nosuch"], cwd=ROOT, check=False).returncode == 3
