"""Inbound processing (RFC 4301 5.2, RFC 4303 3.4): ESP packets to IP packets.

The order is the standard's: SA, window, ICV, and only then the window is told and the text is looked at. A hot file:
neighbours of one length and one SA with rising numbers are opened as columns, and whenever such a run has anything
unusual in it, its packets one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from dataplane.antireplay import extend_esn
from dataplane.batch import Batch, run_end
from dataplane.errors import LocalError
from dataplane.esp.columns import INBOUND
from dataplane.esp.counters import AUDITED, DiscardReason, EspCounters
from dataplane.esp.decisions import GREATEST_MEMORY
from dataplane.esp.events import EventQueue, SaFirstUsed
from dataplane.esp.flow import PLAIN_TRANSPORT, TCP, UDP, Key, flow_of, flow_or_none, glance, matches
from dataplane.esp.layout import LEAST_RUN, Layout, LayoutCache, Octets
from dataplane.esp.mend import NOT_ECT, clamp_mss, is_syn, merged_ecn, set_ecn
from dataplane.esp.sa import InboundSa
from dataplane.esp.sad import Sad
from dataplane.esp.seal import HALF
from dataplane.esp.shape import PADDING, TRAILER_OCTETS
from dataplane.wire.esp import HEADER_OCTETS

_VERSION: Final = {4: 4, 41: 6}  # RFC 4303 2.6: IP in IP, IPv6 in IP
_NO_NEXT_HEADER: Final = 59
_LONGEST_HEADERS: Final = 54
_ECN_TO_CARRY: Final = 1  # of the four codepoints, ECT(1) and CE have this bit: they may change the inner one


@final
class Decapsulation:
    """The receiving half of an engine."""

    __slots__ = ("_counters", "_events", "_heard", "_layouts", "_sad")

    def __init__(self, sad: Sad, counters: EspCounters, events: EventQueue) -> None:
        self._sad: Final = sad
        self._counters: Final = counters
        self._events: Final = events
        self._layouts: Final = LayoutCache(sealing=False)
        self._heard: dict[InboundSa, int] = {}

    def batch(self, wire: Batch, clear: Batch, now: float, outer_tos: Sequence[int] | None) -> dict[int, int]:
        """Fill `clear` with the inner packets of `wire`, in order; give the slot of each SPI's most advanced packet."""
        count = wire.count
        if count > clear.slots or clear is wire:
            raise LocalError(f"{count} packets need another batch of as many slots, not one of {clear.slots}")
        if outer_tos is not None and len(outer_tos) < count:
            raise LocalError(f"{count} packets have as many outer TOS octets, not {len(outer_tos)}")
        lengths = wire.lengths
        start = slot = 0
        while start < count:
            end = run_end(lengths, start, count)
            while start < end:
                done = self._run(wire, clear, start, end, slot, now, outer_tos) if end - start >= LEAST_RUN else 0
                if done > 0:
                    start, slot = start + done, slot + done
                    continue
                # A run that was opened in vain is not tried again.
                stop = min(start + LEAST_RUN if done == 0 else start - done, end)
                for index in range(start, stop):
                    tos = NOT_ECT if outer_tos is None else outer_tos[index]
                    result = self.packet(wire.views[index][: lengths[index]], clear.views[slot], index, now, tos)
                    if not isinstance(result, DiscardReason):
                        clear.lengths[slot] = result
                        slot += 1
                start = stop
        clear.count = slot
        return self.finish(now)

    def finish(self, now: float) -> dict[int, int]:
        """The slots of the most advanced packets since the last time, by SPI; their SAs are looked at."""
        heard, self._heard = self._heard, {}
        for sa in heard:
            self._sad.look_at(sa, now)
        return {sa.parameters.spi: slot for sa, slot in heard.items() if slot >= 0}

    def _run(
        self, wire: Batch, clear: Batch, start: int, end: int, slot: int, now: float, outer_tos: Sequence[int] | None
    ) -> int:
        """Open packets of one length from `start` on; give how many.

        0: the first has something unusual. Less than 0: so many were opened, and none of it may be used.
        """
        octets = wire.lengths[start]
        if octets < HEADER_OCTETS:
            return 0
        spi = int.from_bytes(wire.views[start][:4], "big")
        sa = self._sad.inbound(spi)
        if sa is None or not sa.shape.is_possible(octets):
            return 0
        # Texts go where the inner packets are to be, if there is room around; nobody looks there until they count.
        in_place = start == slot and self._layouts.has_room(clear, sa.shape, octets - sa.shape.overhead)
        layout = self._layouts.layout(wire, sa.shape, octets, clear if in_place else None)
        numbers = _rising(layout, start, end, spi, sa)
        if numbers is None or (
            outer_tos is not None and any(tos & _ECN_TO_CARRY for tos in outer_tos[start : start + len(numbers)])
        ):
            return 0
        count = len(numbers)
        rows = slice(start, start + count)
        if not sa.opener.run(layout, rows, int(numbers[0]) // HALF):
            return -count
        texts = layout.texts[rows]
        inner = self._inner_octets(texts, sa)
        if inner < 0 or inner > clear.size:
            return -count
        if not in_place:
            clear.rows[slot : slot + count, :inner] = texts[:, :inner]
        clear.lengths[slot : slot + count] = [inner] * count
        sa.window.commit_rising(numbers)
        self._opened(sa, count, count * texts.shape[1], start + count - 1, now)
        self._counters.in_packets += count
        self._counters.in_octets += count * inner
        return count

    def _inner_octets(self, texts: Octets, sa: InboundSa) -> int:
        """The length of the inner packets, if all have the same and nothing else is unusual; below 0 otherwise."""
        count, text = texts.shape
        tails = texts[:, -TRAILER_OCTETS:].tobytes()
        padding, next_header = tails[0], tails[1]
        space = text - TRAILER_OCTETS - padding
        if tails != tails[:TRAILER_OCTETS] * count or next_header not in _VERSION or space < 0:
            return -1
        if padding and texts[:, space : space + padding].tobytes() != PADDING[:padding] * count:
            return -1
        seen = glance(texts[0, :space].tobytes())
        if seen is None or texts[0, 0] >> 4 != _VERSION[next_header]:
            return -1
        protocol, total = seen[0][0], seen[1]
        columns = INBOUND[_VERSION[next_header]]
        headers = texts[:, : min(space, _LONGEST_HEADERS)]
        if protocol not in (TCP, UDP) or columns.alike(headers) != count:
            return -1
        for index, key in enumerate(columns.keys(headers, protocol)):
            if not self._is_selected(sa, key, texts[index, :space].data):
                return -1
        if sa.tunnel.greatest_mss is not None and protocol == TCP and columns.any_syn(headers):
            return -1
        return total

    def packet(self, packet: memoryview, out: memoryview, slot: int, now: float, tos: int) -> int | DiscardReason:
        """Write the inner packet of one ESP packet, from slot `slot`, to the start of `out`; give its length."""
        if len(packet) < HEADER_OCTETS:
            return self._discard(DiscardReason.IN_TOO_SHORT, now)
        spi = int.from_bytes(packet[:4], "big")
        sequence = int.from_bytes(packet[4:8], "big")
        sa = self._sad.inbound(spi)
        if sa is None:  # RFC 4303 3.4.2
            return self._discard(DiscardReason.IN_NO_SA, now, spi=spi, sequence=sequence)
        if not sa.shape.is_possible(len(packet)):
            return self._discard(DiscardReason.IN_TOO_SHORT, now, sa=sa, sequence=sequence)
        if sa.shape.esn:
            sequence = extend_esn(sequence, sa.window.lowest)
        if not sa.window.check(sequence):  # RFC 4303 3.4.3
            return self._discard(DiscardReason.IN_REPLAYED, now, sa=sa, sequence=sequence)
        text = sa.opener.one(packet, sequence)
        if text is None:  # RFC 4303 3.4.4
            return self._discard(DiscardReason.IN_NOT_AUTHENTIC, now, sa=sa, sequence=sequence)
        is_ahead = sequence >= sa.window.next
        sa.window.commit(sequence)
        self._opened(sa, 1, len(text), slot if is_ahead else -1, now)
        inner = self._inner(sa, text, tos)
        if isinstance(inner, DiscardReason):
            return self._discard(inner, now, sa=sa, sequence=sequence, packet=text)
        if len(inner) > len(out):
            return self._discard(DiscardReason.IN_TOO_LONG, now, sa=sa, sequence=sequence, packet=text)
        out[: len(inner)] = inner
        self._counters.in_packets += 1
        self._counters.in_octets += len(inner)
        return len(inner)

    def _inner(self, sa: InboundSa, text: memoryview, tos: int) -> memoryview | bytearray | DiscardReason:
        """The inner packet of an authentic text, with what the tunnel mends (RFC 4303 2.4 to 2.7, RFC 4301 5.2)."""
        padding, next_header = text[-2], text[-1]
        space = len(text) - TRAILER_OCTETS - padding
        if space < 0 or text[space:-TRAILER_OCTETS] != PADDING[:padding]:
            return DiscardReason.IN_BAD_PADDING
        if next_header == _NO_NEXT_HEADER:
            return DiscardReason.IN_DUMMY
        if next_header not in _VERSION:
            return DiscardReason.IN_BAD_NEXT_HEADER
        packet = text[:space]  # the packet, and with it what may hide its length (RFC 4303 2.7)
        seen = glance(packet)
        if seen is not None:
            key, total, inner_tos, _ = seen
            protocol = key[0]
            transport: int | None = PLAIN_TRANSPORT[packet[0] >> 4]
            selected = self._is_selected(sa, key, packet)
        else:
            flow = flow_or_none(packet)
            if flow is None:
                return DiscardReason.IN_BAD_INNER_PACKET
            total, inner_tos, protocol, transport = flow.total_length, flow.tos, flow.protocol, flow.transport
            selected = matches(flow, sa.parameters.remote, sa.parameters.local)
        if packet[0] >> 4 != _VERSION[next_header]:
            return DiscardReason.IN_BAD_INNER_PACKET
        if not selected:
            return DiscardReason.IN_SELECTORS_MISMATCH
        packet = packet[:total]
        if not tos & _ECN_TO_CARRY and (sa.tunnel.greatest_mss is None or protocol != TCP or transport is None):
            return packet
        return _mended(sa, packet, inner_tos & 3, tos & 3, transport if protocol == TCP else None)

    def _is_selected(self, sa: InboundSa, key: Key, packet: memoryview) -> bool:
        """Whether a plain packet matches the SA's selectors (RFC 4301 5.2 step 4)."""
        selected = sa.verdicts.get(key)
        if selected is None:
            if len(sa.verdicts) >= GREATEST_MEMORY:
                sa.verdicts.clear()
            selected = sa.verdicts[key] = matches(flow_of(packet), sa.parameters.remote, sa.parameters.local)
        return selected

    def _opened(self, sa: InboundSa, count: int, octets: int, slot: int, now: float) -> None:
        """Count authentic packets with so much text; the last one, if it is the most advanced, lies in `slot`."""
        if sa.last_heard is None:
            self._events.tell(SaFirstUsed(tunnel=sa.tunnel.name, spi=sa.parameters.spi))
        sa.last_heard = now
        sa.age.add(count, octets)
        self._heard[sa] = slot if slot >= 0 else self._heard.get(sa, -1)

    def _discard(
        self, reason: DiscardReason, now: float, *, sa: InboundSa | None = None, spi: int | None = None,
        sequence: int | None = None, packet: memoryview | bytes = b"",
    ) -> DiscardReason:  # fmt: skip
        self._counters.discarded[reason] += 1
        if sa is not None:
            sa.discarded[reason] += 1
            spi = sa.parameters.spi
        if reason in AUDITED:
            self._events.audit(reason, now, spi=spi, sequence=sequence, packet=packet)
        return reason


def _rising(layout: Layout, start: int, end: int, spi: int, sa: InboundSa) -> NDArray[np.uint64] | None:
    """The numbers of the packets from `start` on that are of this SA and rise, all ahead of its window."""
    spis = layout.spis[start:end]
    foreign = spis != spi
    if foreign.any():
        end = start + int(foreign.argmax())
    lows = layout.sequences[start:end].astype(np.uint64)
    falling = lows[1:] <= lows[:-1]
    if falling.any():
        lows = lows[: int(falling.argmax()) + 1]
    if len(lows) < LEAST_RUN:
        return None
    first = low = int(lows[0])
    if sa.shape.esn:
        first = extend_esn(low, sa.window.lowest)
    return lows + np.uint64(first - low) if sa.window.check_rising(first) else None


def _mended(
    sa: InboundSa, packet: memoryview, inner_ecn: int, outer_ecn: int, transport: int | None
) -> memoryview | bytearray | DiscardReason:
    """The packet with congestion that was marked outside (RFC 6040 4.2), and the MSS of TCP's SYN brought down."""
    ecn = merged_ecn(inner_ecn, outer_ecn)
    if ecn is None:
        return DiscardReason.IN_CONGESTION_LOST
    mended = bytearray(packet)
    if ecn != inner_ecn:
        set_ecn(mended, ecn)
    mss = sa.tunnel.mss(packet[0] >> 4, sa.shape)
    if mss is not None and transport is not None and is_syn(packet, transport):
        clamp_mss(mended, transport, mss)
    return mended
