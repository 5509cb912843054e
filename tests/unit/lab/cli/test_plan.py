"""`wireproof plan`: data to stdout, warnings to stderr, problems end with 3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.cli.main import run


def test_a_plan_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "macsec-pair"]) == 0
    out, err = capsys.readouterr()
    assert "ce--msee1: join ce:link1" in out
    assert err == ""


def test_warnings_do_not_mix_with_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "clear", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["operations"][0]["kind"] == "create-namespace"
    assert len(document["warnings"]) == 1
    assert err.startswith("warning: ")


def test_every_problem_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: Bad\nnodes: {a: {role: hots}}\nlinks: []\n")
    assert run(["plan", str(file)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{file}:1: 'Bad' cannot name a topology" in err
    assert f"{file}:2: unknown role 'hots'; did you mean 'host'?" in err
