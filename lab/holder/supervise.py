"""The processes that process 1 has forked: started, heard, asked, stopped, and known when they end."""

from __future__ import annotations

import enum
import functools
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.holder.loop import Loop, Timer
from lab.host.channel import Channel, Message
from lab.host.processes import ERROR_MARK, describe_end, fork

_LAST_OCTETS = 4096


class State(enum.StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Child:
    """A process of the lab. `end` says how it ended, `exit_code` is None unless it ended by exiting."""

    name: str
    kind: str
    pid: int
    channel: Channel
    log: Path
    state: State = State.STARTING
    end: str | None = None
    exit_code: int | None = None

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return self.end is None

    @property
    def last_words(self) -> str:
        """What it wrote to its log last: its error, if it ended with one of ours, else the last line."""
        try:
            with self.log.open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - _LAST_OCTETS))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        ours = [number for number, line in enumerate(lines) if line.startswith(ERROR_MARK)]
        said = lines[ours[-1] :] if ours else lines[-1:]
        return "; ".join(line.strip() for line in said).removeprefix(ERROR_MARK)


Answered = Callable[[Message | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    child: Child
    answered: Answered
    timer: Timer


@dataclass(slots=True)
class Supervisor:
    """All children. `heard` gets what they say unasked, `ended` is called once for each, after its last word."""

    loop: Loop
    heard: Callable[[Child, Message], None]
    ended: Callable[[Child], None]
    children: list[Child] = field(default_factory=list)
    _questions: dict[int, _Question] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def start(
        self, name: str, kind: str, run: Callable[[Channel], None], *, log: Path, keep: Iterable[int] = ()
    ) -> Child:
        """Fork a child that does `run` with its end of a channel, and of our descriptors has only those in `keep`."""
        ours, theirs = Channel.pair()
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        pid = fork(functools.partial(run, theirs), keep=(theirs.fileno(), *keep), output=output, name=name)
        os.close(output)
        theirs.close()
        child = Child(name=name, kind=kind, pid=pid, channel=ours, log=log)
        self.children.append(child)
        self.loop.watch(ours, functools.partial(self._hear, child))
        return child

    def reap(self) -> None:
        """See who has ended. Process 1 also inherits orphans, of which nobody needs to be told."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self.children:
                if child.pid == pid and child.lives:
                    self._end(child, status)

    def ask(self, child: Child, question: Message, answered: Answered, timeout: float) -> None:
        """Put a question to a child; the answer is None if none comes in that time, or it ends before."""
        number = next(self._numbers)
        timer = self.loop.after(timeout, functools.partial(self._answer, number, None))
        self._questions[number] = _Question(child=child, answered=answered, timer=timer)
        if not self.tell(child, {**question, "id": number}):
            self._answer(number, None)

    def tell(self, child: Child, message: Message) -> bool:
        """Say something to a child; false when it does not listen."""
        try:
            child.channel.send(message, wait=False)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return False
        except OSError:
            if child.channel.fileno() >= 0:
                raise
            return False
        return True

    def stop(self, children: Iterable[Child], timeout: float) -> None:
        """Tell children to stop, and wait until they have; those that do not are left to the end of process 1."""
        told = [child for child in children if child.lives]
        for child in told:
            child.state = State.STOPPING
            self.tell(child, {"type": "stop"})
        self.loop.run_until(lambda: not any(child.lives for child in told), timeout)

    def _hear(self, child: Child) -> None:
        try:
            while (message := child.channel.receive()) is not None:
                self._understand(child, message)
        except EOFError:
            self.loop.forget(child.channel)
            child.channel.close()

    def _understand(self, child: Child, message: Message) -> None:
        if message["type"] == "ready":
            child.state = State.READY
        elif message["type"] in ("status", "reply"):
            self._answer(message["id"], message)
        else:
            self.heard(child, message)

    def _answer(self, number: int, message: Message | None) -> None:
        question = self._questions.pop(number, None)
        if question is not None:  # else it comes too late
            question.timer.cancel()
            question.answered(message)

    def _end(self, child: Child, status: int) -> None:
        if child.channel.fileno() >= 0:
            self._hear(child)
        if child.channel.fileno() >= 0:  # a descendant still has its end
            self.loop.forget(child.channel)
            child.channel.close()
        code = os.waitstatus_to_exitcode(status)
        child.exit_code = code if code >= 0 else None
        child.end = describe_end(status)
        child.state = State.STOPPED if code == 0 and child.state is State.STOPPING else State.FAILED
        for number in [number for number, question in self._questions.items() if question.child is child]:
            self._answer(number, None)
        self.ended(child)
