"""Frame verification (802.1AE-2018 10.6): wire frames to clear ones. A hot file: runs as columns, the rest singly."""

from __future__ import annotations

from typing import Final, final

import numpy as np

from dataplane.antireplay import extend_pn
from dataplane.batch import Batch, run_end
from dataplane.errors import IntegrityError, LocalError
from dataplane.macsec.association import ReceiveSa
from dataplane.macsec.channel import ReceiveChannel
from dataplane.macsec.controls import Controls, ValidateFrames
from dataplane.macsec.counters import DiscardReason, SecyCounters
from dataplane.macsec.layout import LEAST_RUN, PN_OFFSET, LayoutCache, compact
from dataplane.macsec.recognise import ETHER_TYPE, Recognition, same_tags
from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS
from dataplane.wire.sectag import ICV_OCTETS, SecTag


@final
class Validation:
    """The receiving half of a SecY."""

    __slots__ = ("_controls", "_counters", "_layouts", "_recognition")

    def __init__(self, recognition: Recognition, controls: Controls, counters: SecyCounters) -> None:
        self._recognition: Final = recognition
        self._controls: Final = controls
        self._counters: Final = counters
        self._layouts: Final = LayoutCache()

    def batch(self, wire: Batch, clear: Batch) -> None:
        """Fill `clear` with the frames of `wire` that are for the Controlled Port, in order, without gaps."""
        count = wire.count
        if count > clear.slots or clear is wire:
            raise LocalError(f"{count} frames need another batch of as many slots, not one of {clear.slots}")
        lengths, filled = wire.lengths, clear.lengths
        start = 0
        while start < count:
            end = run_end(lengths, start, count)
            while start < end:
                done = self._run(wire, clear, start, end) if end - start >= LEAST_RUN else 0
                if not done:
                    done = min(LEAST_RUN, end - start)
                    for index in range(start, start + done):
                        result = self.frame(wire.views[index][: lengths[index]], clear.views[index])
                        filled[index] = 0 if isinstance(result, DiscardReason) else result
                start += done
        clear.count = count
        if 0 in filled[:count]:
            compact(clear, count)

    def _run(self, wire: Batch, clear: Batch, start: int, end: int) -> int:
        """Verify frames of one length, one SA and rising PNs; give how many were, from `start` on.

        None, where there is anything unusual: `frame` knows what to do about it.
        """
        octets = wire.lengths[start]
        first = wire.views[start][:octets]
        if not HEADER_OCTETS <= octets <= clear.size or first[ADDRESSES_OCTETS:HEADER_OCTETS] != ETHER_TYPE:
            return 0
        checked = self._recognition.tag(first)
        if checked is None:
            return 0
        tag, user_octets = checked
        channel = self._recognition.channel(tag, first)
        sa = None if channel is None else channel.receiving_sa(tag.an)
        if channel is None or sa is None or not self._to_be_validated(tag):
            return 0
        count = same_tags(wire, tag, start, end)
        if count < LEAST_RUN:
            return 0
        rows = slice(start, start + count)
        return count if self._open_run(wire, clear, rows, tag, user_octets, channel, sa) else 0

    def _open_run(
        self,
        wire: Batch,
        clear: Batch,
        rows: slice,
        tag: SecTag,
        user_octets: int,
        channel: ReceiveChannel,
        sa: ReceiveSa,
    ) -> bool:
        """Check, open and commit a run; False, and nothing done, when its frames have to be looked at one by one."""
        octets, tag_end = ADDRESSES_OCTETS + user_octets, ADDRESSES_OCTETS + tag.length
        covered = _covered(sa, tag, user_octets)
        layout = self._layouts.layout(
            clear, wire, clear_octets=octets, tag_octets=tag.length, covered=covered, frames=rows.stop - rows.start
        )
        if layout is None:
            return False
        low_pns = layout.pns[rows].astype(np.uint32)
        first_pn, last_pn = _full_pn(sa, int(low_pns[0])), _full_pn(sa, int(low_pns[-1]))
        # Rising PNs with one upper half are recovered the same from the first frame's lowestPN as from their own.
        if first_pn >> 32 != last_pn >> 32 or not (low_pns[1:] > low_pns[:-1]).all():
            return False
        if not sa.window.check_rising(first_pn):
            return False

        columns = clear.rows[rows]
        columns[:, :ADDRESSES_OCTETS] = wire.rows[rows, :ADDRESSES_OCTETS]
        if covered:
            columns[:, ADDRESSES_OCTETS : ADDRESSES_OCTETS + covered] = wire.rows[rows, tag_end : tag_end + covered]
        layout.write_nonces(rows, sa.nonces, first_pn, low_pns)
        failed = sa.aead.open_each(layout.opens[rows])
        clear.lengths[rows] = [octets] * len(low_pns)
        pns = low_pns + np.uint64(first_pn >> 32 << 32)
        if failed:
            pns = np.delete(pns, failed)
            for position in failed:
                index = rows.start + position
                clear.lengths[index] = self._invalid(channel, sa, tag, clear.views[index], user_octets)
        if len(pns):
            sa.window.commit_rising(pns)  # 802.1AE-2018 10.6.5
            self._valid(channel, sa, tag, len(pns), user_octets)
        return True

    def frame(self, frame: memoryview, out: memoryview) -> int | DiscardReason:
        """Write one frame, verified, to the start of `out`, which is the slot it goes to; give its length."""
        if not HEADER_OCTETS <= len(frame) <= len(out):
            self._counters.ifInErrors += 1
            return DiscardReason.IF_IN_ERRORS
        if frame[ADDRESSES_OCTETS:HEADER_OCTETS] != ETHER_TYPE:
            return self._untagged(frame, out)
        checked = self._recognition.tag(frame)
        if checked is None:
            return self._bad_tag()
        tag, user_octets = checked
        channel = self._recognition.channel(tag, frame)
        sa = None if channel is None else channel.receiving_sa(tag.an)
        low_pn = int.from_bytes(frame[PN_OFFSET : PN_OFFSET + 4], "big")
        suite = self._controls.cipher_suite if sa is None else sa.sak.suite
        if low_pn == 0 and not suite.xpn:  # 802.1AE-2018 9.12 e)
            return self._bad_tag()
        if channel is None or sa is None:
            return self._no_sa(channel, tag, frame, out, user_octets)
        return self._verify(channel, sa, tag, low_pn, frame, out, user_octets)

    def _verify(
        self, channel: ReceiveChannel, sa: ReceiveSa, tag: SecTag, low_pn: int, frame: memoryview, out: memoryview,
        user_octets: int,
    ) -> int | DiscardReason:  # fmt: skip
        """Check, open and commit a frame whose SA there is."""
        pn = _full_pn(sa, low_pn)
        on_time = sa.window.check(pn)
        if not on_time and self._controls.verification.replay_protect:  # 802.1AE-2018 10.6.2
            channel.counters.InPktsLate += 1
            return DiscardReason.IN_PKTS_LATE
        if not self._to_be_validated(tag):  # 802.1AE-2018 10.6.3
            channel.counters.InPktsUnchecked += 1
            return _strip(tag, frame, out, user_octets)
        if not _open(sa, tag, pn, frame, out, user_octets):
            return self._invalid(channel, sa, tag, out, user_octets) or DiscardReason.IN_PKTS_NOT_VALID
        # 802.1AE-2018 10.6.4 checks the PN once more, for receivers that have several frames open at a time. Nothing
        # has moved this window since the first check.
        if on_time:
            sa.window.commit(pn)  # 802.1AE-2018 10.6.5
        self._valid(channel, sa, tag, 1, user_octets, on_time=on_time)
        return ADDRESSES_OCTETS + user_octets

    def _to_be_validated(self, tag: SecTag) -> bool:
        """Whether the ICV matters at all (802.1AE-2018 10.6.3)."""
        return tag.changed or self._controls.verification.validate_frames is not ValidateFrames.DISABLED

    def _tolerated(self, tag: SecTag) -> bool:
        """Whether a readable frame may pass although nothing vouches for it (802.1AE-2018 10.6)."""
        return not tag.changed and self._controls.verification.validate_frames is not ValidateFrames.STRICT

    def _untagged(self, frame: memoryview, out: memoryview) -> int | DiscardReason:
        if self._controls.verification.validate_frames is ValidateFrames.STRICT:  # 802.1AE-2018 10.6
            self._counters.InPktsNoTag += 1
            return DiscardReason.IN_PKTS_NO_TAG
        self._counters.InPktsUntagged += 1
        out[: len(frame)] = frame
        return len(frame)

    def _bad_tag(self) -> DiscardReason:
        self._counters.InPktsBadTag += 1
        return DiscardReason.IN_PKTS_BAD_TAG

    def _no_sa(
        self, channel: ReceiveChannel | None, tag: SecTag, frame: memoryview, out: memoryview, user_octets: int
    ) -> int | DiscardReason:
        """A frame of an unknown SC, or of an SA that is not there or not enabled (802.1AE-2018 10.6.1)."""
        if self._tolerated(tag):
            self._counters.InPktsNoSA += 1
            if channel is None:
                self._counters.InPktsUnknownSCI += 1
            else:
                channel.counters.InPktsUnusedSA += 1
                channel.sa_counters[tag.an].InPktsUnusedSA += 1
            return _strip(tag, frame, out, user_octets)
        self._counters.InPktsNoSAError += 1
        if channel is None:
            self._counters.InPktsNoSCI += 1
            return DiscardReason.IN_PKTS_NO_SCI
        channel.counters.InPktsNotUsingSA += 1
        channel.sa_counters[tag.an].InPktsNotUsingSA += 1
        return DiscardReason.IN_PKTS_NOT_USING_SA

    def _invalid(self, channel: ReceiveChannel, sa: ReceiveSa, tag: SecTag, out: memoryview, user_octets: int) -> int:
        """Count a frame whose ICV is wrong; give its length if it is delivered all the same, else 0 (10.6.4)."""
        octets = ADDRESSES_OCTETS + user_octets
        if self._tolerated(tag):
            channel.counters.InPktsInvalid += 1
            sa.counters.InPktsInvalid += 1
            return octets
        channel.counters.InPktsNotValid += 1
        sa.counters.InPktsNotValid += 1
        out[:octets] = bytes(octets)  # what a forger would like to see decrypted stays nowhere
        return 0

    def _valid(
        self,
        channel: ReceiveChannel,
        sa: ReceiveSa,
        tag: SecTag,
        frames: int,
        user_octets: int,
        *,
        on_time: bool = True,
    ) -> None:
        """Count so many valid frames of one length (802.1AE-2018 10.7.9, 10.7.10)."""
        counters = channel.counters
        if on_time:
            counters.InPktsOK += frames
            sa.counters.InPktsOK += frames
        else:
            counters.InPktsDelayed += frames
        if tag.encrypted:
            counters.InOctetsDecrypted += frames * user_octets
        else:
            counters.InOctetsValidated += frames * user_octets


def _full_pn(sa: ReceiveSa, low_pn: int) -> int:
    """The PN that a received low half stands for."""
    return extend_pn(low_pn, sa.window.lowest) if sa.sak.suite.xpn else low_pn


def _covered(sa: ReceiveSa, tag: SecTag, user_octets: int) -> int:
    """How many octets of the User Data are authenticated but readable, by what the frame says of itself."""
    return min(sa.sak.confidentiality_offset, user_octets) if tag.encrypted else user_octets


def _strip(tag: SecTag, frame: memoryview, out: memoryview, user_octets: int) -> int:
    """Write the frame without SecTAG and ICV, believing it; give its length."""
    octets, tag_end = ADDRESSES_OCTETS + user_octets, ADDRESSES_OCTETS + tag.length
    out[:ADDRESSES_OCTETS] = frame[:ADDRESSES_OCTETS]
    out[ADDRESSES_OCTETS:octets] = frame[tag_end : tag_end + user_octets]
    return octets


def _open(sa: ReceiveSa, tag: SecTag, pn: int, frame: memoryview, out: memoryview, user_octets: int) -> bool:
    """Write the frame without SecTAG and ICV, decrypted, and say whether its ICV is right."""
    covered = _covered(sa, tag, user_octets)
    octets, tag_end = ADDRESSES_OCTETS + user_octets, ADDRESSES_OCTETS + tag.length
    plain_from, aad_end = ADDRESSES_OCTETS + covered, tag_end + covered
    out[:ADDRESSES_OCTETS] = frame[:ADDRESSES_OCTETS]
    out[ADDRESSES_OCTETS:plain_from] = frame[tag_end:aad_end]
    sealed = frame[aad_end : tag_end + user_octets + ICV_OCTETS]
    try:
        sa.aead.open_into(sa.nonces.nonce(pn), sealed, frame[:aad_end], out[plain_from:octets])
    except IntegrityError:
        return False
    return True
