from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.host.preflight import Verdict, _program
from lab.host.programs import BIRD, check_programs
from lab.topology.load import load

ROOT = Path(__file__).parents[4]


def test_what_is_missing_is_named_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command, path=None: None)
    with pytest.raises(MachineError) as refused:
        check_programs(load(ROOT / "topologies/expressroute-bgp.yaml"))
    assert str(refused.value) == (
        "this topology has `bgp:`, and bird is not installed (Debian package bird2)\n"
        "  fix: sudo apt-get install --no-install-recommends bird2"
    )
    check_programs(load(ROOT / "topologies/macsec-pair.yaml"))
    need = _program(BIRD)
    assert (need.verdict, need.fix) == (Verdict.LIMITED, BIRD.fix)
    assert need.detail == "not installed: topologies with `bgp:` do not run"


def test_what_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command, path=None: f"/somewhere/{command}")
    assert BIRD.path() == "/somewhere/bird"
    assert _program(BIRD).verdict is Verdict.WORKS
