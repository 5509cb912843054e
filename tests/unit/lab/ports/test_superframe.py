"""Segmentation: what the kernel left whole becomes the segments that the slow twin makes, to the octet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.batch import Batch
from dataplane.errors import LocalError, WireError
from lab.ports import superframe
from lab.ports.superframe import BY_COLUMNS, SuperFrame, write_headers
from tests.unit.lab.ports.slow import KINDS, Tcp, payload


def whole(tcp: Tcp, mss: int) -> SuperFrame:
    network = len(tcp.link)
    transport = network + (20 if tcp.is_ipv4 else 40)
    return SuperFrame(memoryview(tcp.super_frame()), network=network, transport=transport, mss=mss)


def fill(frame: SuperFrame, batch: Batch) -> int:
    """The next segments, headers and all; how many."""
    taken = frame.take(batch)
    write_headers(batch, [taken])
    return taken.segments


def cut(tcp: Tcp, mss: int, slots: int = 64, size: int = 2048) -> list[bytes]:
    """All segments, by as many batches as it takes."""
    frame, batch, made = whole(tcp, mss), Batch(slots, size), []
    batch.buffer[:] = b"\xa5" * len(batch.buffer)  # what an earlier use of the slots left
    while not frame.is_done:
        batch.clear()
        assert fill(frame, batch) == batch.count
        made += [bytes(segment) for segment in batch]
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mss", [1448, 1447, 3])
@pytest.mark.parametrize("segments", [1, 2, 7, BY_COLUMNS - 1, BY_COLUMNS, 44])
def test_few_and_many_segments_are_as_the_twin_makes_them(kind: str, mss: int, segments: int) -> None:
    for short in {0, 1, mss - 1}:
        tcp = replace(KINDS[kind], payload=payload(segments * mss - short), flags=0x19)
        assert cut(tcp, mss) == tcp.segments(mss)


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    mss=st.integers(1, 400),
    octets=st.integers(1, 5000),
    sequence=st.integers(0, 2**32 - 1),
    identification=st.integers(0, 65535),
    flags=st.integers(0, 255),
    slots=st.integers(1, 64),
)
def test_any_numbers_flags_and_batches(
    kind: str, mss: int, octets: int, sequence: int, identification: int, flags: int, slots: int
) -> None:
    tcp = replace(KINDS[kind], payload=payload(octets), sequence=sequence, identification=identification, flags=flags)
    assert cut(tcp, mss, slots=slots, size=512) == tcp.segments(mss)


def test_both_paths_agree_where_either_could_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tcp = replace(Tcp(), payload=payload(30 * 1001 - 5))
    expected = tcp.segments(1001)
    for threshold in (2, 1000):
        monkeypatch.setattr(superframe, "BY_COLUMNS", threshold)
        assert cut(tcp, 1001) == expected


def test_jumbo_segments() -> None:
    tcp = replace(Tcp(), payload=payload(7 * 8948 - 100))
    assert cut(tcp, 8948, size=9088) == tcp.segments(8948)


def test_segments_are_appended_behind_what_the_batch_holds() -> None:
    tcp = replace(Tcp(), payload=payload(3000))
    batch = Batch(8, 2048)
    batch.append(b"first")
    fill(whole(tcp, 1448), batch)
    assert [bytes(frame) for frame in batch] == [b"first", *tcp.segments(1448)]


def test_headers_of_several_super_frames_are_written_at_once() -> None:
    """Of one connection or of others, with frames between them, and the last one in part."""
    long, short = replace(Tcp(), payload=payload(20 * 1000 - 7), flags=0x98), replace(Tcp(), payload=payload(3000))
    other = replace(KINDS["ipv6"], payload=payload(15 * 1000))
    batch, cuts, expected = Batch(70, 2048), [], []
    for tcp in (long, long, short, None, long, other):
        if tcp is None:
            batch.append(b"between")
            expected.append(b"between")
        else:
            cuts.append(whole(tcp, 1000).take(batch))
            expected += tcp.segments(1000)
    write_headers(batch, cuts)
    assert cuts[-1].segments == 6
    assert [bytes(frame) for frame in batch] == expected[:70]
    with pytest.raises(LocalError):
        whole(short, 1000).take(batch)


def test_it_says_how_long_its_longest_segment_is() -> None:
    assert whole(replace(Tcp(), payload=payload(3000)), 1000).longest == Tcp().header_octets + 1000
    assert whole(replace(Tcp(), payload=payload(30)), 1000).longest == Tcp().header_octets + 30


@pytest.mark.parametrize(
    ("octets", "network", "transport", "mss"),
    [
        (b"", 14, 34, 1448),
        (Tcp().super_frame(), 14, 34, 1448),  # no payload
        (replace(Tcp(), payload=b"x").super_frame(), 14, 34, 0),
        (replace(Tcp(), payload=b"x").super_frame(), 14, 33, 1448),  # no room for an IPv4 header
        (replace(Tcp(), payload=b"x").super_frame(), 14, 65535, 1448),
        (replace(Tcp(), payload=b"x").super_frame(), 12, 34, 1448),  # neither IPv4 nor IPv6
        (replace(KINDS["ipv6"], payload=b"x").super_frame(), 14, 44, 1448),  # no room for an IPv6 header
        (bytes(14) + b"\x45" + bytes(100), 14, 34, 1448),  # data offset 0
        (bytes(14) + b"\x45" + bytes(31) + b"\xf0" + bytes(40), 14, 34, 1448),  # data offset behind the end
    ],
)
def test_what_is_no_super_frame_is_refused(octets: bytes, network: int, transport: int, mss: int) -> None:
    with pytest.raises(WireError):
        SuperFrame(memoryview(octets), network=network, transport=transport, mss=mss)


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=200), network=st.integers(0, 40), transport=st.integers(0, 80), mss=st.integers(0, 70))
def test_any_octets_are_cut_or_refused(octets: bytes, network: int, transport: int, mss: int) -> None:
    try:
        frame = SuperFrame(memoryview(octets), network=network, transport=transport, mss=mss)
    except WireError:
        return
    batch = Batch(64, 256)
    while not frame.is_done:
        batch.clear()
        fill(frame, batch)
        assert all(len(segment) == frame.longest for segment in list(batch)[:-1])
