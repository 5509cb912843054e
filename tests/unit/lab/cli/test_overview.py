from __future__ import annotations

import time
from typing import Any

import pytest

from lab.cli.overview import age, print_status


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h"),
     (-5, "0 s")],
)  # fmt: skip
def test_ages(monkeypatch: pytest.MonkeyPatch, seconds: int, words: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.5)
    assert age(1_000_000 - seconds) == words


def status(**changes: Any) -> dict[str, Any]:
    secy = {
        "counters": {"InPktsNoTag": 2, "InPktsOverrun": 0},
        "transmit": {
            "encoding_an": 1,
            "counters": {"OutPktsEncrypted": 7, "OutOctetsEncrypted": 700},
            "sas": [{"an": 0, "next_pn": 99}, {"an": 1, "next_pn": 8}],
        },
        "receive": [{"counters": {"InPktsOK": 5, "InPktsLate": 3}}],
    }
    nodes = [
        {"node": "a", "role": "host", "state": "plain", "addresses": ["10.0.0.1/24"]},
        {"node": "ce", "role": "ce", "state": "ready", "addresses": [],
         "driver": {"segments": {"a--ce": {"secy": secy}}}},
        {"node": "b", "role": "ce", "state": "failed", "addresses": [], "driver": None,
         "end": "killed by SIGKILL", "last_words": "ouch"},
    ]  # fmt: skip
    segments = [
        {"segment": "a--ce", "ends": ["a:x", "ce:y"], "macsec": "GCM-AES-128", "expect": "macsec",
         "capture": {"frames": 4, "dropped": 1}},
        {"segment": "ce--b", "ends": ["ce:z", "b:x"], "macsec": None, "expect": None, "capture": None},
    ]  # fmt: skip
    whole = {"lab": "x", "state": "up", "since": 0.0, "source": "x.yaml", "nodes": nodes, "segments": segments}
    return whole | {"events_unwritten": 0, "spliced": []} | changes


def test_what_matters_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(status())
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["a", "host", "plain", "10.0.0.1/24"] in rows
    assert ["b", "ce", "failed", "killed by SIGKILL: ouch"] in rows
    assert ["a--ce", "a:x -- ce:y", "GCM-AES-128", "macsec", "4", "1"] in rows
    assert ["ce--b", "ce:z -- b:x"] in rows
    assert ["ce", "a--ce", "1", "8", "7", "5", "InPktsNoTag 2, InPktsLate 3"] in rows


def test_a_secy_that_sends_nothing_yet(capsys: pytest.CaptureFixture[str]) -> None:
    found = status()
    transmit = found["nodes"][1]["driver"]["segments"]["a--ce"]["secy"]["transmit"]
    transmit |= {"encoding_an": None, "sas": []}
    print_status(found)
    assert "MACSEC AT" in capsys.readouterr().out


def test_events_that_are_not_on_file_are_owned_up_to(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(status(events_unwritten=3, spliced=["a--ce"]))
    assert "3 events could not be written" in capsys.readouterr().err
