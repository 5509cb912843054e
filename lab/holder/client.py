"""The outside's conversation with a lab's process 1. Light on purpose: `status` and `list` import nothing heavier."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from lab.errors import CheckFailedError
from lab.holder.failure import failure
from lab.holder.labs import absence
from lab.host.channel import Message
from lab.host.control import Connection, connect
from lab.host.entering import Entrance
from lab.host.processes import kill, wait_for_end
from lab.host.state import LabFolder
from lab.host.wire import WireSocket

VERSION = 1
_PATIENCE = 10.0
_DOWN_PATIENCE = 20.0  # more than process 1 itself has with its children


class Client:
    """A conversation with one lab's process 1."""

    def __init__(self, folder: LabFolder) -> None:
        """Call the lab.

        Raises:
            NoLabError: there is none of that name.
            DeadLabError: it is dead.
        """
        self.folder = folder
        self._numbers = itertools.count(1)
        self._events: list[Message] = []
        try:
            self._connection: Connection = connect(folder.control)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise absence(folder) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(self, verb: str, *, timeout: float = _PATIENCE, **fields: object) -> Any:
        """Ask, and give the answer, whose shape is the verb's.

        Raises:
            WireproofError: the lab cannot do it, with its own exit code; or it gives no answer.
        """
        number = next(self._numbers)
        try:
            self._connection.send({"v": VERSION, "id": number, "verb": verb, **fields})
            for message in self._messages(time.monotonic() + timeout):
                if "event" in message:
                    self._events.append(message["event"])
                elif "error" in message:
                    raise failure(message["error"]["message"], message["error"]["exit_code"])
                elif message.get("id") == number:
                    return message["result"]
        except (EOFError, BrokenPipeError):
            raise CheckFailedError(f"lab {self.folder.name} ended while it was asked for {verb!r}") from None
        raise CheckFailedError(
            f"lab {self.folder.name} gave no answer to {verb!r} within {timeout:.0f} s; "
            f"`wireproof down {self.folder.name}` ends it in any case"
        )

    def events(self) -> Iterator[Message]:
        """Every event from now on, until the lab ends. The first thing given is {"last_seq": n}."""
        yield self.ask("events")
        yield from self._events
        with suppress(EOFError):
            for message in self._messages(None):
                yield message["event"]

    def ends_within(self, seconds: float) -> bool:
        """Wait that long; true as soon as the lab has ended."""
        try:
            return any(False for _ in self._messages(time.monotonic() + seconds))
        except EOFError:
            return True

    def enter(self, nodes: Iterable[str]) -> Entrance:
        """Get the way into nodes.

        Raises:
            InputError: there is no such node.
        """
        answer = self.ask("enter", nodes=list(nodes))
        return Entrance.from_descriptors(answer["shared"], answer["nodes"], self._connection.descriptors)

    def wire(self, segment: str, node: str) -> WireSocket:
        """Get a way onto a segment, as one of its ends has it.

        Raises:
            InputError: there is no such segment, or the node is no end of it.
        """
        self.ask("wire", segment=segment, node=node)
        return WireSocket.of(self._connection.descriptors.pop())

    def end(self) -> None:
        """Take the lab down, in good order if it listens; returns when all of its processes have ended."""
        process = os.pidfd_open(self._connection.peer[0])
        try:
            with suppress(CheckFailedError):  # it ends all the same
                self.ask("down", timeout=_DOWN_PATIENCE)
            if not wait_for_end(process, 2.0):
                kill(process)
            wait_for_end(process, _PATIENCE)
        finally:
            os.close(process)

    def _messages(self, deadline: float | None) -> Iterator[Message]:
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and (left <= 0 or not self._connection.wait(left)):
                return
            if left is None:
                self._connection.wait(None)
            yield from self._connection.receive(with_descriptors=True)
