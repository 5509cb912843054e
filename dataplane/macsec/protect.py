"""Frame generation (802.1AE-2018 10.5): clear frames to wire ones. A hot file: runs as columns, the rest singly."""

from __future__ import annotations

from typing import Final, final

import numpy as np

from dataplane.batch import Batch, run_end
from dataplane.errors import LocalError
from dataplane.macsec.association import TransmitSa
from dataplane.macsec.channel import TransmitChannel
from dataplane.macsec.controls import Controls
from dataplane.macsec.counters import DiscardReason, SecyCounters
from dataplane.macsec.layout import LEAST_RUN, PN_OFFSET, LayoutCache, compact
from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS
from dataplane.wire.sectag import ICV_OCTETS, short_length

_HALF: Final = 1 << 32


@final
class Protection:
    """The transmitting half of a SecY."""

    __slots__ = ("_channel", "_controls", "_counters", "_layouts")

    def __init__(self, channel: TransmitChannel, controls: Controls, counters: SecyCounters) -> None:
        self._channel: Final = channel
        self._controls: Final = controls
        self._counters: Final = counters
        self._layouts: Final = LayoutCache()

    def batch(self, clear: Batch, wire: Batch) -> None:
        """Fill `wire` with the frames of `clear`, protected, in order; a discarded one leaves no gap."""
        count = clear.count
        if count > wire.slots or clear is wire:
            raise LocalError(f"{count} frames need another batch of as many slots, not one of {wire.slots}")
        lengths, filled = clear.lengths, wire.lengths
        start, gaps = 0, False
        while start < count:
            end = run_end(lengths, start, count)
            if end - start >= LEAST_RUN:
                start += self._run(clear, wire, start, end)
            for index in range(start, end):
                result = self.frame(clear.views[index][: lengths[index]], wire.views[index])
                if isinstance(result, DiscardReason):
                    gaps, result = True, 0
                filled[index] = result
            start = end
        wire.count = count
        if gaps:
            compact(wire, count)

    def _run(self, clear: Batch, wire: Batch, start: int, end: int) -> int:
        """Protect frames of one length; give how many were, from `start` on. None, where there is anything unusual."""
        generation, sa = self._controls.generation, self._channel.encoding_sa
        octets = clear.lengths[start]
        if sa is None or not sa.in_use or not generation.protect_frames or octets < HEADER_OCTETS:
            return 0
        tag_octets = len(sa.tag)
        wire_octets = octets + tag_octets + ICV_OCTETS
        if wire_octets > generation.room(wire.size):
            return 0

        user_octets = octets - ADDRESSES_OCTETS
        covered = sa.covered(user_octets)
        layout = self._layouts.layout(
            clear, wire, clear_octets=octets, tag_octets=tag_octets, covered=covered, frames=end - start
        )
        if layout is None:
            return 0

        first = sa.next_pn
        count = sa.take(min(end - start, _HALF - first % _HALF))  # the upper half of the PNs stays the same
        rows = slice(start, start + count)
        tag = bytearray(sa.tag)
        tag[3] = short_length(user_octets)
        low_pns = layout.steps[:count] + first % _HALF
        columns, tag_end = wire.rows[rows], ADDRESSES_OCTETS + tag_octets
        columns[:, :ADDRESSES_OCTETS] = clear.rows[rows, :ADDRESSES_OCTETS]
        columns[:, ADDRESSES_OCTETS:tag_end] = np.frombuffer(tag, np.uint8)
        layout.pns[rows] = low_pns
        if covered:
            columns[:, tag_end : tag_end + covered] = clear.rows[rows, ADDRESSES_OCTETS : ADDRESSES_OCTETS + covered]
        layout.write_nonces(rows, sa.nonces, first, low_pns)

        seal_into = sa.aead.seal_into
        for nonce, plain, aad, sealed in layout.seals[rows]:
            seal_into(nonce, plain, aad, sealed)
        wire.lengths[rows] = [wire_octets] * count
        self._count(sa, count, user_octets)
        return count

    def frame(self, frame: memoryview, out: memoryview) -> int | DiscardReason:
        """Write one frame, protected, to the start of `out`, which is the slot it goes to; give its length."""
        counters, generation, sa = self._counters, self._controls.generation, self._channel.encoding_sa
        octets, room = len(frame), generation.room(len(out))
        if octets < HEADER_OCTETS:
            counters.ifOutErrors += 1
            return DiscardReason.IF_OUT_ERRORS
        if not generation.protect_frames:  # 802.1AE-2018 10.5
            if octets > room:
                counters.OutPktsTooLong += 1
                return DiscardReason.OUT_PKTS_TOO_LONG
            out[:octets] = frame
            counters.OutPktsUntagged += 1
            return octets
        if sa is None or not sa.in_use:
            counters.ifOutDiscards += 1
            return DiscardReason.IF_OUT_DISCARDS
        tag_end = ADDRESSES_OCTETS + len(sa.tag)
        wire_octets = octets + len(sa.tag) + ICV_OCTETS
        if wire_octets > room:  # 802.1AE-2018 10.5
            counters.OutPktsTooLong += 1
            return DiscardReason.OUT_PKTS_TOO_LONG

        pn = sa.next_pn
        sa.take(1)
        user_octets = octets - ADDRESSES_OCTETS
        covered = sa.covered(user_octets)
        aad_end = tag_end + covered
        out[:ADDRESSES_OCTETS] = frame[:ADDRESSES_OCTETS]
        out[ADDRESSES_OCTETS:tag_end] = sa.tag
        out[PN_OFFSET - 1] = short_length(user_octets)
        out[PN_OFFSET : PN_OFFSET + 4] = (pn % _HALF).to_bytes(4, "big")
        out[tag_end:aad_end] = frame[ADDRESSES_OCTETS : ADDRESSES_OCTETS + covered]
        sa.aead.seal_into(
            sa.nonces.nonce(pn), frame[ADDRESSES_OCTETS + covered :], out[:aad_end], out[aad_end:wire_octets]
        )
        self._count(sa, 1, user_octets)
        return wire_octets

    def _count(self, sa: TransmitSa, frames: int, user_octets: int) -> None:
        """Count so many frames of one length (802.1AE-2018 10.7.18, 10.7.19)."""
        counters = self._channel.counters
        if sa.sak.confidentiality:
            sa.counters.OutPktsEncrypted += frames
            counters.OutPktsEncrypted += frames
            counters.OutOctetsEncrypted += frames * user_octets
        else:
            sa.counters.OutPktsProtected += frames
            counters.OutPktsProtected += frames
            counters.OutOctetsProtected += frames * user_octets
