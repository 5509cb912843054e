"""Coalescing (GRO): runs of in-order segments of one TCP connection, each run merged into one super-frame.

A segment joins a run when its headers are those of the run's first one, but for what segmentation makes different, its
sequence number follows, and its checksums are right. All segments of a run are equally long and not pushed (PSH), but
for the last, which may be shorter or pushed. Whatever joins nothing goes on as it came: the kernel behind judges it.
A super-frame is a list of buffers for one gathering write. Long runs are looked at by columns, short ones segment by
segment; both find the same.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch, run_end
from lab.ports import vnet
from lab.ports.checksum import (
    TCP,
    finish,
    fold,
    native_words,
    ones_complement_sum,
    pseudo_header_sum,
    row_sums,
    swap,
)
from lab.ports.headers import network_offset

Gather = list[bytes | bytearray | memoryview]

# From so many segments on, columns are cheaper than one look at each, and one block than a buffer for each.
BY_COLUMNS: Final = 12
_ACK, _PSH = 0x10, 0x08
_DONT_FRAGMENT: Final = 0x40

_word: Final = struct.Struct(">H")
_double: Final = struct.Struct(">I")
_from_bytes: Final = int.from_bytes


class _Layout(NamedTuple):
    """Where the parts of a TCP segment lie in its frame."""

    network: int
    transport: int
    payload: int
    is_ipv4: bool

    @property
    def addresses(self) -> int:
        """Where the IP addresses start: the last thing before the TCP header."""
        return self.transport - (8 if self.is_ipv4 else 32)


class Write(NamedTuple):
    """One write to a device with vnet headers, and how many frames of the batch it is."""

    gather: Gather
    frames: int


def coalesce(batch: Batch, *, is_ethernet: bool = True) -> Iterator[Write]:
    """Everything in `batch`, in its order, as writes. Buffers may be views of the batch's octets.

    Without `is_ethernet` the batch holds IP packets, not frames.
    """
    lengths, views, count = batch.lengths, batch.views, batch.count
    stretches: dict[_Layout, _Stretch | None] = {}
    index = 0
    while index < count:
        end = index + 1
        view, length = views[index], lengths[index]
        # A run needs a second segment that is no longer than the first.
        if end < count and lengths[end] <= length:
            layout = _layout(view, length, is_ethernet)
            if layout is not None:
                stretch = stretches.get(layout)
                if stretch is None or index >= stretch.end:
                    stretch = stretches[layout] = _stretch(batch, index, layout)
                end = _run_end(batch, index, layout, stretch)
                if end - index > 1:
                    yield Write(_merge(batch, index, end, layout), end - index)
                    index = end
                    continue
        yield Write([vnet.PLAIN, view[:length]], 1)
        index += 1


def _layout(view: memoryview, length: int, is_ethernet: bool) -> _Layout | None:
    """Where things are in a frame that may begin a run; None for every other frame."""
    network = network_offset(view, length) if is_ethernet else 0
    return None if network is None else _layout_of_ip(view, length, network)


def _layout_of_ip(view: memoryview, length: int, network: int) -> _Layout | None:
    if length < network + 40:
        return None
    is_ipv4 = view[network] == 0x45
    if is_ipv4:
        if view[network + 9] != TCP or view[network + 6] != _DONT_FRAGMENT or view[network + 7]:
            return None
        transport = network + 20
        total = network + _word.unpack_from(view, network + 2)[0]
    else:
        transport = network + 40
        if view[network] >> 4 != 6 or view[network + 6] != TCP or length < transport + 20:
            return None
        total = transport + _word.unpack_from(view, network + 4)[0]
    payload = transport + (view[transport + 12] >> 4) * 4
    # Padding after the packet, no payload, or flags that say more than "here is more": left alone.
    if total != length or not transport + 20 <= payload < length or view[transport + 13] & ~_PSH != _ACK:
        return None
    return _Layout(network, transport, payload, is_ipv4)


@lru_cache(maxsize=256)
def _mask(layout: _Layout, *, is_last: bool = False) -> int:
    """The bits of the headers, taken as one big number, that must be as expected in a run's segments."""
    network, transport = layout.network, layout.transport
    mask = bytearray(b"\xff" * layout.payload)
    if layout.is_ipv4:
        # With DF the identification means nothing (RFC 6864 4.1); checksums are checked apart.
        mask[network + 4 : network + 6] = mask[network + 10 : network + 12] = b"\0\0"
    mask[transport + 16 : transport + 18] = b"\0\0"
    if is_last:
        length_field = network + (2 if layout.is_ipv4 else 4)
        mask[length_field : length_field + 2] = b"\0\0"
        mask[transport + 13] ^= _PSH
    return _from_bytes(mask, "big")


@lru_cache(maxsize=256)
def _column_mask(layout: _Layout) -> NDArray[np.uint8]:
    """The bits of the headers that are the same in all segments of a run: those above, but for the sequence number."""
    mask = bytearray(_mask(layout).to_bytes(layout.payload, "big"))
    mask[layout.transport + 4 : layout.transport + 8] = bytes(4)
    return np.frombuffer(bytes(mask), np.uint8)


class _Stretch(NamedTuple):
    """Many equally long neighbours up to `end`, as segments of one layout, all looked at once.

    `breaks` are the indexes of those that do not go on where the one before ends, `wrong` of those with a wrong
    checksum. Both have `end` at their end.
    """

    end: int
    breaks: list[int]
    wrong: list[int]


def _stretch(batch: Batch, start: int, layout: _Layout) -> _Stretch | None:
    """What is to be known of the neighbours that are as long as the segment at `start`; None when there are few."""
    end = run_end(batch.lengths, start, batch.count)
    if end - start < BY_COLUMNS:
        return None
    payload = layout.payload
    heads = batch.rows[start:end, :payload] & _column_mask(layout)
    sequences = batch.column(">u4", layout.transport + 4)[start:end].astype(np.uint32)
    mss = np.uint32(batch.lengths[start] - payload)
    breaks = sequences[1:] - sequences[:-1] != mss
    octets = heads.tobytes()
    if octets != octets[:payload] * (end - start):
        breaks |= (heads[1:] != heads[:-1]).any(axis=1)
    wrong = _wrong_checksums(batch, start, end, layout)
    return _Stretch(end, _places(breaks, start + 1, end), _places(wrong, start, end))


def _places(flags: NDArray[np.bool_], start: int, end: int) -> list[int]:
    """The indexes of the flags that are set, of which the first stands for `start`; and `end`."""
    places: list[int] = (np.flatnonzero(flags) + start).tolist() if np.count_nonzero(flags) else []
    places.append(end)
    return places


def _run_end(batch: Batch, start: int, layout: _Layout, stretch: _Stretch | None) -> int:
    """The index after the last segment of the run that begins at `start`, in that stretch if it is in one."""
    views, lengths, payload = batch.views, batch.lengths, layout.payload
    first, length = views[start], lengths[start]
    mss = length - payload
    sequence = _double.unpack_from(first, layout.transport + 4)[0]
    # No run is longer than an IP packet can say; nor does it pass the end of the sequence numbers, so that one addition
    # to the headers, taken as one big number, makes those of the next segment.
    most = min((65535 - payload) // mss, (0xFFFFFFFF - sequence) // mss)
    limit = min(batch.count, start + most)
    if first[layout.transport + 13] & _PSH or limit <= start + 1:
        return start + 1
    if stretch is None:
        end = _alike(batch, start, run_end(lengths, start, limit), layout)
        good = start + _places(_wrong_checksums(batch, start, end, layout), 0, end - start)[0]
    else:
        end = min(limit, stretch.breaks[bisect_right(stretch.breaks, start)])
        good = min(end, stretch.wrong[bisect_left(stretch.wrong, start)])
    if good < end:
        return max(good, start + 1)
    return end + 1 if end < limit and _is_last(batch, start, end, layout) else end


def _expected(batch: Batch, start: int, index: int, layout: _Layout) -> int:
    """The masked headers that segment `index` has if it belongs to the run that begins at `start`."""
    first = _from_bytes(batch.views[start][: layout.payload], "big") & _mask(layout)
    step = (batch.lengths[start] - layout.payload) << 8 * (layout.payload - layout.transport - 8)
    return first + (index - start) * step


def _alike(batch: Batch, start: int, end: int, layout: _Layout) -> int:
    """The index of the first of these equally long segments that does not go on where the one before ends."""
    views, payload, mask = batch.views, layout.payload, _mask(layout)
    expected = _expected(batch, start, start, layout)
    step = _expected(batch, start, start + 1, layout) - expected
    for index in range(start + 1, end):
        expected += step
        if _from_bytes(views[index][:payload], "big") & mask != expected:
            return index
    return end


def _is_last(batch: Batch, start: int, index: int, layout: _Layout) -> bool:
    """Whether a segment ends a run: shorter than the others, or pushed, and otherwise as the next one would be."""
    view, length = batch.views[index], batch.lengths[index]
    if not layout.payload < length <= batch.lengths[start] or _layout_of_ip(view, length, layout.network) != layout:
        return False
    mask = _mask(layout, is_last=True)
    same = _from_bytes(view[: layout.payload], "big") & mask == _expected(batch, start, index, layout) & mask
    return same and _is_sound(view, length, layout)


def _wrong_checksums(batch: Batch, start: int, end: int, layout: _Layout) -> NDArray[np.bool_]:
    """For each of these equally long segments, whether a checksum is wrong.

    With its checksum, and for TCP with the pseudo-header, everything adds up to a multiple of 65535 other than 0.
    """
    length, words = batch.lengths[start], native_words(batch)[start:end]
    totals = row_sums(words, layout.addresses, length)
    if length & 1:
        totals += batch.rows[start:end, length - 1] * np.uint32(swap(0x100))
    totals += np.uint32(swap(TCP + length - layout.transport))
    wrong = totals % np.uint32(65535)
    if layout.is_ipv4:
        wrong |= row_sums(words, layout.network, layout.transport) % np.uint32(65535)
    is_wrong: NDArray[np.bool_] = wrong != 0
    return is_wrong


def _is_sound(view: memoryview, length: int, layout: _Layout) -> bool:
    """Whether a single segment's checksums are right."""
    total = ones_complement_sum(view[layout.addresses : length]) + TCP + length - layout.transport
    if total % 65535:
        return False
    return not layout.is_ipv4 or ones_complement_sum(view[layout.network : layout.transport]) % 65535 == 0


def _merge(batch: Batch, start: int, end: int, layout: _Layout) -> Gather:
    """One super-frame of the segments `start` up to `end`: a vnet header with the headers, then the payloads."""
    network, transport, payload, is_ipv4 = layout
    views, lengths = batch.views, batch.lengths
    length, last = lengths[start], lengths[end - 1]
    octets = payload + (length - payload) * (end - start - 1) + last - payload
    head = bytearray(views[start][:payload])
    head[transport + 13] |= views[end - 1][transport + 13] & _PSH
    if is_ipv4:
        _word.pack_into(head, network + 2, octets - network)
        _word.pack_into(head, network + 10, 0)
        _word.pack_into(head, network + 10, finish(ones_complement_sum(head[network:transport])))
    else:
        _word.pack_into(head, network + 4, octets - transport)
    addresses = head[layout.addresses : transport]
    # As segmentation wants it: the pseudo-header's sum alone, not its complement.
    _word.pack_into(head, transport + 16, fold(pseudo_header_sum(addresses, TCP, octets - transport)))
    offload = vnet.HEADER.pack(
        vnet.NEEDS_CHECKSUM, vnet.GSO_TCPV4 if is_ipv4 else vnet.GSO_TCPV6, payload, length - payload, transport, 16
    )
    gather: Gather = [offload + head]
    if end - start > BY_COLUMNS:
        gather.append(np.ascontiguousarray(batch.rows[start : end - 1, payload:length]).data)
    else:
        gather += [view[payload:length] for view in views[start : end - 1]]
    gather.append(views[end - 1][payload:last])
    return gather
