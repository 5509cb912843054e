"""Which file is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.topology.find import find, shipped


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.touch()
    assert find(str(file)) == file


def test_a_name_is_looked_for_here_first_then_among_those_that_came_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    came_along = find("expressroute-direct")
    assert came_along.name == "expressroute-direct.yaml"
    assert {"clear", "expressroute-circuit", "macsec-pair"} <= set(shipped())
    here = tmp_path / "topologies" / "expressroute-direct.yaml"
    here.parent.mkdir()
    here.touch()
    assert find("expressroute-direct").resolve() == here


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("expresroute-direct", "did you mean 'expressroute-direct'?"),
        ("zzz", "known are clear, "),
        ("./clear", "no file ./clear"),
        ("clear.yaml", "no file clear.yaml"),
        (os.curdir + os.sep, "is a folder; write the path of a topology file"),
        (os.devnull, "/dev/null is no ordinary file"),
    ],
)
def test_what_is_not_there(name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find(name)
    assert what in str(caught.value)
