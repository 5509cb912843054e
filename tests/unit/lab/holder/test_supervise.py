"""Children that are forked from the test itself: what they say, what becomes of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.holder.loop import Loop
from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Channel, Message


class Bench:
    """A supervisor and what it hears."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[tuple[str, Message]] = []
        self.ended: list[Child] = []
        self.loop = Loop()
        self.supervisor = Supervisor(self.loop, lambda child, m: self.heard.append((child.name, m)), self.ended.append)
        self.loop.on_signals([signal.SIGCHLD], lambda _: self.supervisor.reap())

    def start(self, run: Callable[[Channel], None], name: str = "ce") -> Child:
        return self.supervisor.start(name, "node", run, log=self.folder / f"{name}.log")

    def until(self, child: Child, state: State) -> None:
        assert self.loop.run_until(lambda: child.state is state, 10), child


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    before = signal.getsignal(signal.SIGCHLD)
    made = Bench(tmp_path)
    yield made
    for child in made.supervisor.children:
        if child.lives:
            os.kill(child.pid, signal.SIGKILL)
    made.loop.run_until(lambda: not any(child.lives for child in made.supervisor.children), 10)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)


def obedient(control: Channel) -> None:
    control.send({"type": "ready"})
    while control.wait():
        message = control.receive()
        assert message is not None
        if message["type"] == "stop":
            control.send({"type": "event", "event": "bye"})
            return
        if message["type"] == "status":
            control.send({"type": "status", "id": message["id"], "status": {"pid": os.getpid()}})


def test_ready_asked_stopped(bench: Bench) -> None:
    child = bench.start(obedient)
    assert child.state is State.STARTING
    bench.until(child, State.READY)
    answers: list[Message | None] = []
    bench.supervisor.ask(child, {"type": "status"}, answers.append, 5)
    assert bench.loop.run_until(lambda: bool(answers), 5)
    assert answers[0] is not None
    assert answers[0]["status"] == {"pid": child.pid}
    bench.supervisor.stop([child], 5)
    assert (child.state, child.end, child.exit_code) == (State.STOPPED, "exit code 0", 0)
    assert bench.heard == [("ce", {"type": "event", "event": "bye"})]
    assert bench.ended == [child]


def test_one_that_fails_says_how_and_why(bench: Bench) -> None:
    def fail(control: Channel) -> None:
        control.send({"type": "event", "event": "last word"})
        print("some line", file=sys.stderr)
        raise RuntimeError("the reason")

    child = bench.start(fail)
    bench.until(child, State.FAILED)
    assert (child.end, child.exit_code) == ("exit code 70", 70)
    assert child.last_words == "RuntimeError: the reason"
    assert bench.heard == [("ce", {"type": "event", "event": "last word"})]


def test_an_error_of_ours_is_its_last_words_fix_and_all(bench: Bench) -> None:
    def refuse(control: Channel) -> None:
        print("before")
        raise MachineError("no such device", fix="make one")

    child = bench.start(refuse)
    bench.until(child, State.FAILED)
    assert (child.exit_code, child.last_words) == (4, "no such device; fix: make one")


def test_one_that_is_killed_leaves_no_question_open(bench: Bench) -> None:
    def sleep(control: Channel) -> None:
        control.send({"type": "ready"})
        time.sleep(60)

    child = bench.start(sleep)
    bench.until(child, State.READY)
    answers: list[Message | None] = []
    bench.supervisor.ask(child, {"type": "status"}, answers.append, 60)
    os.kill(child.pid, signal.SIGKILL)
    bench.until(child, State.FAILED)
    assert answers == [None]
    assert (child.end, child.exit_code) == ("killed by SIGKILL", None)
    assert not bench.supervisor.tell(child, {"type": "stop"})
    bench.supervisor.ask(child, {"type": "status"}, answers.append, 60)
    assert answers == [None, None]


def test_one_that_ends_by_itself_without_being_told_has_failed(bench: Bench) -> None:
    child = bench.start(lambda control: control.send({"type": "ready"}))
    bench.until(child, State.FAILED)
    assert child.end == "exit code 0"


def test_one_that_does_not_answer_or_stop_holds_nobody_up(bench: Bench) -> None:
    def deaf(control: Channel) -> None:
        control.send({"type": "ready"})
        time.sleep(60)

    child = bench.start(deaf)
    bench.until(child, State.READY)
    answers: list[Message | None] = []
    bench.supervisor.ask(child, {"type": "status"}, answers.append, 0.02)
    assert bench.loop.run_until(lambda: bool(answers), 5)
    assert answers == [None]
    while bench.supervisor.tell(child, {"type": "status", "filler": "x" * 1000}):
        pass
    began = time.monotonic()
    bench.supervisor.stop([child], 0.05)
    assert time.monotonic() - began < 2
    assert child.state is State.STOPPING


def test_siblings_do_not_hold_each_others_channels(bench: Bench) -> None:
    first = bench.start(obedient, "first")
    second = bench.start(obedient, "second")
    for child in (first, second):
        bench.until(child, State.READY)
    ours = {Path(f"/proc/self/fd/{child.channel.fileno()}").readlink() for child in (first, second)}
    for child in (first, second):
        held = {path.readlink() for path in Path(f"/proc/{child.pid}/fd").iterdir()}
        assert not held & ours
