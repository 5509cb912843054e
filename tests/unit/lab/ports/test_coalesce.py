"""Coalescing: runs are merged where nothing is lost by it, and cutting the result again gives what came in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.batch import Batch
from lab.ports import coalesce as coalescing
from lab.ports import vnet
from lab.ports.coalesce import coalesce
from lab.ports.superframe import SuperFrame, write_headers
from tests.unit.lab.ports.slow import IPV6, KINDS, TAGGED, Tcp, internet_checksum_sum, payload


def batch_of(frames: list[bytes], size: int = 2048) -> Batch:
    batch = Batch(max(64, len(frames)), size)
    batch.buffer[:] = b"\xa5" * len(batch.buffer)
    for frame in frames:
        batch.append(frame)
    return batch


def written(frames: list[bytes], *, is_ethernet: bool = True, size: int = 2048) -> list[bytes]:
    """What is written for these frames, vnet header and all."""
    writes = list(coalesce(batch_of(frames, size), is_ethernet=is_ethernet))
    assert sum(write.frames for write in writes) == len(frames)
    return [b"".join(write.gather) for write in writes]


def cut_again(write: bytes, *, is_ethernet: bool = True) -> list[bytes]:
    """What the kernel makes of a write."""
    flags, kind, header, mss, transport, _ = vnet.HEADER.unpack_from(write)
    frame = write[vnet.OCTETS :]
    if kind == vnet.GSO_NONE:
        assert write[: vnet.OCTETS] == vnet.PLAIN
        return [frame]
    network = transport - (20 if kind == vnet.GSO_TCPV4 else 40)
    assert flags == vnet.NEEDS_CHECKSUM
    assert header == transport + (frame[transport + 12] >> 4) * 4
    assert kind in (vnet.GSO_TCPV4, vnet.GSO_TCPV6)
    whole = SuperFrame(memoryview(frame), network=network, transport=transport, mss=mss)
    batch = Batch(64, 16384)
    write_headers(batch, [whole.take(batch)])
    assert whole.is_done
    return [bytes(segment) for segment in batch]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mss", [1448, 1447])
@pytest.mark.parametrize("segments", [2, 3, 7, 44])
def test_a_run_becomes_what_it_was_before_it_was_cut(kind: str, mss: int, segments: int) -> None:
    for short in (0, 1):
        whole = replace(KINDS[kind], payload=payload(mss * segments - short), flags=0x18)
        writes = written(whole.segments(mss), is_ethernet=kind != "packet")
        assert [write[vnet.OCTETS :] for write in writes] == [whole.super_frame()]


def test_jumbo_segments_become_as_much_as_an_ip_packet_can_say() -> None:
    whole = replace(Tcp(), payload=payload(14 * 8948))
    segments = whole.segments(8948)
    writes = written(segments, size=9088)
    assert [len(write) - vnet.OCTETS for write in writes] == [66 + 7 * 8948] * 2
    assert [without_identification(s) for w in writes for s in cut_again(w)] == [
        without_identification(s) for s in segments
    ]


def test_connections_in_turn_are_not_mixed_up() -> None:
    one = replace(Tcp(), payload=payload(5 * 1000)).segments(1000)
    other = replace(Tcp(), ports=b"\1\2\3\4", payload=payload(4 * 1000)).segments(1000)
    writes = written([*one, *other, b"\xff" * 60, *one])
    assert [len(cut_again(write)) for write in writes] == [5, 4, 1, 5]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Stretches of segments of connections in turn, here and there with something that ends a run."""
    frames: list[bytes] = []
    for _ in range(draw(st.integers(1, 4))):
        tcp = replace(
            draw(st.sampled_from([Tcp(), IPV6, TAGGED, replace(Tcp(), options=b"")])),
            sequence=draw(st.sampled_from([1, 2**32 - 5000, 77])),
            payload=payload(draw(st.sampled_from([900, 2300, 3000]))),
            flags=draw(st.sampled_from([0x10, 0x18, 0x11])),
        )
        frames += tcp.segments(100)
    for place in draw(st.lists(st.integers(0, len(frames) - 1), max_size=4)):
        how = draw(st.sampled_from(["flip", "drop", "repeat", "odd"]))
        if how == "flip":
            octet = draw(st.integers(0, len(frames[place]) - 1))
            changed = bytearray(frames[place])
            changed[octet] ^= 1 << draw(st.integers(0, 7))
            frames[place] = bytes(changed)
        elif how == "repeat":
            frames.insert(place, frames[place])
        elif how == "odd":
            frames.insert(place, bytes(len(frames[place])))
        elif len(frames) > 1:
            del frames[place]
            frames.append(b"filler")
    return frames


@settings(deadline=None, max_examples=150)
@given(frames=streams())
def test_columns_and_single_looks_find_the_same(frames: list[bytes]) -> None:
    found = []
    for threshold in (2, 12, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(coalescing, "BY_COLUMNS", threshold)
            found.append(written(frames))
    assert found[0] == found[1] == found[2]


DATA = replace(Tcp(), payload=payload(1000))
NEXT = replace(DATA, sequence=DATA.sequence + 1000)


@pytest.mark.parametrize(
    "second",
    [
        replace(NEXT, sequence=NEXT.sequence + 1),
        replace(NEXT, sequence=DATA.sequence),
        replace(NEXT, payload=payload(1001)),
        replace(NEXT, payload=b""),
        replace(NEXT, acknowledgement=78),
        replace(NEXT, window=501),
        replace(NEXT, hop_limit=63),
        replace(NEXT, options=bytes.fromhex("0101080a0011223344556678")),
        replace(NEXT, options=b""),
        replace(NEXT, ports=b"\4\x57\x14\x52"),
        replace(NEXT, source=bytes([10, 0, 0, 3])),
        replace(NEXT, link=bytes.fromhex("020000000002 020000000009 0800")),
        replace(NEXT, link=TAGGED.link),
        replace(NEXT, fragment=0x0000),
        replace(NEXT, fragment=0x2000),
        *(replace(NEXT, flags=0x10 | flag) for flag in (0x01, 0x02, 0x04, 0x20, 0x40, 0x80)),
        replace(NEXT, flags=0x00),
    ],
    ids=lambda second: ",".join(f"{k}={v!r}"[:40] for k, v in vars(second).items() if v != vars(NEXT)[k]),
)
def test_what_differs_in_more_than_cutting_makes_different_is_left_alone(second: Tcp) -> None:
    frames = [DATA.frame(), second.frame()]
    assert written(frames) == [vnet.PLAIN + frame for frame in frames]


@pytest.mark.parametrize(
    "first",
    [
        replace(DATA, flags=0x18),
        replace(DATA, flags=0x12),
        replace(DATA, fragment=0x0000),
        replace(DATA, fragment=0x6000),
        replace(DATA, fragment=0x4001),
        replace(DATA, payload=payload(500), sequence=DATA.sequence + 500),
    ],
)
def test_what_cannot_begin_a_run_is_left_alone(first: Tcp) -> None:
    following = replace(first, sequence=first.sequence + len(first.payload), flags=0x10, payload=payload(1000))
    frames = [first.frame(), following.frame()]
    assert written(frames) == [vnet.PLAIN + frame for frame in frames]


@pytest.mark.parametrize("last", [replace(NEXT, flags=0x18), replace(NEXT, payload=b"x")])
def test_a_pushed_or_a_shorter_segment_ends_a_run(last: Tcp) -> None:
    after = replace(last, sequence=last.sequence + len(last.payload), flags=0x10)
    frames = [DATA.frame(), last.frame(), after.frame()]
    assert [len(cut_again(write)) for write in written(frames)] == [2, 1]


@pytest.mark.parametrize("tcp", [Tcp(), IPV6, TAGGED], ids=["ipv4", "ipv6", "qinq"])
@pytest.mark.parametrize("bad", [0, 1, 5, 9])
@pytest.mark.parametrize("mss", [1000, 999])
def test_no_frame_with_a_wrong_checksum_is_merged_and_none_beside_it_is_lost(tcp: Tcp, bad: int, mss: int) -> None:
    frames = replace(tcp, payload=payload(10 * mss)).segments(mss)
    network = len(tcp.link)
    places = [tcp.header_octets + 5, len(frames[0]) - 1, tcp.header_octets - len(tcp.options) - 4]
    places += [network + 10, network + 5] if tcp.is_ipv4 else []
    for place in places:
        spoilt = bytearray(frames[bad])
        spoilt[place] ^= 0x40
        sent = [*frames[:bad], bytes(spoilt), *frames[bad + 1 :]]
        writes = written(sent)
        assert vnet.PLAIN + bytes(spoilt) in writes
        expected = [count for count in (bad, 1, 9 - bad) if count]
        assert [len(cut_again(write)) for write in writes] == expected


def test_two_errors_that_cancel_each_other_do_not_pass() -> None:
    frames = replace(Tcp(), payload=payload(5000)).segments(1000)
    spoilt = bytearray(frames[2])
    spoilt[19] = (spoilt[19] + 1) % 256  # identification up by one
    spoilt[-1] = (spoilt[-1] - 1) % 256  # payload down by one
    writes = written([*frames[:2], bytes(spoilt), *frames[3:]])
    assert [len(cut_again(write)) for write in writes] == [2, 1, 2]


def test_the_end_of_the_sequence_numbers_ends_a_run() -> None:
    whole = replace(Tcp(), sequence=2**32 - 2500, payload=payload(6000))
    frames = whole.segments(1000)
    writes = written(frames)
    assert [len(cut_again(write)) for write in writes] == [2, 1, 3]
    assert [without_identification(s) for w in writes for s in cut_again(w)] == list(
        map(without_identification, frames)
    )


def test_padding_behind_the_packet_is_no_payload() -> None:
    tiny = replace(Tcp(), options=b"", payload=b"abc")
    after = replace(tiny, sequence=tiny.sequence + 3)
    frames = [tiny.frame() + bytes(3), after.frame() + bytes(3)]
    assert written(frames) == [vnet.PLAIN + frame for frame in frames]


def without_identification(frame: bytes) -> bytes:
    """The frame without what means nothing in an IPv4 packet with DF: its identification, and the checksum for it."""
    at = 14 if frame[12:14] == b"\x08\x00" else None
    if at is None or frame[at + 6] != 0x40:
        return frame
    assert internet_checksum_sum(frame[at : at + 20]) == 0xFFFF
    return frame[: at + 4] + b"\0\0" + frame[at + 6 : at + 10] + b"\0\0" + frame[at + 12 :]


CHANGES = st.sampled_from(
    ["none"] * 12 + ["push", "gap", "window", "short", "spoil", "drop df", "ack", "noise", "other", "runt"]
)


@settings(max_examples=120, deadline=None)
@given(changes=st.lists(CHANGES, max_size=40), mss=st.integers(1, 600), data=st.data())
def test_whatever_comes_nothing_is_lost_changed_or_put_out_of_order(
    changes: list[str], mss: int, data: st.DataObject
) -> None:
    tcp = replace(data.draw(st.sampled_from([Tcp(), IPV6])), payload=payload(mss))
    frames = []
    for change in changes:
        now = tcp
        match change:
            case "push":
                now = replace(now, flags=0x18)
            case "gap":
                tcp = now = replace(tcp, sequence=tcp.sequence + 7)
            case "window":
                tcp = now = replace(tcp, window=tcp.window + 1)
            case "short":
                now = replace(now, payload=now.payload[: mss // 2])
            case "drop df":
                now = replace(now, fragment=0)
            case "ack":
                now = replace(now, payload=b"")
            case "other":
                now = replace(now, ports=b"abcd")
        frame = now.frame()
        if change == "spoil":
            place = data.draw(st.integers(0, len(frame) * 8 - 1))
            frame = (int.from_bytes(frame, "big") ^ 1 << place).to_bytes(len(frame), "big")
        elif change == "noise":
            frame = data.draw(st.binary(max_size=100))
        elif change == "runt":
            frame = frame[: data.draw(st.integers(0, len(frame)))]
        frames.append(frame)
        tcp = replace(tcp, sequence=tcp.sequence + len(now.payload), identification=tcp.identification + 1)
    out = [segment for write in written(frames) for segment in cut_again(write)]
    assert len(out) == len(frames)
    for came, went in zip(frames, out, strict=True):
        assert went == came or without_identification(went) == without_identification(came)
