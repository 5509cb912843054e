"""A driver's line to process 1: what it tells, what it is told, and the one thing that it waits for, keys on file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, final

from lab.errors import MachineError
from lab.host.channel import Channel, Message


@final
class Line:
    """Speaks for a node. Every verb raises BrokenPipeError or EOFError when process 1, and so the lab, has gone."""

    def __init__(self, node: str, channel: Channel) -> None:
        self._node: Final = node
        self._channel: Final = channel
        self._waiting: Final[deque[Message]] = deque()
        self._unwritten = 0

    def fileno(self) -> int:
        """The descriptor that says when to `receive`."""
        return self._channel.fileno()

    def ready(self) -> None:
        """The driver is at work."""
        self._channel.send({"type": "ready"})

    def event(self, name: str, **fields: object) -> None:
        """Tell the lab's event log."""
        self._channel.send({"type": "event", "event": name, "node": self._node, **fields})

    def status(self, request: Message, status: Mapping[str, object]) -> None:
        """Answer a request for the status."""
        self._channel.send({"type": "status", "id": request["id"], "status": status})

    def reply(self, request: Message, result: object) -> None:
        """Answer a command."""
        self._channel.send({"type": "reply", "id": request["id"], "result": result})

    def refuse(self, request: Message, why: str) -> None:
        """Answer a command that cannot be done."""
        self._channel.send({"type": "reply", "id": request["id"], "error": why})

    def write_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        """Return when these objects are in the lab's key log: before that, nothing may be sent under their keys.

        Raises:
            EOFError: the driver was told to stop instead.
            MachineError: the key log cannot be written.
        """
        self.hand_in_keys(records)
        self.await_keys()

    def hand_in_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        """Have these objects written to the lab's key log, and do not wait."""
        for record in records:
            self._channel.send({"type": "key", "record": record})
            self._unwritten += 1

    def await_keys(self) -> None:
        """Return when all that was handed in is on file; often that is at once.

        Raises:
            EOFError: the driver was told to stop instead.
            MachineError: the key log cannot be written.
        """
        while self._unwritten:
            self._channel.wait()
            message = self._hear()
            if message is not None and message["type"] == "stop":
                raise EOFError
            if message is not None:
                self._waiting.append(message)

    def receive(self) -> Message | None:
        """What process 1 says next; None when that is all for now."""
        return self._waiting.popleft() if self._waiting else self._hear()

    def _hear(self) -> Message | None:
        """The next message that is not about keys on file."""
        while (message := self._channel.receive()) is not None and message["type"] == "key-written":
            self._unwritten -= 1
        if message is not None and message["type"] == "key-not-written":
            # Nothing may be sent under it, and without it nothing can be: better to end than to stand still.
            raise MachineError(f"a key is not used, since it cannot be written down: {message['why']}")
        return message

    @property
    def has_waiting(self) -> bool:
        """Whether `receive` has something to give although the descriptor may not say so."""
        return bool(self._waiting)
