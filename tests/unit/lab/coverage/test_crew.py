"""Worker processes: one that dies, one that fails, windows that are too long for them, and none left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.capture import window
from lab.capture.burst import Burst, Column
from lab.capture.source import open_capture
from lab.coverage import crew
from lab.coverage.bulk import Bulk
from lab.coverage.crew import go
from lab.coverage.fast import Fast, Opened, State
from lab.coverage.judge import watch
from lab.coverage.observe import Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.tokens import Tokens
from lab.errors import InputError, MachineError
from tests.captures.cases import write_pcap
from tests.unit.lab.coverage.packets import KEYS, ethernet, frames, macsec, ping

Look = Callable[[Fast, Burst, Column | None, State], Opened]


@pytest.fixture
def capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(window, "CHUNK", 2048)
    sealed = [macsec(ethernet(ping(bytes(number % 90))), pn=number) for number in range(1, 300)]
    return write_pcap(tmp_path / "a.pcap", frames(sealed))


def observe(path: Path, workers: int) -> list[int]:
    observer = Observer(Openers(KEYS, Learning(KEYS), reveal=False), tokens=Tokens(()), watch=watch(None))
    fast = Fast(observer.openers, Tokens(()))
    with open_capture(path) as source:
        go(((burst, None) for burst in source.bursts()), Bulk(observer, fast), fast, workers)
    return observer.finish().units["macsec"]


def in_workers(what: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this happen in every look but those of this process."""
    here, look = os.getpid(), Fast.look

    def other(self: Fast, burst: Burst, rows: Column | None, state: State) -> Opened:
        if os.getpid() != here:
            what()
        return look(self, burst, rows, state)

    monkeypatch.setattr(Fast, "look", other)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers(workers: int, capture: Path) -> None:
    assert observe(capture, workers) == [299, 0, 0]
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_is_told(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_workers(lambda: os.kill(os.getpid(), signal.SIGKILL), monkeypatch)
    with pytest.raises(MachineError, match="a worker process ended with exit code -9 before its work was done"):
        observe(capture, 2)
    assert multiprocessing.active_children() == []


def test_a_worker_that_fails_tells_where(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    in_workers(fail, monkeypatch)
    with pytest.raises(RuntimeError, match=r"(?s)a worker failed:.*in fail.*ZeroDivisionError: a bug"):
        observe(capture, 2)
    assert multiprocessing.active_children() == []


def test_windows_that_are_too_long_to_share_are_looked_at_here(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "ROOM", 16)

    def never() -> None:
        raise AssertionError("nothing was given to a worker")

    in_workers(never, monkeypatch)
    assert observe(capture, 2) == [299, 0, 0]


def test_a_capture_that_breaks_off_leaves_no_worker(capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-9])
    with pytest.raises(InputError, match="is cut off"):
        observe(capture, 3)
    assert multiprocessing.active_children() == []


def test_no_processes_are_to_be_had(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", none)
    with pytest.raises(MachineError, match="no more worker processes: Resource temporarily unavailable"):
        observe(capture, 2)
