"""The directions of a segment, and what each carried.

Where the capture says which way a frame passed its interface, that is its direction; elsewhere it is the sender.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final, final

from lab.capture import frame as link
from lab.capture.frame import Direction, Frame
from lab.coverage.census import CONTROL, IKE, MKA

MOST_DIRECTIONS: Final = 256
_NEGOTIATION: Final = frozenset({CONTROL, MKA, IKE})  # whoever sends only these sends no data


@final
@dataclass(slots=True)
class Tally:
    """What one direction carried, from frame `first` on. `data` counts frames other than control, MKA and IKE.

    `under` counts the frames that were opened, by the layers (bits) that all were authenticated. `tokens` counts the
    frames in which a token was found under those layers (0: on the wire); `readable`, on the wire in a frame that
    MACsec protects without confidentiality. `failed` counts the frames with a unit that is not authentic. `kinds`
    counts frames by census class and layers.
    """

    label: str
    first: int
    frames: int = 0
    data: int = 0
    under: list[int] = field(default_factory=lambda: [0] * 4)
    tokens: list[int] = field(default_factory=lambda: [0] * 4)
    readable: int = 0
    failed: int = 0
    kinds: dict[tuple[int, int], int] = field(default_factory=dict)

    def credit(self, kind: int, under: int, frames: int = 1) -> None:
        """Count frames of class `kind`, whose content was found under these layers."""
        self.frames += frames
        self.under[under] += frames
        self.kinds[kind, under] = self.kinds.get((kind, under), 0) + frames
        if kind not in _NEGOTIATION:
            self.data += frames


@final
class Directions:
    """The directions seen so far; beyond a bound, the rest of them are one."""

    def __init__(self) -> None:
        self._tallies: Final[dict[tuple[int, Direction] | bytes, Tally]] = {}

    def of(self, frame: Frame) -> Tally:
        """The direction of a frame."""
        octets, link_type = frame.octets, frame.link_type
        key: tuple[int, Direction] | bytes
        if frame.direction is not None:
            key = (frame.interface, frame.direction)
        elif link_type == link.ETHERNET:
            key = octets[6:12]
        else:
            key = _sender(octets, link_type)
        tally = self._tallies.get(key)
        if tally is None:
            if len(self._tallies) >= MOST_DIRECTIONS:
                key = b"others"
            tally = self._tallies.setdefault(key, Tally(_label(key), frame.number))
        return tally

    def all(self) -> tuple[Tally, ...]:
        """Every direction, in the order of first frames."""
        return tuple(sorted(self._tallies.values(), key=lambda tally: tally.first))


def _sender(octets: bytes, link_type: int) -> tuple[int, Direction] | bytes:
    if link_type in (link.LINUX_SLL, link.LINUX_SLL2):
        # The packet type: 4 is what the host itself sent.
        packet_type = octets[1:2] if link_type == link.LINUX_SLL else octets[10:11]
        return (0, Direction.OUTBOUND if packet_type == b"\x04" else Direction.INBOUND)
    start = 4 if link_type in (link.BSD_LOOPBACK, link.OPENBSD_LOOPBACK) else 0
    if octets[start : start + 1] and octets[start] >> 4 == 6:
        return octets[start + 8 : start + 24]
    return octets[start + 12 : start + 16]


def _label(key: tuple[int, Direction] | bytes) -> str:
    if isinstance(key, tuple):
        return str(key[1]) if key[0] == 0 else f"{key[1]} at interface {key[0]}"
    if len(key) in (4, 16):
        return str(ipaddress.ip_address(key))
    return "others" if key == b"others" else key.hex(":")
