"""Outbound processing (RFC 4301 5.1, RFC 4303 3.3): IP packets to ESP packets.

A hot file: neighbours of one length and one SA are sealed as columns, all others one by one.
"""

from __future__ import annotations

from typing import Final, final

import numpy as np

from dataplane.batch import Batch, run_end
from dataplane.errors import LocalError
from dataplane.esp.answers import Answers
from dataplane.esp.columns import OUTBOUND
from dataplane.esp.counters import DiscardReason, EspCounters
from dataplane.esp.decisions import Decision, Decisions
from dataplane.esp.events import EventQueue
from dataplane.esp.flow import PLAIN_TRANSPORT, TCP, UDP, flow_of, flow_or_none, glance
from dataplane.esp.layout import LEAST_RUN, LayoutCache
from dataplane.esp.mend import clamp_mss, is_syn
from dataplane.esp.outcomes import Flight
from dataplane.esp.sa import OutboundSa
from dataplane.esp.sad import Sad
from dataplane.esp.seal import HALF
from dataplane.esp.shape import trailer
from dataplane.esp.tunnel import DontFragment
from dataplane.wire.esp import HEADER_OCTETS

_NEXT_HEADER: Final = {4: 4, 6: 41}  # RFC 4303 2.6: IP in IP, IPv6 in IP
_LONGEST_HEADERS: Final = 54  # what a run looks at: IPv6 and TCP up to its flags
_NOBODY: Final = ("", 0, False)


@final
class Encapsulation:
    """The sending half of an engine. It seals; what it decides by is in `decisions` and `sad`."""

    __slots__ = (
        "_answers", "_count", "_counters", "_decisions", "_events", "_first", "_flights", "_layouts", "_leaving",
        "_sad", "_touched",
    )  # fmt: skip

    def __init__(
        self, decisions: Decisions, sad: Sad, answers: Answers, counters: EspCounters, events: EventQueue
    ) -> None:
        self._decisions: Final = decisions
        self._sad: Final = sad
        self._answers: Final = answers
        self._counters: Final = counters
        self._events: Final = events
        self._layouts: Final = LayoutCache(sealing=True)
        self._flights: list[Flight] = []
        self._leaving = _NOBODY  # what the flight that is still growing has in common
        self._first = self._count = 0
        self._touched: Final[set[OutboundSa]] = set()

    def batch(self, clear: Batch, wire: Batch, now: float, bypass: Batch | None) -> tuple[Flight, ...]:
        """Fill `wire` with the packets of `clear` that are protected, `bypass` with those that need not be."""
        count = clear.count
        if count > wire.slots or clear is wire:
            raise LocalError(f"{count} packets need another batch of as many slots, not one of {wire.slots}")
        lengths = clear.lengths
        start = slot = 0
        while start < count:
            end = run_end(lengths, start, count)
            while start < end:
                done = self._run(clear, wire, start, end, slot) if end - start >= LEAST_RUN else 0
                if done:
                    start, slot = start + done, slot + done
                    continue
                for index in range(start, min(start + LEAST_RUN, end)):
                    packet = clear.views[index][: lengths[index]]
                    result = self.packet(packet, wire.views[slot], slot, now)
                    if result is None:
                        self._let_go(packet, bypass, now)
                    elif not isinstance(result, DiscardReason):
                        wire.lengths[slot] = result
                        slot += 1
                start = min(start + LEAST_RUN, end)
        wire.count = slot
        return self.finish(now)

    def finish(self, now: float) -> tuple[Flight, ...]:
        """The flights of all packets sealed since the last time; the SAs that sealed them are looked at."""
        for sa in self._touched:
            self._sad.look_at(sa, now)
        self._touched.clear()
        self._close_flight()
        flights, self._flights = tuple(self._flights), []
        return flights

    def _run(self, clear: Batch, wire: Batch, start: int, end: int, slot: int) -> int:
        """Seal packets of one length from `start` on; give how many. None, where the first has anything unusual."""
        octets = clear.lengths[start]
        seen = glance(clear.views[start][:octets])
        if seen is None:
            return 0
        (protocol, _), total, tos, dont_fragment = seen
        if total != octets or protocol not in (TCP, UDP):
            return 0
        version = clear.views[start][0] >> 4
        columns = OUTBOUND[version]
        rows = clear.rows[start:end, :_LONGEST_HEADERS]
        rows = rows[: columns.alike(rows)]
        sa, count = self._one_sa(columns.keys(rows, protocol), len(rows), clear, start)
        if sa is None or count < LEAST_RUN:
            return 0
        shape, tunnel = sa.shape, sa.tunnel
        if octets > sa.inner_mtu or shape.packet(octets) + shape.slack > wire.size:
            return 0
        if tunnel.greatest_mss is not None and protocol == TCP and columns.any_syn(rows[:count]):
            return 0

        first, text, packet = sa.next_sequence, shape.text(octets), shape.packet(octets)
        count = sa.take(count, text)
        if not count:
            return 0
        filled = slice(slot, slot + count)
        if start == slot and self._layouts.has_room(clear, shape, text):
            layout = self._layouts.layout(wire, shape, packet, clear)
        else:
            layout = self._layouts.layout(wire, shape, packet)
            layout.texts[filled, :octets] = clear.rows[start : start + count, :octets]
        layout.texts[filled, octets:] = np.frombuffer(trailer(shape.padding(octets), _NEXT_HEADER[version]), np.uint8)
        layout.spis[filled] = sa.parameters.spi
        layout.sequences[filled] = layout.steps[:count] + np.uint32(first % HALF)
        sa.sealer.run(layout, filled, first)
        wire.lengths[filled] = [packet] * count
        self._sealed(sa, slot, count, octets, tos, dont_fragment)
        return count

    def _one_sa(
        self, keys: list[tuple[int, bytes]], count: int, clear: Batch, start: int
    ) -> tuple[OutboundSa | None, int]:
        """The SA of a run's first packet, and how many packets from there on it protects."""
        decide, views = self._decisions.of_key, clear.views
        sa = decide(keys[0], views[start]).sa
        if len(keys) > 1:
            for index, key in enumerate(keys):
                if decide(key, views[start + index]).sa is not sa:
                    return sa, index
        return sa, count

    def packet(self, packet: memoryview, out: memoryview, slot: int, now: float) -> int | DiscardReason | None:
        """Write one packet, sealed, to the start of `out`, which is slot `slot`; give its length. None: bypass."""
        looked = self._look(packet)
        if looked is None:
            return self._discard(DiscardReason.OUT_BAD_PACKET, packet, now)
        decision, total, tos, dont_fragment, syn = looked
        sa = decision.sa
        if sa is None:
            return self._without_sa(decision, packet, now)
        packet = packet[:total]
        shape, tunnel, version = sa.shape, sa.tunnel, packet[0] >> 4
        if total > sa.inner_mtu and dont_fragment and self._is_too_big(sa, packet, now):
            return self._discard(DiscardReason.OUT_TOO_BIG, packet, now)
        length, text = shape.packet(total), shape.text(total)
        if length + shape.slack > len(out):
            return self._discard(DiscardReason.OUT_TOO_LONG, packet, now)

        sequence = sa.next_sequence
        if not sa.take(1, text):
            self._sad.expire(sa, sa.spent)
            self._touched.discard(sa)
            return self.packet(packet, out, slot, now)
        inner: memoryview | bytearray = packet
        if syn is not None and tunnel.greatest_mss is not None:
            inner = _with_mss(sa, packet, syn)
        out[:HEADER_OCTETS] = sa.spi_octets + (sequence % HALF).to_bytes(4, "big")
        end = trailer(shape.padding(total), _NEXT_HEADER[version])
        sa.sealer.one(b"".join((inner, end)), sequence, out[: length + shape.slack])
        self._sealed(sa, slot, 1, total, tos, dont_fragment)
        return length

    def _look(self, packet: memoryview) -> tuple[Decision, int, int, bool, int | None] | None:
        """The decision for a packet, its length, TOS and don't-fragment, and where a SYN's TCP header starts."""
        seen = glance(packet)
        if seen is not None:
            key, total, tos, dont_fragment = seen
            protocol = key[0]
            transport: int | None = PLAIN_TRANSPORT[packet[0] >> 4]
            decision = self._decisions.of_key(key, packet)
        else:
            flow = flow_or_none(packet)
            if flow is None:
                return None
            total, tos, dont_fragment = flow.total_length, flow.tos, flow.dont_fragment
            protocol, transport = flow.protocol, flow.transport
            decision = self._decisions.of_flow(flow)
        is_open = protocol == TCP and transport is not None and is_syn(packet, transport)
        return decision, total, tos, dont_fragment, transport if is_open else None

    def _sealed(self, sa: OutboundSa, slot: int, count: int, octets: int, tos: int, dont_fragment: bool) -> None:
        """Count packets of so many octets, and put them on the last flight or on a new one."""
        self._counters.out_packets += count
        self._counters.out_octets += count * octets
        self._touched.add(sa)
        tunnel = sa.tunnel
        tos = tunnel.outer_tos(tos)
        dont_fragment = tunnel.outer_dont_fragment(dont_fragment, octets <= sa.inner_mtu)
        leaving = (tunnel.name, tos, dont_fragment)
        if leaving != self._leaving:
            self._close_flight()
            self._leaving, self._first = leaving, slot
        self._count += count

    def _close_flight(self) -> None:
        if self._count:
            tunnel, tos, dont_fragment = self._leaving
            self._flights.append(
                Flight(first=self._first, count=self._count, tunnel=tunnel, tos=tos, dont_fragment=dont_fragment)
            )
        self._leaving, self._count = _NOBODY, 0

    def _without_sa(self, decision: Decision, packet: memoryview, now: float) -> DiscardReason | None:
        if decision.reason is None:
            return None
        if decision.reason is DiscardReason.OUT_NO_SA and decision.entry is not None:
            self._decisions.acquire(decision.entry, packet, now)
        return self._discard(decision.reason, packet, now)

    def _is_too_big(self, sa: OutboundSa, packet: memoryview, now: float) -> bool:
        """RFC 4301 8.1, 8.2: a packet that must not be fragmented, on a tunnel that keeps to that, is not sent."""
        if sa.tunnel.dont_fragment is DontFragment.CLEAR:
            return False
        mtu = sa.tunnel.told_mtu(packet[0] >> 4, sa.shape)
        if len(packet) <= mtu:
            return False
        if self._answers.too_big(packet, flow_of(packet), mtu, now):
            self._counters.errors_sent += 1
        return True

    def _let_go(self, packet: memoryview, bypass: Batch | None, now: float) -> None:
        if bypass is None or bypass.count == bypass.slots or len(packet) > bypass.size:
            self._discard(DiscardReason.OUT_NO_BYPASS, packet, now)
        else:
            bypass.append(packet)
            self._counters.bypassed_packets += 1

    def _discard(self, reason: DiscardReason, packet: memoryview, now: float) -> DiscardReason:
        self._counters.discarded[reason] += 1
        self._events.audit(reason, now, packet=packet)
        return reason


def _with_mss(sa: OutboundSa, packet: memoryview, transport: int) -> memoryview | bytearray:
    """The packet, a SYN whose TCP header is at `transport`, with its MSS brought down."""
    mss = sa.tunnel.mss(packet[0] >> 4, sa.shape)
    if mss is None:
        return packet
    mended = bytearray(packet)
    clamp_mss(mended, transport, mss)
    return mended
