"""Segmentation: a TCP super-frame that the kernel left whole (TSO), cut into the segments that belong on a wire.

The kernel hands over up to 64 KiB of one TCP connection under one set of headers, with the pseudo-header's sum in the
checksum field. Every segment gets those headers, its own lengths, IPv4 identification, sequence number and flags, and
real checksums. Payloads are copied super-frame by super-frame, headers written for all at once: those of many segments
by columns, of few one by one; both write the same octets.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.errors import LocalError, WireError
from lab.ports.checksum import fold, in_network_order, native_words, ones_complement_sum, row_sums, swap

# By columns, one segment costs about as much as thirty do: below this many, one by one is cheaper.
BY_COLUMNS: Final = 12

_INDEX: Final = np.arange(65536, dtype=np.int64)
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_LAST_ONLY: Final = _FIN | _PSH
_ON_ALL: Final = 0xFF & ~_LAST_ONLY & ~_CWR
_WORD: Final = struct.Struct(">H")
# From an IPv4 header's identification on: that, flags and fragment offset, time to live and protocol, checksum.
_IPV4_FIELDS: Final = struct.Struct(">HHHH")
# From a TCP header's sequence number on: that, acknowledgement, data offset, flags, window, checksum.
_TCP_FIELDS: Final = struct.Struct(">IIBBHH")


class Shape(NamedTuple):
    """Where things are in the segments of a super-frame: where the IP header starts, where TCP's, where the payload.

    A segment carries `mss` octets of payload, the last one maybe fewer.
    """

    is_ipv4: bool
    network: int
    transport: int
    payload: int
    mss: int

    @property
    def longest(self) -> int:
        """The octets of a segment, as a frame."""
        return self.payload + self.mss

    @property
    def length_at(self) -> int:
        """Where the IP header tells a length."""
        return self.network + (2 if self.is_ipv4 else 4)

    def length_field(self, octets: int) -> int:
        """What it tells, of a frame of so many octets."""
        return octets - self.network - (0 if self.is_ipv4 else 40)


@final
class SuperFrame:
    """One super-frame on its way into batches, segment by segment.

    `network` and `transport` say where the IP and the TCP header start, `mss` how many octets of payload a segment
    carries. The frame's octets stay the caller's, and must stay unchanged until the last segment has been taken.
    """

    __slots__ = (
        "_acknowledgement", "_fragment", "_frame", "_hop_limit", "_next", "_offset", "_window", "count",
        "flags", "head", "identification", "network_sum", "sequence", "shape", "transport_sum",
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
        payload = transport + (frame[transport + 12] >> 4) * 4  # RFC 9293 3.1: data offset
        if not transport + 20 <= payload < length:
            raise WireError("a super-frame without payload, or with an impossible data offset")
        self._frame = frame
        self.shape: Final = Shape(version == 4, network, transport, payload, mss)
        self.count: Final = -(-(length - payload) // mss)
        self._next = 0
        head = bytearray(frame[:payload])
        self.head: Final = head
        # The fields that differ from segment to segment: taken out of the common headers, and so out of their sums.
        self.identification, self._fragment, self._hop_limit = _IPV4_FIELDS.unpack_from(head, network + 4)[:3]
        tcp = _TCP_FIELDS.unpack_from(head, transport + 4)
        self.sequence, self._acknowledgement, self._offset, self.flags, self._window, partial = tcp
        _TCP_FIELDS.pack_into(head, transport + 4, 0, self._acknowledgement, self._offset, 0, self._window, 0)
        if version == 4:
            _WORD.pack_into(head, network + 2, 0)
            _IPV4_FIELDS.pack_into(head, network + 4, 0, self._fragment, self._hop_limit, 0)
        else:
            _WORD.pack_into(head, network + 4, 0)
        self.network_sum: Final = ones_complement_sum(head[network:transport])
        # What the kernel left in the checksum field is the pseudo-header's sum for the whole TCP length.
        pseudo_sum = partial + 65535 - fold((length - transport >> 16) + (length - transport & 0xFFFF))
        self.transport_sum: Final = pseudo_sum + ones_complement_sum(head[transport:])

    @property
    def is_done(self) -> bool:
        """Whether every segment has been taken."""
        return self._next == self.count

    @property
    def longest(self) -> int:
        """The octets of the longest segment, as a frame."""
        return min(self.shape.longest, len(self._frame))

    def take(self, batch: Batch) -> Cut:
        """Append the payloads of the next segments, as many as there are free slots, behind room for their headers.

        Slots have room for `longest`; their size is even, so that a row ends with a whole word.

        Raises:
            LocalError: there is no segment left, or no slot.
        """
        slot, first, shape = batch.count, self._next, self.shape
        if first == self.count or slot == batch.slots:
            raise LocalError(f"{self.count - first} segments are left, and {batch.slots - slot} slots free")
        cut = Cut(self, first, slot, min(self.count - first, batch.slots - slot))
        mss, start, end = shape.mss, shape.payload, shape.longest
        payload = self._frame[start + first * mss : start + (first + cut.segments) * mss]
        whole = len(payload) // mss
        if whole >= BY_COLUMNS:
            rows = np.frombuffer(payload, np.uint8, whole * mss).reshape(whole, mss)
            batch.rows[slot : slot + whole, start:end] = rows
        else:
            for index, view in enumerate(batch.views[slot : slot + whole]):
                view[start:end] = payload[index * mss : (index + 1) * mss]
        if whole < cut.segments:
            rest = payload[whole * mss :]
            batch.views[slot + whole][start : start + len(rest)] = rest
        self._next = first + cut.segments
        batch.count = cut.end
        batch.lengths[slot : cut.end] = [end] * (cut.segments - 1) + [self.octets(self._next - 1)]
        return cut

    def octets(self, index: int) -> int:
        """How long a segment is, as a frame."""
        return min(self.shape.longest, len(self._frame) - index * self.shape.mss)

    def flags_of(self, index: int) -> int:
        """A segment's TCP flags: the end's on the last one, CWR on the first one (RFC 3168 6.1.2)."""
        flags: int = self.flags
        if index + 1 < self.count:
            flags &= ~_LAST_ONLY
        return flags & ~_CWR if index else flags

    def write_header(self, view: memoryview, index: int, octets: int, payload_sum: int) -> None:
        """Write the headers of one segment of so many octets, whose payload has this sum."""
        is_ipv4, network, transport, payload, mss = self.shape
        view[:payload] = self.head
        _WORD.pack_into(view, self.shape.length_at, self.shape.length_field(octets))
        # A sum is never 0 here, so that its negative modulo 65535 is what `finish` makes of it.
        if is_ipv4:
            identification = (self.identification + index) & 0xFFFF
            checksum = -(self.network_sum + octets - network + identification) % 65535
            _IPV4_FIELDS.pack_into(view, network + 4, identification, self._fragment, self._hop_limit, checksum)
        sequence = (self.sequence + index * mss) & 0xFFFFFFFF
        flags = self.flags_of(index)
        total = self.transport_sum + octets - transport + payload_sum
        total += (sequence >> 16) + (sequence & 0xFFFF) + flags
        _TCP_FIELDS.pack_into(
            view, transport + 4,
            sequence, self._acknowledgement, self._offset, flags, self._window, -total % 65535,
        )  # fmt: skip


class Cut(NamedTuple):
    """Segments of a super-frame, from `first` on, whose payloads lie in a batch's slots from `slot` on."""

    whole: SuperFrame
    first: int
    slot: int
    segments: int

    @property
    def end(self) -> int:
        """The slot behind the last one."""
        return self.slot + self.segments


def write_headers(batch: Batch, cuts: Iterable[Cut]) -> None:
    """Write the headers of segments whose payloads are in place."""
    for _, alike in itertools.groupby(_with_places(cuts), lambda each: each[:2]):
        run = [cut for _, _, cut in alike]
        if run[-1].end - run[0].slot >= BY_COLUMNS:
            _write_by_columns(batch, run)
        else:
            _write_one_by_one(batch, run)


def _with_places(cuts: Iterable[Cut]) -> Iterator[tuple[Shape, int, Cut]]:
    """Cuts with what those have in common whose headers can be written at once: their shape, and no gap between."""
    gaps = end = 0
    for cut in cuts:
        gaps += cut.slot - end
        end = cut.end
        yield cut.whole.shape, gaps, cut


def _write_one_by_one(batch: Batch, cuts: list[Cut]) -> None:
    for whole, first, slot, count in cuts:
        sums = _payload_sums(batch, whole.shape, slice(slot, slot + count))
        for index, payload_sum in enumerate(sums):
            octets = batch.lengths[slot + index]
            whole.write_header(batch.views[slot + index], first + index, octets, payload_sum)


def _payload_sums(batch: Batch, shape: Shape, slots: slice) -> list[int]:
    """The sums of payloads that are in place."""
    last = slots.stop - 1
    sums = []
    if last > slots.start:
        # All payloads but the last one are equally long, so numpy's fixed cost is paid once.
        rows = slice(slots.start, last)
        totals = row_sums(native_words(batch)[rows], shape.payload, shape.longest)
        if shape.mss & 1:
            totals += batch.rows[rows, shape.longest - 1] * np.uint32(swap(0x100))
        sums = [swap(fold(total)) for total in totals.tolist()]
    return [*sums, ones_complement_sum(batch.views[last][shape.payload : batch.lengths[last]])]


def _write_by_columns(batch: Batch, cuts: list[Cut]) -> None:
    shape = cuts[0].whole.shape
    is_ipv4, network, transport, payload, mss = shape
    full, counts = shape.longest, [cut.segments for cut in cuts]
    rows = slice(cuts[0].slot, cuts[-1].end)

    def each(values: list[int]) -> NDArray[np.int64]:
        """What every super-frame has, for each of its segments; of a single one, for all of them."""
        column = np.array(values, np.int64)
        return column if len(values) == 1 else np.repeat(column, counts)

    for cut in cuts:
        batch.rows[cut.slot : cut.end, :payload] = np.frombuffer(_common_head(cut.whole), np.uint8)
    # Zeros behind a payload let it end with a whole word, and be as long as the others.
    if full & 1:
        batch.rows[rows, full] = 0
    for cut in cuts:
        batch.rows[cut.end - 1, batch.lengths[cut.end - 1] : full] = 0

    indexes = np.concatenate([_INDEX[cut.first : cut.first + cut.segments] for cut in cuts])
    sequences = (indexes * mss + each([cut.whole.sequence for cut in cuts])) & 0xFFFFFFFF
    batch.column(">u4", transport + 4)[rows] = sequences
    totals = in_network_order(row_sums(native_words(batch)[rows], payload, full + 1))
    totals += sequences
    totals += each([cut.whole.transport_sum + full - transport + (cut.whole.flags & _ON_ALL) for cut in cuts])
    headers = totals
    if is_ipv4:
        headers = (indexes + each([cut.whole.identification for cut in cuts])) & 0xFFFF
        batch.column(">u2", network + 4)[rows] = headers
        headers += each([cut.whole.network_sum + full - network for cut in cuts])
    for cut in cuts:
        _adjust_ends(batch, cut, totals, headers, rows.start)
    batch.column(">u2", transport + 16)[rows] = -totals % 65535
    if is_ipv4:
        batch.column(">u2", network + 10)[rows] = -headers % 65535


def _common_head(whole: SuperFrame) -> bytearray:
    """The headers with the length and the flags that all segments have, or all but the first and the last."""
    head, shape = bytearray(whole.head), whole.shape
    _WORD.pack_into(head, shape.length_at, shape.length_field(shape.longest))
    head[shape.transport + 13] = whole.flags & _ON_ALL
    return head


def _adjust_ends(batch: Batch, cut: Cut, totals: NDArray[np.int64], headers: NDArray[np.int64], start: int) -> None:
    """Give the first and the last segment what they alone have: flags, and a length; and the sums their due."""
    whole, shape = cut.whole, cut.whole.shape
    at, last = shape.transport + 13, cut.end - 1
    for slot, index in ((cut.slot, cut.first), (last, cut.first + cut.segments - 1)):
        if more := whole.flags_of(index) & ~batch.views[slot][at]:
            batch.views[slot][at] |= more
            totals[slot - start] += more
    if less := shape.longest - batch.lengths[last]:
        _WORD.pack_into(batch.views[last], shape.length_at, shape.length_field(batch.lengths[last]))
        totals[last - start] -= less
        if shape.is_ipv4:
            headers[last - start] -= less
