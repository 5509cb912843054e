"""The IKE messages of a capture, kept until they can be read one after the other."""

from __future__ import annotations

from typing import Final, NamedTuple, final

MOST_MESSAGES: Final = 4096
_MOST_OCTETS: Final = 1 << 22


class Message(NamedTuple):
    """One message. `octets` are as on the wire; of a protected one, SK or SKF holds what was deciphered."""

    frame: int
    time_ns: int
    octets: bytes
    protected: bool


@final
class Messages:
    """The first messages, up to a bound; `left_out` counts the rest."""

    def __init__(self) -> None:
        self.kept: Final[list[Message]] = []
        self.left_out = 0
        self._octets = 0

    def add(self, message: Message) -> None:
        """Keep one message."""
        if len(self.kept) >= MOST_MESSAGES or self._octets + len(message.octets) > _MOST_OCTETS:
            self.left_out += 1
            return
        self.kept.append(message)
        self._octets += len(message.octets)

    def merge(self, other: Messages) -> None:
        """Add those of the part that follows."""
        for message in other.kept:
            self.add(message)
        self.left_out += other.left_out
