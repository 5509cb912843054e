"""The README speaks of what is there: files, rooms, commands, topologies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:lab|dataplane|tests|topologies|docs)/[\w./-]+)`", TEXT))))
def test_files_that_are_named_are_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    assert re.search(rf"(wireproof|`) ?{command}\b", TEXT)


def test_no_other_command_is_named() -> None:
    assert set(re.findall(r"(?<![\w-])wireproof ([a-z][a-z-]*)", "".join(BLOCKS))) <= set(COMMANDS)


def test_topologies_that_are_stood_up_are_shipped() -> None:
    named = set(re.findall(r"wireproof (?:up|plan|device-config) ([a-z-]+)", TEXT))
    assert named <= {path.stem for path in (ROOT / "topologies").glob("*.yaml")}
    assert named


@pytest.mark.parametrize("half", ["lab", "dataplane"])
def test_the_map_has_every_room(half: str) -> None:
    rooms = next(block for block in BLOCKS if block.startswith("dataplane/"))
    begin, end = rooms.index(f"{half}/"), rooms.index("lab/") if half == "dataplane" else len(rooms)
    there = {path.name for path in (ROOT / half).iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert set(re.findall(r"\b([a-z]+)/", rooms[begin + len(half) + 1 : end])) == there
