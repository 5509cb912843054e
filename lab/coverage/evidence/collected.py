"""All collectors of one capture, and the few places where observation feeds them."""

from __future__ import annotations

from typing import Final, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.capture.frame import ETHERNET, Frame
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.columns import Octets
from lab.coverage.evidence.ledger import Ledger
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
_WORTH_A_LOOK: Final = 96  # octets of a clear frame: then there is some content in it
_MORE_FOR_IPSEC: Final = 54
_MORE_FOR_MACSEC: Final = 44
_DATA: Final = frozenset({census.CLEARTEXT, census.ESP, census.ESP_NULL})
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
        self._sample(found.kind, frame, sight)

    def unit(self, found: Found, frame: int, time_ns: int, direction: str) -> None:
        """A unit is authentic."""
        if found.used is not None:
            self.ledger.unit(found.used, frame, time_ns, direction)

    def ike(self, octets: bytes, frame: int, time_ns: int, *, protected: bool) -> None:
        """An IKE message that is unprotected, or authentic and deciphered."""
        self.messages.add(Message(frame, time_ns, octets, protected))

    def run(self, burst: Burst, rows: Column, kinds: Octets, speakers: Column) -> None:
        """Rows of a burst have got their classes: whole Ethernet frames with IP in them, authentic if protected."""
        if not len(rows):
            return
        self.timeline.run(kinds, burst.times[rows])
        self.residue.run(burst, rows, speakers)
        for kind in np.flatnonzero(np.bincount(kinds)).tolist():
            first = int(rows[np.argmax(kinds == kind)])
            if self.specimens.wants(census.NAMES[kind], burst.first_number + first, telling=True):
                self._choose(kind, burst, rows[kinds == kind])
        sampled = are_sampled(burst.first_number + rows)
        for frame, kind in zip(burst.frames(rows[sampled]), kinds[sampled].tolist(), strict=True):
            self._sample(kind, frame, ethernet(frame.octets, frame.original_length))

    def _choose(self, kind: int, burst: Burst, rows: Column) -> None:
        """Offer the first of these frames, and the first that is worth a look."""
        key = census.NAMES[kind]
        self.specimens.offer(key, next(burst.frames(rows[:1])), telling=False)
        for frame in burst.frames(rows[burst.lengths[rows] >= _WORTH_A_LOOK]):
            if _has_enough(kind, frame):
                self.specimens.offer(key, frame, telling=True)
                return

    def _sample(self, kind: int, frame: Frame, sight: Sight) -> None:
        if is_sampled(frame.number) and kind in _SAMPLED:
            start, end = _body(sight, kind, frame.octets)
            self.randomness.sample(kind, frame.octets[start:end])

    def merge(self, other: Collected) -> None:
        """Add what the collectors say of the part that follows."""
        self.ledger.merge(other.ledger)
        self.timeline.merge(other.timeline)
        self.residue.merge(other.residue)
        self.randomness.merge(other.randomness)
        self.specimens.merge(other.specimens)
        self.sightings.merge(other.sightings)
        self.messages.merge(other.messages)


def _tells(frame: Frame, found: Found) -> bool:
    """Whether there is something to see in a frame: opened, if it is protected, and with enough of IP in it."""
    if found.outcome not in (None, census.AUTHENTICATED):
        return False
    if found.kind in (census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY):
        inside = ethernet(found.content, len(found.content)).kind
        return inside in _DATA and _carries_ip(found.content) and _has_enough(found.kind, frame)
    if found.kind == census.CLEARTEXT and frame.link_type == ETHERNET and not _carries_ip(frame.octets):
        return False
    return _has_enough(found.kind, frame)


def _has_enough(kind: int, frame: Frame) -> bool:
    """Whether a frame is long enough to be worth a look."""
    if kind in (census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY):
        sight = ethernet(frame.octets, frame.original_length)
        return sight.end - sight.start >= _WORTH_A_LOOK + _MORE_FOR_MACSEC
    more = 0 if kind == census.CLEARTEXT else _MORE_FOR_IPSEC
    return kind not in _DATA or len(frame.octets) >= _WORTH_A_LOOK + more


def _carries_ip(octets: bytes) -> bool:
    """Whether an Ethernet frame carries an IP packet."""
    start = 12
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
