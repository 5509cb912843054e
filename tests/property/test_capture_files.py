"""Whatever frames are written, the same are read, however the file is cut into windows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture import window
from lab.capture.frame import ETHERNET, LINK_TYPES, Direction, Frame
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from tests.captures.cases import write_pcap

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
