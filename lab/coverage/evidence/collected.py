"""All collectors of one capture, and the few places where observation feeds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.capture.frame import ETHERNET, Frame
from lab.coverage import census
from lab.coverage.evidence.identity import FOLD, KeyIdentity
from lab.coverage.evidence.ledger import Ledger, Unsigned, octet_columns, short_columns
from lab.coverage.evidence.messages import Message, Messages
from lab.coverage.evidence.randomness import Randomness, are_sampled, is_sampled
from lab.coverage.evidence.residual import Residue
from lab.coverage.evidence.sightings import Sightings
from lab.coverage.evidence.specimens import Specimens
from lab.coverage.evidence.timeline import Timeline
from lab.coverage.sight import Found, Sight

_ESP_HEADER: Final = 8
_LONGEST_IV: Final = 16
_ICV: Final = 16
_SC: Final = 0x20
_TAGS: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
_WORTH_A_LOOK: Final = 84
_SAMPLED: Final = frozenset({*census.CLEAR, census.MACSEC_ENCRYPTED, census.ESP})


@final
class Collected:
    """What the collectors say of a capture, or of a part of it."""

    def __init__(self) -> None:
        self.ledger: Final = Ledger()
        self.timeline: Final = Timeline()
        self.residue: Final = Residue()
        self.randomness: Final = Randomness()
        self.specimens: Final = Specimens()
        self.sightings: Final = Sightings()
        self.messages: Final = Messages()

    def frame(self, frame: Frame) -> None:
        """A frame, before anything is known of it."""
        self.residue.frame(frame.octets, frame.original_length, frame.link_type)

    def classified(self, kind: int, time_ns: int) -> None:
        """A frame has got its class."""
        self.timeline.frame(kind, time_ns)

    def opened(self, frame: Frame, sight: Sight, found: Found) -> None:
        """A whole frame that is no fragment was looked into."""
        key = census.NAMES[found.kind]
        if found.outcome == census.FAILED:
            key = f"{census.PROTOCOL_OF[found.kind]} failed"
        if self.specimens.wants(key, frame.number, telling=True):
            self.specimens.offer(key, frame, telling=_tells(frame, found))
        if is_sampled(frame.number) and found.kind in _SAMPLED:
            start, end = _body(sight, found.kind, frame.octets)
            self.randomness.sample(found.kind, frame.octets[start:end])

    def unit(self, found: Found, frame: int, time_ns: int, direction: str) -> None:
        """A unit is authentic."""
        if found.used is not None:
            self.ledger.unit(found.used, frame, time_ns, direction)

    def ike(self, octets: bytes, frame: int, time_ns: int, *, protected: bool) -> None:
        """An IKE message that is unprotected, or authentic and deciphered."""
        self.messages.add(Message(frame, time_ns, octets, protected))

    def run(self, kind: int, burst: Burst, rows: Column, contents: Sequence[bytes] | None = None) -> None:
        """Rows of a burst have got their class: untagged Ethernet, authentic, alike; and what is inside MACsec."""
        self.timeline.run(kind, burst.times[rows])
        self.residue.run(burst, rows)
        key = census.NAMES[kind]
        if self.specimens.wants(key, burst.first_number + int(rows[0]), telling=True):
            telling = [True] if contents is None else map(tells, contents)
            place = next((place for place, tells in enumerate(telling) if tells), None)
            first = rows[:1] if place is None else rows[place : place + 1]
            self.specimens.offer(key, next(burst.frames(first)), telling=place is not None)

    def _sample(self, kind: int, burst: Burst, rows: Column, starts: Column, ends: Column) -> None:
        """The protected octets of rows lie there in the burst."""
        numbers = burst.first_number + rows
        for place in np.flatnonzero(are_sampled(numbers)).tolist():
            self.randomness.sample(kind, burst.data[int(starts[place]) : int(ends[place])])

    def macsec_run(
        self, identity: KeyIdentity, masks: tuple[int, int], burst: Burst, rows: Column, tag_end: int, direction: str
    ) -> None:
        """Authentic MACsec frames of one SA; `masks` are the PN that its low halves are near to, and the nonce's."""
        near, nonce_mask = masks
        starts, ends = burst.starts[rows], burst.ends[rows]
        low = short_columns(burst.data, starts + 16)
        numbers = low if identity.number_bits == 32 else nearest_numbers(low, near)
        nonces = numbers ^ np.uint64(nonce_mask)
        octets = int((ends - starts).sum()) - len(rows) * (tag_end + _ICV)
        icvs = octet_columns(burst.data, ends - 8)
        self.ledger.run(identity, burst, rows, (numbers, nonces, icvs), octets, direction)
        self._sample(census.MACSEC_ENCRYPTED, burst, rows, starts + tag_end, ends - _ICV)

    def esp_run(
        self,
        identity: KeyIdentity,
        lengths: tuple[int, int],
        burst: Burst,
        rows: Column,
        packets: tuple[Column, Column],
        direction: str,
    ) -> None:
        """Authentic ESP packets of one SA with 32-bit numbers; `lengths` are of IV and ICV, `packets` are bounds."""
        iv_octets, icv_octets = lengths
        starts, ends = packets
        numbers = short_columns(burst.data, starts + 4)
        bodies = starts + _ESP_HEADER
        if iv_octets == 8:
            nonces = octet_columns(burst.data, bodies)
        elif iv_octets == 16:
            nonces = octet_columns(burst.data, bodies) * np.uint64(FOLD) + octet_columns(burst.data, bodies + 8)
        else:
            nonces = numbers
        octets = int((ends - bodies).sum()) - len(rows) * (iv_octets + icv_octets)
        icvs = octet_columns(burst.data, ends - 8)
        self.ledger.run(identity, burst, rows, (numbers, nonces, icvs), octets, direction)
        self._sample(census.ESP, burst, rows, bodies + _LONGEST_IV, ends - _ICV)

    def merge(self, other: Collected) -> None:
        """Add what the collectors say of the part that follows."""
        self.ledger.merge(other.ledger)
        self.timeline.merge(other.timeline)
        self.residue.merge(other.residue)
        self.randomness.merge(other.randomness)
        self.specimens.merge(other.specimens)
        self.sightings.merge(other.sightings)
        self.messages.merge(other.messages)


def nearest_numbers(low: Unsigned, near: int) -> Unsigned:
    """As `numbers.nearest_number`, for many; `near` is where the SA was before them."""
    half, whole = np.uint64(1 << 31), np.uint64(1 << 32)
    base = np.uint64(near & ~0xFFFFFFFF)
    same = low | base
    at = np.uint64(near)
    up = (same < at) & (at - same > half) & (same < np.uint64((1 << 64) - (1 << 32)))
    down = (same > at) & (same - at > half) & (same >= whole)
    return np.where(up, same + whole, np.where(down, same - whole, same))


def _tells(frame: Frame, found: Found) -> bool:
    """Whether there is something to see in a frame: opened, if it is protected, and with enough of IP in it."""
    if found.kind == census.CLEARTEXT:
        return frame.link_type != ETHERNET or tells(frame.octets[12:])
    if found.outcome == census.AUTHENTICATED and census.PROTOCOL_OF[found.kind] == "macsec":
        return tells(found.content[12:])
    return found.outcome in (None, census.AUTHENTICATED)


def tells(octets: bytes) -> bool:
    """Whether an Ethernet frame's octets from behind the addresses on are those of an IP packet worth a look."""
    start = 0
    if len(octets) < _WORTH_A_LOOK:
        return False
    while octets[start : start + 2] in _TAGS:
        start += 4
    return octets[start : start + 2] in (b"\x08\x00", b"\x86\xdd")


def _body(sight: Sight, kind: int, octets: bytes) -> tuple[int, int | None]:
    """The octets of a frame whose spread is told: without what stands before the ciphertext, and without the ICV."""
    if kind in (census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY):
        return sight.start + (14 if octets[sight.start] & _SC else 6), sight.end - _ICV
    if kind in (census.ESP, census.ESP_NULL):
        return sight.start + _ESP_HEADER + _LONGEST_IV, sight.end - _ICV
    return 34, None
