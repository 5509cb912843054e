"""Messages and plans are designed, and stay good. `tests/golden/render.py` says how to write the files anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.render import HERE, golden

GOLDEN = golden()


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_golden(file: Path) -> None:
    assert GOLDEN[file] == file.read_text()


def test_no_golden_file_is_left_over() -> None:
    held = {path for ending in ("*/*.expected", "*/*.txt") for path in HERE.glob(ending)}
    assert held == set(GOLDEN)


@pytest.mark.parametrize("file", [file for file in GOLDEN if file.parent.name == "errors"], ids=lambda file: file.stem)
def test_what_is_wrong_does_not_load(file: Path) -> None:
    assert GOLDEN[file] != "loads\n"
