"""Observing a capture: every frame is classified, what is protected is opened, all is counted. Nothing is judged.

One pass, in bounded memory. This is the plain way, frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from lab.capture.frame import ETHERNET, Frame
from lab.coverage import census
from lab.coverage.classify import BY_LINK_TYPE, ethernet
from lab.coverage.directions import Directions, Tally
from lab.coverage.evidence.collected import Collected
from lab.coverage.evidence.sightings import READABLE
from lab.coverage.fragments import Datagram, Reassembly
from lab.coverage.internet import guess, transport
from lab.coverage.notes import Notes
from lab.coverage.opening import Openers
from lab.coverage.routing import Pairs, is_routing
from lab.coverage.sight import Found, Sight, forbidden
from lab.coverage.streams import Streams
from lab.coverage.tokens import Sighting, Tokens

_MOST_NESTED: Final = 4  # MACsec in MACsec


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The classes whose frames are to be named: outermost on the wire, and inside MACsec.

    `routing` has the addresses between which BGP and BFD are not to be.
    """

    outermost: frozenset[int] = census.CLEAR
    inside: frozenset[int] = frozenset()
    routing: Pairs = frozenset()


@dataclass(slots=True, kw_only=True)
class Observation:
    """What a capture was seen to hold. Lists are indexed by census class, units by outcome."""

    frames: int = 0
    octets: int = 0
    cut: int = 0
    class_frames: list[int] = field(default_factory=lambda: [0] * len(census.NAMES))
    class_octets: list[int] = field(default_factory=lambda: [0] * len(census.NAMES))
    inside_frames: list[int] = field(default_factory=lambda: [0] * len(census.NAMES))
    units: dict[str, list[int]] = field(default_factory=lambda: {name: [0, 0, 0] for name in census.PROTOCOLS})
    esp_incomplete: int = 0
    ike_incomplete: int = 0
    dropped: int = 0
    notes: Notes = field(default_factory=Notes)
    directions: Directions = field(default_factory=Directions)
    collected: Collected = field(default_factory=Collected)


class Waiting(NamedTuple):
    """A frame that is being looked at, or waits for the rest of its datagram."""

    number: int
    length: int
    tally: Tally
    time_ns: int


@final
class Observer:
    """Observes the frames of one capture, given one after the other."""

    def __init__(self, openers: Openers, *, tokens: Tokens, watch: Watch) -> None:
        self.openers: Final = openers
        self.seen: Final = Observation()
        self.watch: Final = watch
        self.tokens: Final = tokens
        self._streams: Final[Streams[Waiting]] = Streams(tokens)
        self._outermost: Final[Reassembly[Waiting]] = Reassembly()
        self._inside: Final[Reassembly[Waiting]] = Reassembly()
        self._now = 0
        self._link_type = ETHERNET

    def frame(self, frame: Frame) -> None:
        """Classify, open and count one frame."""
        number, octets, length, now, link_type, _, _ = frame
        seen = self.seen
        seen.frames += 1
        seen.octets += length
        self._now = now
        self._link_type = link_type
        waiting = Waiting(number, length, seen.directions.of(frame), now)
        seen.collected.frame(frame)
        sight = BY_LINK_TYPE[link_type](octets, length)
        if self.tokens and self.tokens.are_in(octets):
            found_here = self.tokens.found_in(octets)
            self._found_token(found_here, waiting, 0, readable=sight.kind == census.MACSEC_INTEGRITY_ONLY)
        cut = len(octets) < length
        if cut:
            seen.cut += 1
            seen.notes.add("cut", "cut by the snap length, so not to be authenticated", number)
        if sight.fragment is not None:
            self._collect(sight, octets, waiting, self._outermost, cut=cut)
        elif cut:
            self._count(Found(self.openers.kind(sight, octets), None, reason=sight.reason), waiting)
            waiting.tally.credit(sight.kind, 0)
        else:
            found = self.openers.open(sight, octets, link_type)
            if self._is_routing(found, octets):
                self._count_routing(found, waiting)
                return
            self._count(found, waiting)
            seen.collected.opened(frame, sight, found)
            self._across(sight, octets, waiting, 0)
            under = self._follow(found, (waiting,), 0)
            if under is not None:
                waiting.tally.credit(found.kind, under)

    def count(self, kind: int, numbers: list[int], octets: int) -> None:
        """Count frames that were classified elsewhere, and are authentic where they are protected."""
        seen = self.seen
        seen.frames += len(numbers)
        seen.octets += octets
        seen.class_frames[kind] += len(numbers)
        seen.class_octets[kind] += octets
        if kind in census.PROTOCOL_OF:
            seen.units[census.PROTOCOL_OF[kind]][census.AUTHENTICATED] += len(numbers)
        if kind in self.watch.outermost:
            seen.notes.add(census.NAMES[kind], "", *numbers)

    def count_inside(self, kind: int, numbers: list[int]) -> bool:
        """The same for what was inside MACsec; tells whether that was protected again."""
        seen = self.seen
        seen.inside_frames[kind] += len(numbers)
        if kind in self.watch.inside:
            seen.notes.add(f"inside-{census.NAMES[kind]}", "", *numbers)
        protected = kind in census.PROTOCOL_OF
        if protected:
            seen.units[census.PROTOCOL_OF[kind]][census.AUTHENTICATED] += len(numbers)
        return protected

    def finish(self) -> Observation:
        """Give up what has not become whole; give all that was seen."""
        for reassembly in (self._outermost, self._inside):
            for datagram in reassembly.finish():
                self._ended(datagram, reassembly)
        return self.seen

    def _is_routing(self, found: Found, octets: bytes | memoryview) -> bool:
        """Whether this is what the ends of the link may say to each other in clear."""
        return found.kind == census.CLEARTEXT and bool(self.watch.routing) and is_routing(octets, self.watch.routing)

    def _count_routing(self, found: Found, waiting: Waiting) -> None:
        """Put a frame into its class, and nothing more: it is not data, of which something is demanded."""
        self.seen.class_frames[found.kind] += 1
        self.seen.class_octets[found.kind] += waiting.length
        self.seen.notes.add("routing", "", waiting.number)
        waiting.tally.credit(census.CONTROL, 0)

    def _count(self, found: Found, waiting: Waiting) -> None:
        """Put one frame into its class."""
        kind = found.kind
        self.seen.class_frames[kind] += 1
        self.seen.class_octets[kind] += waiting.length
        self.seen.collected.classified(kind, waiting.time_ns)
        if kind in self.watch.outermost:
            self.seen.notes.add(census.NAMES[kind], "", waiting.number)
        if kind == census.MALFORMED:
            self.seen.notes.add("malformed", found.reason, waiting.number)
        elif found.outcome is None and found.reason:
            self.seen.notes.add("odd", found.reason, waiting.number)

    def _count_inside(self, found: Found, waiting: Waiting) -> None:
        """Put what was inside a MACsec frame into its class."""
        kind = found.kind
        self.seen.inside_frames[kind] += 1
        if kind in self.watch.inside:
            self.seen.notes.add(f"inside-{census.NAMES[kind]}", "", waiting.number)
        if kind == census.MALFORMED:
            self.seen.notes.add("inside-malformed", found.reason, waiting.number)

    def _follow(self, found: Found, waiting: tuple[Waiting, ...], under: int, depth: int = 0) -> int | None:
        """Count a unit's check and go on inside it; give the layers it was under, None where that is not known yet."""
        last, collected = waiting[-1], self.seen.collected
        if found.outcome is None:
            if found.kind == census.IKE and found.content:
                collected.ike(found.content, last.number, last.time_ns, protected=False)
            return under
        protocol = census.PROTOCOL_OF[found.kind]
        self.seen.units[protocol][found.outcome] += 1
        if found.outcome != census.AUTHENTICATED:
            last.tally.failed += found.outcome == census.FAILED
            code = f"{protocol}-{census.OUTCOMES[found.outcome].replace('_', '-')}"
            self.seen.notes.add(code, found.reason, *(each.number for each in waiting))
            return under
        collected.unit(found, last.number, last.time_ns, last.tally.label)
        if protocol == "macsec":
            return self._look_inside(found.content, last, depth + 1)
        if protocol == "ike":
            collected.ike(found.content, last.number, last.time_ns, protected=True)
        if protocol == "esp":
            under |= census.UNDER_IPSEC
            if self.tokens and self.tokens.are_in(found.content):
                self._found_token(self.tokens.found_in(found.content), last, under)
        return under

    def _look_inside(self, octets: bytes, waiting: Waiting, depth: int) -> int | None:
        """Classify and open what was inside MACsec; give the layers, None where a datagram is not whole yet."""
        under = census.UNDER_MACSEC
        if self.tokens and self.tokens.are_in(octets):
            self._found_token(self.tokens.found_in(octets), waiting, under)
        sight = ethernet(octets, len(octets))
        if sight.fragment is not None:
            self._collect(sight, octets, waiting, self._inside, cut=False)
            return None
        if depth > _MOST_NESTED:
            return under
        found = self.openers.open(sight, octets, ETHERNET)
        if self._is_routing(found, octets):
            self.seen.inside_frames[found.kind] += 1
            self.seen.notes.add("routing", "", waiting.number)
            return None  # nothing is demanded of it
        self._count_inside(found, waiting)
        self._across(sight, octets, waiting, under)
        return self._follow(found, (waiting,), under, depth)

    def _collect(
        self, sight: Sight, octets: bytes, waiting: Waiting, reassembly: Reassembly[Waiting], *, cut: bool
    ) -> None:
        assert sight.fragment is not None
        piece = octets[sight.start : sight.end]
        for datagram in reassembly.add(sight.fragment, piece, cut=cut, now_ns=self._now, waiting=waiting):
            self._ended(datagram, reassembly)

    def _ended(self, datagram: Datagram[Waiting], reassembly: Reassembly[Waiting]) -> None:
        """A datagram is whole, or will never be: its frames get its class."""
        payload = datagram.payload()
        waiting = tuple(datagram.waiting)
        under = 0 if reassembly is self._outermost else census.UNDER_MACSEC
        found = self._open_datagram(datagram, payload, under)
        for each in waiting:
            if under:
                self._count_inside(found, each)
            else:
                self._count(found, each)
        if datagram.is_complete and found.kind == census.CLEARTEXT and self.tokens.are_in(payload):
            self._found_token(self.tokens.found_in(payload), waiting[-1], under)
        final = self._follow(found, waiting, under)
        for each in waiting:
            each.tally.credit(found.kind, under if final is None else final)

    def _open_datagram(self, datagram: Datagram[Waiting], payload: bytes, under: int) -> Found:
        first = datagram.first
        if datagram.conflict:
            return forbidden("IP fragments that contradict each other (RFC 5722 3)")
        if datagram.is_complete and not datagram.cut:
            sight = transport(payload, first.protocol, 0, len(payload), first.destination)
            self._across(sight, payload, datagram.waiting[-1], under)
            return self.openers.open(sight, payload, self._link_type)
        sight = guess(payload, first)
        kind = self.openers.kind(sight, payload)
        if not datagram.cut and kind in (census.ESP, census.ESP_NULL, census.IKE):
            protocol = census.PROTOCOL_OF[kind]
            self.seen.esp_incomplete += protocol == "esp"
            self.seen.ike_incomplete += protocol == "ike"
            numbers = (each.number for each in datagram.waiting)
            self.seen.notes.add(f"{protocol}-incomplete", "IP fragments whose datagram never became whole", *numbers)
        return Found(kind, None)

    def _across(self, sight: Sight, octets: bytes, waiting: Waiting, under: int) -> None:
        """Look for tokens that lie across the segments of a TCP connection."""
        if self.tokens and sight.kind == census.CLEARTEXT and sight.end:
            where = (under, sight.destination)
            for across in self._streams.segment(where, octets, sight.start, sight.end, waiting):
                self._found_token(across.found, across.who, under)

    def _found_token(self, found: Iterable[Sighting], waiting: Waiting, under: int, *, readable: bool = False) -> None:
        form = READABLE if readable else under
        self.seen.collected.sightings.add(found, form, waiting.tally.label, waiting.number, waiting.time_ns)
        if readable:
            waiting.tally.readable += 1
            self.seen.notes.add("token-readable", "", waiting.number)
        else:
            waiting.tally.tokens[under] += 1
            self.seen.notes.add(f"token-under-{under}", "", waiting.number)
