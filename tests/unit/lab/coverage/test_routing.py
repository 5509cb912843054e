"""Which frames are what two ends of a link may say to each other in clear."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from netaddr import IPAddress

from lab.capture.frame import Direction
from lab.capture.pcapng import PcapngWriter
from lab.coverage.document import SegmentReport, Verdict
from lab.coverage.examine import examine
from lab.coverage.routing import is_routing, pairs
from lab.coverage.segment import Segment
from lab.model.expectation import Expectation, Layer

CE, MSEE, OTHER = (IPAddress(text) for text in ("172.16.0.1", "172.16.0.2", "10.0.2.4"))
BETWEEN = pairs([(CE, MSEE)])
ETHERNET = bytes(12)


def ipv4(protocol: int, source: IPAddress, target: IPAddress, payload: bytes, *, fragment: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, fragment, 1, protocol, 0)
    return head + source.packed + target.packed + payload


def tcp(source: int, target: int) -> bytes:
    return struct.pack(">HH", source, target) + bytes(16)


def frame(packet: bytes, tags: bytes = b"") -> bytes:
    return ETHERNET + tags + b"\x08\x00" + packet


BGP = ipv4(6, CE, MSEE, tcp(40000, 179))
BFD = ipv4(17, MSEE, CE, struct.pack(">HHHH", 49152, 3784, 32, 0) + bytes(24))


@pytest.mark.parametrize(
    "octets",
    [
        frame(BGP),
        frame(ipv4(6, MSEE, CE, tcp(179, 40000))),
        frame(BFD),
        frame(BGP, bytes.fromhex("81000064")),
        frame(BGP, bytes.fromhex("8100000a81000064")),
        frame(ipv4(1, CE, MSEE, bytes.fromhex("0303000000000000") + BFD)),
    ],
)
def test_routing(octets: bytes) -> None:
    assert is_routing(octets, BETWEEN)
    assert not is_routing(octets, pairs([(CE, OTHER)]))
    assert not is_routing(octets, pairs(()))


@pytest.mark.parametrize(
    "octets",
    [
        frame(ipv4(6, CE, MSEE, tcp(40000, 443))),
        frame(ipv4(17, CE, MSEE, struct.pack(">HHHH", 3784, 53, 8, 0))),
        frame(ipv4(6, CE, OTHER, tcp(40000, 179))),
        frame(ipv4(6, OTHER, MSEE, tcp(179, 40000))),
        frame(ipv4(6, CE, MSEE, tcp(40000, 179), fragment=0x2000)),
        frame(ipv4(6, CE, MSEE, tcp(40000, 179), fragment=3)),
        frame(ipv4(1, CE, MSEE, bytes.fromhex("0800000000000000") + BFD)),
        frame(ipv4(1, CE, MSEE, bytes.fromhex("0303000000000000") + ipv4(6, CE, OTHER, tcp(1, 2)))),
        ETHERNET + b"\x86\xdd" + BGP,
        ETHERNET + b"\x81\x00",
        b"",
    ],
)
def test_everything_else_is_data(octets: bytes) -> None:
    assert not is_routing(octets, BETWEEN)


@pytest.mark.parametrize(
    "whole", [frame(BGP), frame(BFD), frame(ipv4(1, CE, MSEE, bytes.fromhex("0303000000000000") + BFD))]
)
def test_cut_anywhere_it_raises_nothing(whole: bytes) -> None:
    for length in range(len(whole)):
        is_routing(whole[:length], BETWEEN)


def judged(tmp_path: Path, expect: Expectation) -> SegmentReport:
    """The report on a capture of a hundred frames of BGP, read as captures are: in bulk."""
    path = tmp_path / "ce--msee.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file)
        writer.add_interface(name="link1")
        for number in range(100):
            writer.write(frame(BGP), timestamp_ns=number, original_length=len(frame(BGP)), direction=Direction.OUTBOUND)
    (segment,) = examine([Segment(name="ce--msee", capture=path, expect=expect)], []).segments
    return segment


def test_the_verdict_lets_routing_be_and_counts_it_as_what_it_is(tmp_path: Path) -> None:
    ipsec = Expectation(layers=(Layer.IPSEC,))
    assert judged(tmp_path, ipsec).verdict is Verdict.VIOLATED
    allowed = judged(tmp_path, replace(ipsec, routing_between=((CE, MSEE),)))
    assert allowed.verdict is Verdict.UNPROVEN, "routing proves nothing of data"
    assert allowed.census["cleartext"].frames == 100
    assert [(finding.code, finding.count) for finding in allowed.findings] == [("routing", 100)]
    elsewhere = judged(tmp_path, replace(ipsec, routing_between=((CE, OTHER),)))
    assert elsewhere.verdict is Verdict.VIOLATED
