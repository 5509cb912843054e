from __future__ import annotations

import errno
import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from lab.holder.events import Event, EventLog


def test_events_are_numbered_dated_written_and_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    told: list[Event] = []
    log.record("building", {"lab": "x"})
    stop = log.listen(told.append)
    log.record("node-failed", {"node": "ce", "end": "exit code 3"})
    stop()
    log.record("down", {})
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["seq"], event["event"]) for event in written] == [(1, "building"), (2, "node-failed"), (3, "down")]
    assert told == [written[1]]
    assert written[1]["node"] == "ce"
    assert datetime.fromisoformat(written[0]["time"]).utcoffset() is not None
    assert log.last_seq == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_listener_may_leave_while_it_is_told(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    told: list[str] = []

    def once(event: Event) -> None:
        told.append("once")
        stop()

    stop = log.listen(once)
    log.listen(lambda event: told.append(str(event["event"])))
    log.record("a", {})
    log.record("b", {})
    assert told == ["once", "a", "b"]


def test_a_full_disk_costs_the_event_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    told: list[Event] = []
    log.listen(told.append)
    log.record("before", {})
    write = os.write

    def write_little(descriptor: int, octets: bytes) -> int:
        if len(octets) > 10:
            return write(descriptor, octets[: len(octets) - 10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", write_little)
        log.record("meanwhile", {})
    log.record("after", {})
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["before", "after"]
    assert [event["event"] for event in told] == ["before", "meanwhile", "after"]
    assert log.unwritten == 1
