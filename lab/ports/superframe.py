"""Segmentation: a TCP super-frame that the kernel left whole (TSO), cut into the segments that belong on a wire.

The kernel hands over up to 64 KiB of one TCP connection under one set of headers, with the pseudo-header's sum in the
checksum field. Every segment gets those headers, its own lengths, IPv4 identification, sequence number and flags, and
real checksums. Many segments are made by columns, few one by one; both make the same octets.
"""

from __future__ import annotations

import struct
from typing import Final, final

import numpy as np

from dataplane.batch import Batch
from dataplane.errors import WireError
from lab.ports.checksum import fold, in_network_order, native_words, ones_complement_sum, row_sums, swap

# By columns, one segment costs about as much as thirty do: below this many, one by one is cheaper.
BY_COLUMNS: Final = 12

_INDEX: Final = np.arange(65536, dtype=np.uint32)
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_LAST_ONLY: Final = _FIN | _PSH
_ON_ALL: Final = 0xFF & ~_LAST_ONLY & ~_CWR
_WORD: Final = struct.Struct(">H")
# From an IPv4 header's identification on: that, flags and fragment offset, time to live and protocol, checksum.
_IPV4_FIELDS: Final = struct.Struct(">HHHH")
# From a TCP header's sequence number on: that, acknowledgement, data offset, flags, window, checksum.
_TCP_FIELDS: Final = struct.Struct(">IIBBHH")


@final
class SuperFrame:
    """One super-frame on its way into batches, segment by segment.

    `network` and `transport` say where the IP and the TCP header start, `mss` how many octets of payload a segment
    carries. The frame's octets stay the caller's, and must stay unchanged until the last segment has been taken.
    """

    __slots__ = (
        "_acknowledgement", "_fragment", "_frame", "_head", "_hop_limit", "_identification", "_is_ipv4", "_network_sum",
        "_next", "_offset", "_pseudo_sum", "_sequence", "_tcp_flags", "_transport_sum", "_window", "count",
        "header_octets", "mss", "network", "transport",
    )  # fmt: skip

    def __init__(self, frame: memoryview, *, network: int, transport: int, mss: int) -> None:
        """Read the headers.

        Raises:
            WireError: these are not the headers of a super-frame.
        """
        length = len(frame)
        if mss < 1 or transport + 20 > length or network + 20 > transport:
            raise WireError("a super-frame without room for its headers")
        version = frame[network] >> 4
        if version not in (4, 6) or (version == 6 and network + 40 > transport):
            raise WireError("a super-frame that is neither IPv4 nor IPv6")
        header_octets = transport + (frame[transport + 12] >> 4) * 4  # RFC 9293 3.1: data offset
        if not transport + 20 <= header_octets < length:
            raise WireError("a super-frame without payload, or with an impossible data offset")
        self._frame = frame
        self._is_ipv4 = version == 4
        self.network, self.transport, self.mss, self.header_octets = network, transport, mss, header_octets
        self.count = -(-(length - header_octets) // mss)
        self._next = 0
        head = bytearray(frame[:header_octets])
        self._head = head
        # The fields that differ from segment to segment: taken out of the common headers, and so out of their sums.
        self._identification, self._fragment, self._hop_limit = _IPV4_FIELDS.unpack_from(head, network + 4)[:3]
        tcp = _TCP_FIELDS.unpack_from(head, transport + 4)
        self._sequence, self._acknowledgement, self._offset, self._tcp_flags, self._window, partial = tcp
        _TCP_FIELDS.pack_into(head, transport + 4, 0, self._acknowledgement, self._offset, 0, self._window, 0)
        if self._is_ipv4:
            _WORD.pack_into(head, network + 2, 0)
            _IPV4_FIELDS.pack_into(head, network + 4, 0, self._fragment, self._hop_limit, 0)
        self._network_sum = ones_complement_sum(head[network:transport])
        # What the kernel left in the checksum field is the pseudo-header's sum for the whole TCP length.
        self._pseudo_sum = partial + 65535 - fold((length - transport >> 16) + (length - transport & 0xFFFF))
        self._transport_sum = self._pseudo_sum + ones_complement_sum(head[transport:])

    @property
    def is_done(self) -> bool:
        """Whether every segment has been taken."""
        return self._next == self.count

    @property
    def longest(self) -> int:
        """The octets of the longest segment, as a frame."""
        return min(self.header_octets + self.mss, len(self._frame))

    def fill(self, batch: Batch) -> int:
        """Append the next segments, as many as there are free slots; give their count. Slots have room for `longest`.

        The slots' size is even, so that a row ends with a whole word.
        """
        segments = min(self.count - self._next, batch.slots - batch.count)
        if segments >= BY_COLUMNS:
            self._fill_by_columns(batch, segments)
        else:
            self._fill_one_by_one(batch, segments)
        self._next += segments
        return segments

    def _fill_one_by_one(self, batch: Batch, segments: int) -> None:
        head, network, transport, header_octets = self._head, self.network, self.transport, self.header_octets
        sums = self._copy_payloads(batch, segments)
        index, slot = self._next, batch.count
        for payload_sum in sums:
            view = batch.views[slot]
            octets = batch.lengths[slot] - network
            view[:header_octets] = head
            # A sum is never 0 here, so that its negative modulo 65535 is what `finish` makes of it.
            if self._is_ipv4:
                identification = (self._identification + index) & 0xFFFF
                checksum = -(self._network_sum + octets + identification) % 65535
                _WORD.pack_into(view, network + 2, octets)
                _IPV4_FIELDS.pack_into(view, network + 4, identification, self._fragment, self._hop_limit, checksum)
            else:
                _WORD.pack_into(view, network + 4, octets - 40)
            sequence = (self._sequence + index * self.mss) & 0xFFFFFFFF
            flags = self._flags(index)
            total = self._transport_sum + octets + network - transport + payload_sum
            total += (sequence >> 16) + (sequence & 0xFFFF) + flags
            _TCP_FIELDS.pack_into(
                view, transport + 4,
                sequence, self._acknowledgement, self._offset, flags, self._window, -total % 65535,
            )  # fmt: skip
            index += 1
            slot += 1
        batch.count = slot

    def _flags(self, index: int) -> int:
        """A segment's TCP flags: the end's on the last one, CWR on the first one (RFC 3168 6.1.2)."""
        flags: int = self._tcp_flags
        if index + 1 < self.count:
            flags &= ~_LAST_ONLY
        return flags & ~_CWR if index else flags

    def _copy_payloads(self, batch: Batch, segments: int) -> list[int]:
        """Copy the payloads, each to its place, set the lengths, give the payloads' sums."""
        frame, header_octets, mss, views = self._frame, self.header_octets, self.mss, batch.views
        start = header_octets + self._next * mss
        first = batch.count
        for slot in range(first, first + segments):
            payload = frame[start : start + mss]
            batch.lengths[slot] = length = header_octets + len(payload)
            views[slot][header_octets:length] = payload
            start += mss
        last = first + segments - 1
        sums = []
        if segments > 1:
            # All payloads but the last one are equally long, so numpy's fixed cost is paid once.
            rows = slice(first, last)
            totals = row_sums(native_words(batch)[rows], header_octets, header_octets + mss)
            if mss & 1:
                totals += batch.rows[rows, header_octets + mss - 1] * np.uint32(swap(0x100))
            sums = [swap(fold(total)) for total in totals.tolist()]
        return [*sums, ones_complement_sum(views[last][header_octets : batch.lengths[last]])]

    def _fill_by_columns(self, batch: Batch, segments: int) -> None:
        network, transport, first, slot = self.network, self.transport, self._next, batch.count
        end = slot + segments
        rows = slice(slot, end)
        full, last = self._copy_octets(batch, rows)
        flags = self._tcp_flags & _ON_ALL
        more_at_first = self._flags(first) ^ flags
        more_at_last = self._flags(first + segments - 1) ^ flags

        sequences = _INDEX[first : first + segments] * np.uint32(self.mss) + np.uint32(self._sequence)
        batch.column(">u4", transport + 4)[rows] = sequences
        totals = in_network_order(row_sums(native_words(batch)[rows], self.header_octets, full + 1))
        totals += sequences
        totals += self._transport_sum + full - transport + flags
        totals[0] += more_at_first
        totals[-1] += more_at_last + last - full
        batch.column(">u2", transport + 16)[rows] = -totals % 65535
        batch.views[slot][transport + 13] |= more_at_first
        batch.views[end - 1][transport + 13] |= more_at_last

        if self._is_ipv4:
            identifications = _INDEX[first : first + segments] + np.uint32(self._identification) & np.uint32(0xFFFF)
            batch.column(">u2", network + 4)[rows] = identifications
            totals = identifications.astype(np.int64)
            totals += self._network_sum + full - network
            totals[-1] += last - full
            batch.column(">u2", network + 10)[rows] = -totals % 65535
        if last != full:
            _WORD.pack_into(batch.views[end - 1], network + (2 if self._is_ipv4 else 4), self._length_field(last))
        batch.lengths[rows] = [full] * (segments - 1) + [last]
        batch.count = end

    def _length_field(self, octets: int) -> int:
        """What the IP header of a segment of so many octets, as a frame, tells as its length."""
        return octets - self.network - (0 if self._is_ipv4 else 40)

    def _copy_octets(self, batch: Batch, slots: slice) -> tuple[int, int]:
        """Copy headers and payloads, with zeros up to the next whole word; give all segments' and the last's length.

        In the headers are the length and the flags that all have, or all but the first and the last.
        """
        header_octets, mss, rows, segments = self.header_octets, self.mss, batch.rows[slots], slots.stop - slots.start
        full = header_octets + mss
        payload = self._frame[header_octets + self._next * mss : header_octets + (self._next + segments) * mss]
        whole = len(payload) // mss
        head = bytearray(self._head)
        _WORD.pack_into(head, self.network + (2 if self._is_ipv4 else 4), self._length_field(full))
        head[self.transport + 13] = self._tcp_flags & _ON_ALL
        rows[:, :header_octets] = np.frombuffer(head, np.uint8)
        rows[:whole, header_octets:full] = np.frombuffer(payload, np.uint8, whole * mss).reshape(whole, mss)
        if full & 1:
            rows[:, full] = 0
        if whole == segments:
            return full, full
        rest = payload[whole * mss :]
        last = header_octets + len(rest)
        rows[-1, last:full] = 0
        batch.views[slots.start + whole][header_octets:last] = rest
        return full, last
