"""The ESP engine: SAD, SPD and the two ways through them, behind one door. Octets, a clock reading and entropy go in.

A slot of a clear batch holds one IP packet. A slot of a wire batch holds one ESP packet from its SPI on, which is the
payload of UDP port 4500 or of IP protocol 50: outer headers are the caller's, who sends through a socket that writes
them. What goes into them comes with each `Flight`.

A clear batch with a headroom of `layout.GREATEST_HEAD`, and slots that are longer than its packets by the padding and
trailer, spares a copy: what lies around its packets is then written over, and slots that are not in use may hold the
text of what failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, final

from dataplane.batch import Batch
from dataplane.esp.answers import Answers
from dataplane.esp.counters import DiscardReason, EspCounters
from dataplane.esp.decapsulate import Decapsulation
from dataplane.esp.decisions import Decisions
from dataplane.esp.encapsulate import Encapsulation
from dataplane.esp.events import EspEvent, EventQueue
from dataplane.esp.flow import Octets, flow_or_none
from dataplane.esp.outcomes import Accepted, Bypassed, Discarded, Flight, Protected, Received, Sent
from dataplane.esp.sad import Sad
from dataplane.esp.spd import Action, Spd, SpdEntry

_GREATEST_PACKET: Final = 65536


@final
class EspEngine:
    """ESP in tunnel mode for one gateway.

    SAs come and go through `sad`, policy through `spd`; `counters` tell what became of all packets. Errors to senders
    on the protected side come from `ipv4` and `ipv6`, the gateway's own addresses there.
    """

    __slots__ = ("_answers", "_decapsulation", "_encapsulation", "_events", "_out", "counters", "sad", "spd")

    def __init__(
        self, entries: Iterable[SpdEntry] = (), *, ipv4: IPv4Address | None = None, ipv6: IPv6Address | None = None
    ) -> None:
        self._events: Final = EventQueue()
        self._answers: Final = Answers(ipv4, ipv6)
        self.spd: Final = Spd(entries)
        self.sad: Final = Sad(self._events)
        self.counters: Final = EspCounters()
        decisions = Decisions(self.spd, self.sad, self._events)
        self._encapsulation: Final = Encapsulation(decisions, self.sad, self._answers, self.counters, self._events)
        self._decapsulation: Final = Decapsulation(self.sad, self.counters, self._events)
        self._out: Final = memoryview(bytearray(_GREATEST_PACKET))

    def encapsulate(self, clear: Batch, wire: Batch, now: float, bypass: Batch | None = None) -> tuple[Flight, ...]:
        """Fill `wire` with ESP packets for the IP packets of `clear`, in order; it may hold fewer.

        IP packets that policy lets go as they are go to `bypass`, if there is one. The flights cover all slots in use.

        Raises:
            LocalError: `wire` has fewer slots than there are packets.
        """
        self._look(now)
        if bypass is not None:
            bypass.clear()
        return self._encapsulation.batch(clear, wire, now, bypass)

    def decapsulate(
        self, wire: Batch, clear: Batch, now: float, outer_tos: Sequence[int] | None = None
    ) -> Mapping[int, int]:
        """Fill `clear` with the IP packets of the ESP packets of `wire`, in order; it may hold fewer.

        `outer_tos` has the TOS octet of each outer header, where the caller knows them: congestion marked there goes on
        inside (RFC 6040). For each SPI of which a packet came that was ahead of all before, the slot of the latest one
        is given: the address it came from is where the peer now is (RFC 7296 2.23).

        Raises:
            LocalError: `clear` has fewer slots than there are packets, or `outer_tos` fewer octets.
        """
        self._look(now)
        return self._decapsulation.batch(wire, clear, now, outer_tos)

    def encapsulate_packet(self, packet: Octets, now: float) -> Sent:
        """What becomes of one IP packet from the protected side."""
        self._look(now)
        result = self._encapsulation.packet(memoryview(packet), self._out, 0, now)
        flights = self._encapsulation.finish(now)
        if result is None:
            self.counters.bypassed_packets += 1
            return Bypassed(bytes(packet))
        if isinstance(result, DiscardReason):
            return Discarded(result)
        return Protected(bytes(self._out[:result]), flights[0])

    def decapsulate_packet(self, packet: Octets, now: float, outer_tos: int = 0) -> Received:
        """What becomes of one ESP packet, from its SPI on."""
        self._look(now)
        result = self._decapsulation.packet(memoryview(packet), self._out, 0, now, outer_tos)
        self._decapsulation.finish(now)
        return Discarded(result) if isinstance(result, DiscardReason) else Accepted(bytes(self._out[:result]))

    def admit(self, packet: Octets, now: float) -> Received:
        """What becomes of one IP packet that arrives from outside without protection (RFC 4301 5.2 step 3b)."""
        flow = flow_or_none(packet)
        entry = None if flow is None else self.spd.inbound(flow)
        if entry is not None and entry.action is Action.BYPASS:
            self.counters.bypassed_packets += 1
            return Accepted(bytes(packet))
        self.counters.discarded[DiscardReason.IN_UNPROTECTED] += 1
        self._events.audit(DiscardReason.IN_UNPROTECTED, now, packet=packet)
        return Discarded(DiscardReason.IN_UNPROTECTED)

    def next_error(self) -> bytes | None:
        """The next ICMP error for a sender on the protected side, a whole IP packet; None when none waits."""
        return self._answers.next()

    def next_event(self) -> EspEvent | None:
        """The oldest event that was not yet taken; None when there is none."""
        return self._events.next()

    @property
    def events_lost(self) -> int:
        """How many audits and acquires were counted only, because too many waited."""
        return self._events.lost

    def next_timeout(self) -> float:
        """When `handle_timer` is to be called next; infinite when there is no need."""
        return self.sad.deadline

    def handle_timer(self, now: float) -> None:
        """Tell which SAs have reached a limit in seconds; those at the hard one are gone (RFC 4301 4.4.2.1)."""
        self._look(now)

    def _look(self, now: float) -> None:
        if now >= self.sad.deadline:
            self.sad.look_at_all(now)
