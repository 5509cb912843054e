"""The pcapng writer and reader, against each other, against files built by hand, and against tshark."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from lab.capture.frame import ETHERNET, RAW_IP, CaptureInterface, Direction, Frame
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from lab.errors import InputError

WHEN = 1_700_000_000_123_456_789


def read(path: Path) -> tuple[Frame, ...]:
    with open_capture(path) as capture:
        return tuple(capture)


def block(order: str, block_type: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", block_type) + total + body + total


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(order: str = "<", link: int = ETHERNET, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet(octets: bytes, order: str = "<", index: int = 0, ticks: int = 0, length: int | None = None,
           options: bytes = b"") -> bytes:  # fmt: skip
    head = struct.pack(order + "IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), length or len(octets))
    return block(order, 6, head + octets + bytes(-len(octets) % 4) + options)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream, application="wireproof test", comments=("mka-cak 0102", "esp-sa c0000001"))
        first = writer.add_interface(name="veth0", description="ce--msee1")
        second = writer.add_interface(name="tun0", link_type=RAW_IP, snap_length=96)
        writer.write(b"\1" * 60, timestamp_ns=WHEN, interface=first, direction=Direction.OUTBOUND)
        writer.write(memoryview(b"\2" * 61), timestamp_ns=WHEN + 1, direction=Direction.INBOUND, dropped=3)
        writer.write(bytearray(b"\3" * 96), timestamp_ns=WHEN + 2, interface=second, original_length=1500)
        writer.write(b"", timestamp_ns=WHEN + 3, dropped=1)
        writer.write_statistics(timestamp_ns=WHEN + 4, received=8, dropped=5, comments=("end",))
    with open_capture(path) as capture:
        assert list(capture) == [
            Frame(1, b"\1" * 60, 60, WHEN, ETHERNET, Direction.OUTBOUND, 0),
            Frame(2, b"\2" * 61, 61, WHEN + 1, ETHERNET, Direction.INBOUND, 0),
            Frame(3, b"\3" * 96, 1500, WHEN + 2, RAW_IP, None, 1),
            Frame(4, b"", 0, WHEN + 3, ETHERNET, None, 0),
        ]
        assert capture.comments == ("mka-cak 0102", "esp-sa c0000001")
        assert capture.interfaces == (
            CaptureInterface(link_type=ETHERNET, name="veth0", description="ce--msee1"),
            CaptureInterface(link_type=RAW_IP, name="tun0", snap_length=96),
        )
        assert capture.dropped == 5


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream, comments=("a comment",))
        writer.add_interface(name="veth0", description="ce--msee1")
        writer.write(b"\1" * 61, timestamp_ns=WHEN, direction=Direction.OUTBOUND, dropped=3)
        writer.write(b"\2" * 60, timestamp_ns=WHEN, direction=Direction.INBOUND, original_length=99)
        writer.write_statistics(timestamp_ns=WHEN, received=5, dropped=3)
    fields = ("frame.len", "frame.cap_len", "frame.packet_flags_direction", "frame.interface_name", "frame.drop_count",
              "frame.time_epoch")  # fmt: skip
    ran = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *(word for field in fields for word in ("-e", field))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [line.split("\t") for line in ran.stdout.splitlines()] == [
        ["61", "61", "0x00000002", "veth0", "3", "1700000000.123456789"],
        ["99", "60", "0x00000001", "veth0", "", "1700000000.123456789"],
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_and_what_nobody_here_knows(order: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        section(order, option(order, 1, "tëst".encode()) + option(order, 0, b""))
        + block(order, 0x0BAD, b"a block of somebody's own")
        + interface(order, options=option(order, 2, b"eth0") + option(order, 0xABCD, b"own"))
        + block(order, 4, b"\0\0\0\0")
        + packet(b"abc", order, ticks=5, options=option(order, 1, b"comment") + option(order, 0, b""))
    )
    with open_capture(path) as capture:
        assert [frame.octets for frame in capture] == [b"abc"]
        assert capture.comments == ("tëst",)
        assert capture.interfaces[0].name == "eth0"


def test_sections_follow_each_other_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        b"".join(
            section(order) + interface(order, link) + packet(bytes([number]) * 5, order)
            for number, (order, link) in enumerate([("<", ETHERNET), (">", RAW_IP), ("<", RAW_IP), (">", ETHERNET)])
        )
    )
    frames = read(path)
    assert [frame.octets[0] for frame in frames] == [0, 1, 2, 3]
    assert [frame.link_type for frame in frames] == [ETHERNET, RAW_IP, RAW_IP, ETHERNET]
    assert [frame.interface for frame in frames] == [0, 1, 2, 3]
    assert [frame.number for frame in frames] == [1, 2, 3, 4]


@pytest.mark.parametrize(("resolution", "offset", "ticks", "nanoseconds"), [
    (None, None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
    (b"\x09", None, WHEN, WHEN),
    (b"\x03", None, 1_700_000_000_123, 1_700_000_000_123_000_000),
    (b"\x00", None, 1_700_000_000, 1_700_000_000_000_000_000),
    (b"\x0c", None, 1_700_000_123_456, 1_700_000_123),
    (b"\x8a", None, 1024 + 512, 1_500_000_000),
    (b"\x09", 1_700_000_000, 5, 1_700_000_000_000_000_005),
])  # fmt: skip
def test_time_stamps(
    resolution: bytes | None, offset: int | None, ticks: int, nanoseconds: int, tmp_path: Path
) -> None:
    options = b"" if resolution is None else option("<", 9, resolution)
    options += b"" if offset is None else option("<", 14, struct.pack("<q", offset))
    path = tmp_path / "a.pcapng"
    path.write_bytes(section() + interface(options=options) + packet(b"x", ticks=ticks))
    assert read(path)[0].timestamp_ns == nanoseconds


def test_simple_and_obsolete_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    obsolete = struct.pack("<HHIIII", 0, 7, 0, 5, 4, 1000) + b"wxyz"
    path.write_bytes(
        section() + interface(snap=6) + block("<", 3, struct.pack("<I", 4) + b"abcd")
        + block("<", 3, struct.pack("<I", 1000) + b"abcdef") + block("<", 2, obsolete)
    )  # fmt: skip
    with open_capture(path) as capture:
        frames = list(capture)
        assert [(frame.octets, frame.original_length) for frame in frames] == [
            (b"abcd", 4), (b"abcdef", 1000), (b"wxyz", 1000)
        ]  # fmt: skip
        assert [frame.timestamp_ns for frame in frames] == [0, 0, 5000]
        assert capture.dropped == 7


def test_a_stored_fcs_is_no_part_of_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    without_flags = packet(b"abcdFFFF")
    other_length = packet(b"abcdefFF", options=option("<", 2, struct.pack("<I", 2 << 5 | 1)))
    cut = packet(b"abcdef", length=12)
    path.write_bytes(section() + interface(options=option("<", 13, b"\4")) + without_flags + other_length + cut)
    assert [(frame.octets, frame.original_length, frame.direction) for frame in read(path)] == [
        (b"abcd", 4, None),
        (b"abcdef", 6, Direction.INBOUND),
        (b"abcdef", 8, None),
    ]


@pytest.mark.parametrize(("blocks", "told"), [
    (packet(b"abc", index=1), "names interface 1, of 1"),
    (packet(b"abc", length=2), "claims 3 octets captured of a frame of 2"),
    (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 400, 400) + b"abcd"), "400 octets do not fit"),
    (block("<", 3, struct.pack("<I", 500)), "500 octets do not fit"),
    (block("<", 6, b"ab"), "not right"),
    (struct.pack("<II", 6, 0xFFFFFFF0) + bytes(100), "claims 4294967280 octets"),
    (struct.pack("<II", 6, 8) + bytes(100), "claims 8 octets"),
    (struct.pack("<II", 6, 33) + bytes(100), "claims 33 octets"),
    (packet(b"abc")[:-4] + b"\0\0\0\1", "second length differs"),
    (section()[:8] + b"\0\0\0\0" + section()[12:], "byte-order magic"),
    (block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)), "version 2"),
    (interface(link=147) + packet(b"abc", index=1), "link type 147; read are Ethernet (1)"),
    (interface(options=option("<", 9, b"")) + packet(b"abc", index=1), "not right"),
    (packet(b"abc", options=struct.pack("<HH", 2, 100)), "option 2 claims 100 octets"),
])  # fmt: skip
def test_what_is_not_right_is_refused_where_it_is(blocks: bytes, told: str, tmp_path: Path) -> None:
    start = section() + interface() + packet(b"one") + packet(b"two")
    path = tmp_path / "bad.pcapng"
    path.write_bytes(start + blocks)
    frames: list[Frame] = []
    with pytest.raises(InputError) as refused:
        read_into(frames, path)
    assert [frame.octets for frame in frames] == [b"one", b"two"]
    message = str(refused.value)
    assert message.startswith(f"{path}: 2 whole frames can be read; what follows at octet ")
    assert told in message


def read_into(frames: list[Frame], path: Path) -> None:
    with open_capture(path) as capture:
        for frame in capture:
            frames.append(frame)
