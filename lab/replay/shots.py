"""Which frames of a capture are to be sent again, and as whose; and why others are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lab.capture.frame import ETHERNET, LINK_TYPES, Direction, Frame
from lab.errors import InputError
from lab.replay.look import Kind, look

Ranges = tuple[range, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An end of the segment that frames are sent into."""

    node: str
    mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A frame to be sent as if by `sender`, or one that is not, and `why` not. `number` is the capture's."""

    number: int
    octets: bytes
    timestamp_ns: int
    kind: Kind
    sender: str | None
    why: str | None = None


_RANGE: Final = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def parse_ranges(text: str) -> Ranges:
    """Numbers of frames, as in `10-20` or `1,5,10-20`.

    Raises:
        InputError: it is none.
    """
    ranges = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last:
            raise InputError(f"{part!r} names no frames; write as in 10-20 or 1,5,10-20, the first frame is 1")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def shots(frames: Iterable[Frame], ends: tuple[End, End], sender: str | None, wanted: Ranges | None) -> Iterator[Shot]:
    """The frames that are wanted, each with who sends it.

    The capture tells who did, by its directions (ours: outbound is from the first end) or else by source addresses.
    With `sender`, frames of the other end are left out, and those of neither are sent as `sender`'s.

    Raises:
        InputError: the capture is not of Ethernet, or does not tell who sent a frame, and no sender is given.
    """
    last = max((numbers[-1] for numbers in wanted), default=0) if wanted is not None else None
    for frame in frames:
        if last is not None and frame.number > last:
            return
        if wanted is not None and not any(frame.number in numbers for numbers in wanted):
            continue
        if frame.link_type != ETHERNET:
            kind = LINK_TYPES.get(frame.link_type, f"link type {frame.link_type}")
            raise InputError(f"frame {frame.number} is of {kind}: only Ethernet frames can be put on a wire")
        told = _sender(frame, ends)
        why = None
        if told is None and sender is None:
            raise InputError(
                f"frame {frame.number}: the capture does not tell which end sent it; "
                f"say --from {ends[0].node} or --from {ends[1].node}"
            )
        if sender is not None and told not in (None, sender):
            why = "sent by the other end"
        elif len(frame.octets) < frame.original_length:
            why = "cut by the snap length"
        yield Shot(
            number=frame.number,
            octets=frame.octets,
            timestamp_ns=frame.timestamp_ns,
            kind=look(frame.octets).kind,
            sender=sender or told,
            why=why,
        )


def _sender(frame: Frame, ends: tuple[End, End]) -> str | None:
    for end in ends:
        if frame.octets[6:12] == end.mac:
            return end.node
    if frame.direction is None:
        return None
    return ends[0].node if frame.direction is Direction.OUTBOUND else ends[1].node
