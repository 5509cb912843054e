"""A link that keys itself, over memory ports and under a virtual clock: both edges, each with its KaY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataplane.batch import Batch
from dataplane.macsec.association import TransmitSa
from lab.model.link import Link
from lab.nodes.edge import Edge
from lab.nodes.keyed import KeyedSecY, cak_of
from lab.ports.memory import MemoryPort
from lab.ports.port import Port
from lab.ports.tapped import TappedPort
from tests.path.path import SIZE, SLOTS, receive, send

EAPOL = b"\x88\x8e"


@dataclass(slots=True)
class Ears:
    """What the lab would hear of an end. A key that was handed in is on file when it is awaited."""

    events: list[dict[str, Any]] = field(default_factory=list)
    handed_in: list[Mapping[str, object]] = field(default_factory=list)
    on_file: list[Mapping[str, object]] = field(default_factory=list)

    def event(self, name: str, **fields: object) -> None:
        self.events.append({"event": name, **fields})

    def hand_in_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        self.handed_in += records

    def await_keys(self) -> None:
        self.on_file[:] = self.handed_in

    def names(self, *names: str) -> list[str]:
        """The events of these names, in their order."""
        return [event["event"] for event in self.events if event["event"] in names]


@dataclass(slots=True)
class End:
    """One end: where its kernel would be, its edge, its KaY, and what was heard of it."""

    host: MemoryPort
    common: Port
    edge: Edge
    keyed: KeyedSecY
    ears: Ears
    joined: bool = False


class KeyedPath:
    """Both ends, and all frames that passed between them as (sender, frame). Time passes only in `run`."""

    def __init__(self, link: Link, secrets: Mapping[str, bytes], wrap: Callable[[Port], Port] = lambda port: port):
        self.now = 100.0
        self.on_wire: list[tuple[str, bytes]] = []
        self.ends: dict[str, End] = {}
        clear, wire = Batch(SLOTS, SIZE), Batch(SLOTS, SIZE)
        for interface, common in zip(link.ends, MemoryPort.pair(), strict=True):
            self._add(link, interface.node, wrap(common), secrets, clear, wire)

    def _add(
        self, link: Link, node: str, wrapped: Port, secrets: Mapping[str, bytes], clear: Batch, wire: Batch
    ) -> None:
        policy = link.policy(node)
        assert policy is not None
        controlled, host = MemoryPort.pair()

        def saw(way: str, frame: memoryview) -> None:
            if way == "sent":
                self.on_wire.append((node, bytes(frame)))

        common = TappedPort(wrapped, lambda way, frame: saw(way.value, frame))
        ears = Ears()
        keyed = KeyedSecY(link, link.end(node), policy, cak_of(link, policy, secrets), common=common, teller=ears)
        edge = Edge(
            controlled=controlled,
            common=common,
            secy=keyed.secy,
            clear=clear,
            wire=wire,
            uncontrolled=keyed.receive,
            gate=keyed,
        )
        self.ends[node] = End(host, wrapped, edge, keyed, ears)

    def start(self, *nodes: str) -> None:
        """Have ends join, by default all."""
        for node in nodes or self.ends:
            self.ends[node].keyed.start(lambda: self.now)
            self.ends[node].joined = True

    def run(self, seconds: float = 0.0, each: Callable[[], None] | None = None, every: float = 0.01) -> None:
        """Let time pass; call `each` every so often. Frames take no time."""
        end, next_call = self.now + seconds, self.now
        while True:
            self._move()
            times = [end, *(when for each_end in self._joined() if (when := each_end.keyed.next_timeout()) is not None)]
            if each is not None:
                times.append(next_call)
            if min(times) >= end:
                self.now = end
                break
            self.now = max(self.now, min(times))
            for each_end in self._joined():
                when = each_end.keyed.next_timeout()
                if when is not None and when <= self.now:
                    each_end.keyed.handle_timer(self.now)
            if each is not None and next_call <= self.now:
                each()
                next_call += every
        self._move()

    def across(self, frames: list[bytes], *, sender: str) -> list[bytes]:
        """Send at one host, and give what arrives at the other."""
        send(self.ends[sender].host, frames)
        self.run()
        other = next(node for node in self.ends if node != sender)
        return receive(self.ends[other].host)

    @property
    def secured(self) -> bool:
        """Whether both ports are open, under one SAK."""
        if not all(end.keyed.is_open for end in self.ends.values()):
            return False
        sas = [self.sa(node) for node in self.ends]
        return len({sa.sak.key.reveal() for sa in sas}) == 1

    def sa(self, node: str) -> TransmitSa:
        """The SA that an end sends with."""
        sa = self.ends[node].keyed.secy.transmit.encoding_sa
        assert sa is not None
        return sa

    def clear_frames(self) -> list[bytes]:
        """What was on the wire and neither EAPOL nor protected."""
        return [frame for _, frame in self.on_wire if frame[12:14] not in (EAPOL, b"\x88\xe5")]

    def _joined(self) -> list[End]:
        return [end for end in self.ends.values() if end.joined]

    def _move(self) -> None:
        moved = True
        while moved:
            before = self._moved()
            for end in self._joined():
                while end.edge.outward():
                    pass
                if end.keyed.secy.next_event() is not None:
                    end.keyed.handle_timer(self.now)
                while end.edge.inward():
                    pass
            moved = self._moved() != before

    def _moved(self) -> int:
        ports = [port for end in self.ends.values() for port in (end.host, end.common)]
        return sum(port.counters.received + port.counters.sent + port.counters.receive_errors for port in ports)
