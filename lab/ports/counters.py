"""What a port counts. Counters are added to once a batch."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True, kw_only=True)
class PortCounters:
    """Frames and octets through a port, as its user sees them, and what did not get through.

    `send_lost` frames were not taken when sent; `receive_dropped` arrived and were lost before anybody read them;
    `receive_errors` were read and could not be used: too long for a slot, or not what their headers claim; `wrong_tag`
    came without just the tags that they should have had.
    """

    received: int = 0
    received_octets: int = 0
    sent: int = 0
    sent_octets: int = 0
    send_lost: int = 0
    receive_dropped: int = 0
    receive_errors: int = 0
    wrong_tag: int = 0

    def count_received(self, frames: int, octets: int) -> None:
        """Add a batch that came in."""
        self.received += frames
        self.received_octets += octets

    def count_sent(self, frames: int, octets: int, lost: int) -> None:
        """Add a batch that went out: frames and octets taken, frames lost."""
        self.sent += frames
        self.sent_octets += octets
        self.send_lost += lost

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self)
