"""Whatever frames are written, the same are read, however the file is cut into windows."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture import pcapng_reader, window
from lab.capture.frame import ETHERNET, LINK_TYPES, Direction, Frame
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from tests.captures.cases import write_pcap
from tests.unit.lab.capture.test_pcapng import interface, option, packet, section

FRAMES = st.lists(
    st.tuples(
        st.binary(max_size=120),
        st.integers(0, 2000),  # octets that the snap length took
        st.integers(0, 2**62),
        st.sampled_from([None, *Direction]),
        st.integers(0, 2),
        st.one_of(st.just(0), st.integers(0, 2**40)),
    ),
    max_size=25,
)
LINKS = st.lists(st.sampled_from(sorted(LINK_TYPES)), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=FRAMES, links=LINKS, chunk=st.integers(8, 300), zipped=st.booleans())
def test_pcapng(
    tmp_path: Path, frames: list[tuple[bytes, int, int, Direction | None, int, int]], links: list[int], chunk: int,
    zipped: bool,
) -> None:  # fmt: skip
    path = tmp_path / "a.pcapng"
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        for number, link in enumerate(links):
            writer.add_interface(name=f"eth{number}", link_type=link)
        for octets, more, when, direction, interface, dropped in frames:
            writer.write(octets, timestamp_ns=when, interface=interface, original_length=len(octets) + more,
                         direction=direction, dropped=dropped)  # fmt: skip
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", chunk)
        with open_capture(path) as capture:
            assert list(capture) == [
                Frame(number, octets, len(octets) + more, when, links[interface], direction, interface)
                for number, (octets, more, when, direction, interface, _) in enumerate(frames, 1)
            ]
            assert capture.dropped == sum(dropped for *_, dropped in frames)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.integers(0, 7), min_size=1, max_size=8),
    count=st.integers(1, 80),
    resolutions=st.lists(st.sampled_from([None, b"\x00", b"\x06", b"\x09", b"\x0c", b"\x8a"]), min_size=3, max_size=3),
    order=st.sampled_from("<>"),
    chunk=st.integers(500, 5000),
)
def test_packets_that_are_taken_many_at_once(
    tmp_path: Path, kinds: list[int], count: int, resolutions: list[bytes | None], order: str, chunk: int
) -> None:
    """Whatever options, interfaces, FCSs and resolutions packets of a run have, they are as if taken one by one."""
    said = [b"" if each is None else option(order, 9, each) for each in resolutions]
    interfaces = b"".join(
        interface(order, options=each + option(order, 13, bytes([4 * fcs]))) for fcs, each in enumerate(said)
    )
    options = (
        b"", option(order, 2, struct.pack(order + "I", 1)), option(order, 2, struct.pack(order + "I", 2 | 2 << 5)),
        option(order, 4, struct.pack(order + "Q", 3)), option(order, 1, b"comment") + option(order, 0, b""),
    )  # fmt: skip
    blocks = [
        packet(bytes([number % 256]) * (number % 9 * 7), order, kind % 3, number << 33 | kind,
               number % 9 * 7 + kind % 2, options[kind % len(options)])
        for number, kind in enumerate((kinds * count)[:count])
    ]  # fmt: skip
    path = tmp_path / "a.pcapng"
    path.write_bytes(section(order) + interfaces + b"".join(blocks))
    found = []
    for few in (4, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(window, "CHUNK", chunk)
            patch.setattr(pcapng_reader, "FEW", few)
            with open_capture(path) as capture:
                found.append((list(capture), capture.dropped))
    assert found[0] == found[1]
    assert len(found[0][0]) == count


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    octets=st.lists(st.tuples(st.binary(max_size=120), st.integers(0, 2000), st.integers(0, 2**62)), max_size=25),
    chunk=st.integers(8, 300),
)
def test_pcap(tmp_path: Path, octets: list[tuple[bytes, int, int]], chunk: int) -> None:
    frames = [
        Frame(number, each, len(each) + more, when % (2**32 * 10**9), ETHERNET, None, 0)
        for number, (each, more, when) in enumerate(octets, 1)
    ]
    path = write_pcap(tmp_path / "a.pcap", frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", chunk)
        with open_capture(path) as capture:
            assert list(capture) == frames
