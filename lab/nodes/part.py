"""What a driver is made of: ends of links, a gateway. Each has its own ports and engines, and shares the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lab.host.channel import Message
from lab.nodes.loop import Loop


class Part(Protocol):
    """One of a driver's parts. It is made with its ports open; until it joins the loop nothing moves.

    `kind` and `name` say where its status stands, as in `segments` and `ce--msee1`.
    """

    @property
    def kind(self) -> str:
        """What sort of part."""
        ...

    @property
    def name(self) -> str:
        """Which one of its sort."""
        ...

    @property
    def key_records(self) -> Sequence[Mapping[str, object]]:
        """What must be in the key log before the part joins the loop."""
        ...

    def join(self, loop: Loop) -> None:
        """Begin to work."""
        ...

    def status(self) -> dict[str, object]:
        """How it is: counters and states, never a key."""
        ...

    def command(self, verb: str, fields: Message) -> object:
        """Do what process 1 passes on; the answer is what JSON can carry.

        Raises:
            InputError: it cannot be done, or the part knows no such verb.
        """
        ...

    def close(self) -> None:
        """Close its ports."""
        ...
