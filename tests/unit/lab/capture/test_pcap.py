"""Classic pcap, plain and gzipped; and what is no capture, or not all of one."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tracemalloc
from pathlib import Path

import pytest

from lab.capture import window
from lab.capture.frame import ETHERNET, Frame
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from lab.errors import ExitCode, InputError


def header(order: str = "<", magic: int = 0xA1B2C3D4, link: int = ETHERNET, version: int = 2) -> bytes:
    return struct.pack(order + "IHHiIII", magic, version, 4, 0, 0, 65535, link)


def record(octets: bytes, order: str = "<", length: int | None = None, fraction: int = 7) -> bytes:
    return struct.pack(order + "IIII", 1_700_000_000, fraction, len(octets), length or len(octets)) + octets


def write(tmp_path: Path, octets: bytes, name: str = "a.pcap") -> Path:
    path = tmp_path / name
    path.write_bytes(octets)
    return path


def read(path: Path) -> list[Frame]:
    with open_capture(path) as capture:
        return list(capture)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read(path)
    assert refused.value.exit_code is ExitCode.BAD_INPUT
    assert str(refused.value).startswith(f"{path}: ")
    return str(refused.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_either_byte_order_and_resolution(order: str, magic: int, tick: int, tmp_path: Path) -> None:
    octets = header(order, magic) + record(b"abc", order) + record(b"", order) + record(b"abcd", order, 1500)
    when = 1_700_000_000_000_000_000 + 7 * tick
    assert read(write(tmp_path, octets)) == [
        Frame(1, b"abc", 3, when, ETHERNET, None, 0),
        Frame(2, b"", 0, when, ETHERNET, None, 0),
        Frame(3, b"abcd", 1500, when, ETHERNET, None, 0),
    ]


def test_gzip_is_transparent_also_in_several_members(tmp_path: Path) -> None:
    octets = header() + record(b"abc") + record(b"defg")
    zipped = gzip.compress(octets[:30]) + gzip.compress(octets[30:])
    assert read(write(tmp_path, zipped, "a.pcap.gz")) == read(write(tmp_path, octets))


def test_the_hash_is_of_the_file_as_it_lies_there(tmp_path: Path) -> None:
    import hashlib

    for octets in (header() + record(b"abc"), gzip.compress(header() + record(b"abc")) + b""):
        path = write(tmp_path, octets)
        with open_capture(path) as capture:
            assert len(list(capture)) == 1
            assert capture.sha256() == hashlib.sha256(octets).hexdigest()


def test_a_stored_fcs_is_no_part_of_the_frame(tmp_path: Path) -> None:
    link = ETHERNET | 1 << 26 | 2 << 28
    frames = read(write(tmp_path, header(link=link) + record(b"abcdFFFF") + record(b"abcd", length=12)))
    assert [(frame.octets, frame.original_length) for frame in frames] == [(b"abcd", 4), (b"abcd", 8)]


def test_a_file_without_frames_is_a_capture(tmp_path: Path) -> None:
    assert read(write(tmp_path, header())) == []


@pytest.mark.parametrize(("octets", "told"), [
    (b"", "is empty: not even a capture's header"),
    (gzip.compress(b"", mtime=0), "is empty"),
    (b"\x7fELF", "is not a capture: it starts with 7f 45 4c 46; pcap and pcapng are read, plain or gzipped"),
    (b"\xa1", "is not a capture: it starts with a1;"),
    (b"hello, this is a text", "is not a capture"),
    (header()[:10], "is cut off: 0 whole frames can be read; at octet 0 begin 24 octets or more, of which there are 1"),
    (header(version=1), "pcap of version 1"),
    (header(link=147), "link type 147; read are Ethernet (1), raw IP (101)"),
    (bz2.compress(b"x"), "is bzip2; captures are read plain or gzipped"),
    (lzma.compress(b"x"), "is xz"),
    (b"\x28\xb5\x2f\xfd....", "is Zstandard"),
])  # fmt: skip
def test_what_is_no_capture(octets: bytes, told: str, tmp_path: Path) -> None:
    assert told in refusal(write(tmp_path, octets))


def test_missing_unreadable_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.pcap: the capture cannot be read: No such file"):
        open_capture(tmp_path / "nowhere.pcap")
    with pytest.raises(InputError, match="the capture cannot be read: Is a directory"):
        open_capture(tmp_path)


@pytest.mark.parametrize(("captured", "original", "told"), [
    (0xFFFFFFFF, 0xFFFFFFFF, "claims 4294967295 octets captured of a frame of 4294967295"),
    (0x80000000, 60, "claims 2147483648 octets captured of a frame of 60"),
    (61, 60, "claims 61 octets captured of a frame of 60"),
])  # fmt: skip
@pytest.mark.parametrize("rest", [b"", bytes(100)])
def test_a_record_that_cannot_be(captured: int, original: int, told: str, rest: bytes, tmp_path: Path) -> None:
    bad = struct.pack("<IIII", 0, 0, captured, original) + rest
    path = write(tmp_path, header() + record(b"one") + record(b"two") + bad)
    assert refusal(path) == f"2 whole frames can be read; what follows at octet 62 {told}"


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "pcap.gz", "pcapng.gz"])
def test_cut_at_every_octet(kind: str, tmp_path: Path) -> None:
    """Every whole frame before the cut is given; then the cut is refused, unless it lies between two records."""
    path = tmp_path / f"whole.{kind}"
    if kind.startswith("pcapng"):
        with path.open("wb") as stream:
            writer = PcapngWriter(stream)
            writer.add_interface(name="eth0")
            ends = []
            for number in range(4):
                writer.write(bytes([number]) * 21, timestamp_ns=number)
                ends.append(stream.tell())
        octets = path.read_bytes()
    else:
        parts = [header(), *(record(bytes([number]) * 21) for number in range(4))]
        octets = b"".join(parts)
        ends = [len(b"".join(parts[: number + 2])) for number in range(4)]
    for length in range(1, len(octets)):
        cut = octets[:length]
        whole = sum(end <= length for end in ends)
        path.write_bytes(gzip.compress(cut, 1, mtime=0) if kind.endswith("gz") else cut)
        frames, refused = read_until_refused(path)
        assert [frame.octets[0] for frame in frames] == list(range(whole))
        if refused is None:
            assert length in (24, *ends) or kind.startswith("pcapng")
        elif length >= ends[0]:
            plural = "" if whole == 1 else "s"
            assert f"is cut off: {whole} whole frame{plural} can be read; at octet " in refused
        else:
            assert "cut off" in refused or "not a capture" in refused


def read_until_refused(path: Path) -> tuple[list[Frame], str | None]:
    frames: list[Frame] = []
    try:
        with open_capture(path) as capture:
            frames.extend(capture)
    except InputError as refused:
        return frames, str(refused)
    return frames, None


def test_a_cut_in_the_compressed_octets_is_told(tmp_path: Path) -> None:
    zipped = gzip.compress(header() + b"".join(record(bytes([n % 251]) * 1000) for n in range(500)))
    for length in (30, len(zipped) // 2, len(zipped) - 5):
        assert "then it cannot be read on" in refusal(write(tmp_path, zipped[:length]))
    assert "then it cannot be read on" in refusal(write(tmp_path, zipped + b"garbage behind it"))
    broken = zipped[:200] + bytes(20) + zipped[220:]
    assert "then it cannot be read on" in refusal(write(tmp_path, broken))


def test_a_large_capture_is_read_in_constant_memory(tmp_path: Path) -> None:
    one = record(bytes(1400))
    path = write(tmp_path, header() + one * 40_000)  # 56 MB
    tracemalloc.start()
    try:
        with open_capture(path) as capture:
            assert sum(len(burst) for burst in capture.bursts()) == 40_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * window.CHUNK


def test_frames_that_are_longer_than_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "CHUNK", 16)
    octets = header() + b"".join(record(bytes([n]) * n * 7) for n in range(1, 40))
    assert [frame.octets for frame in read(write(tmp_path, octets))] == [bytes([n]) * n * 7 for n in range(1, 40)]
