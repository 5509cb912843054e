"""Emit and parse undo each other; every cut of a header is refused as octets, never as anything else."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import WireError
from dataplane.wire.checksum import internet_checksum
from dataplane.wire.esp import EspHeader
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Fragment, IPv6Header
from dataplane.wire.udp import UdpHeader


def bits(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << count) - 1)


def offset() -> st.SearchStrategy[int]:
    return st.integers(0, 8191).map(lambda units: 8 * units)


ipv4_headers = st.integers(0, 10).flatmap(
    lambda words: st.builds(
        IPv4Header,
        source=bits(32).map(IPv4Address),
        destination=bits(32).map(IPv4Address),
        protocol=bits(8),
        total_length=st.integers(20 + 4 * words, 65535),
        ttl=bits(8),
        dscp=bits(6),
        ecn=bits(2),
        identification=bits(16),
        dont_fragment=st.booleans(),
        more_fragments=st.booleans(),
        fragment_offset=offset(),
        options=st.binary(min_size=4 * words, max_size=4 * words),
    )
)
ipv6_headers = st.builds(
    IPv6Header,
    source=bits(128).map(IPv6Address),
    destination=bits(128).map(IPv6Address),
    next_header=bits(8),
    payload_length=bits(16),
    hop_limit=bits(8),
    dscp=bits(6),
    ecn=bits(2),
    flow_label=bits(20),
)
fragments = st.builds(
    IPv6Fragment,
    next_header=bits(8),
    fragment_offset=offset(),
    more_fragments=st.booleans(),
    identification=bits(32),
)
udp_headers = st.builds(
    UdpHeader, source_port=bits(16), destination_port=bits(16), length=st.integers(8, 65535), checksum=bits(16)
)
ike_headers = st.builds(
    IkeHeader,
    spi_i=st.binary(min_size=8, max_size=8).filter(any),
    spi_r=st.binary(min_size=8, max_size=8),
    next_payload=bits(8),
    exchange_type=bits(8),
    message_id=bits(32),
    length=st.integers(28, 2**32 - 1),
    is_initiator=st.booleans(),
    is_response=st.booleans(),
    major_version=bits(4),
    minor_version=bits(4),
    higher_version=st.booleans(),
)


@settings(max_examples=50)
@given(ipv4_headers)
def test_ipv4(header: IPv4Header) -> None:
    octets = header.emit()
    assert len(octets) == header.header_octets
    assert IPv4Header.parse(memoryview(octets), cut=True) == header
    assert internet_checksum(octets) == 0
    for end in range(len(octets)):
        with pytest.raises(WireError):
            IPv4Header.parse(octets[:end], cut=True)


@settings(max_examples=50)
@given(ipv6_headers)
def test_ipv6(header: IPv6Header) -> None:
    octets = header.emit()
    assert IPv6Header.parse(memoryview(octets), cut=True) == header
    for end in range(len(octets)):
        with pytest.raises(WireError):
            IPv6Header.parse(octets[:end], cut=True)


@settings(max_examples=50)
@given(fragments, udp_headers, ike_headers)
def test_the_others(fragment: IPv6Fragment, udp: UdpHeader, ike: IkeHeader) -> None:
    assert IPv6Fragment.parse(fragment.emit()) == fragment
    assert UdpHeader.parse(memoryview(udp.emit()), cut=True) == udp
    assert IkeHeader.parse(memoryview(ike.emit()), cut=True) == ike
    for end in range(28):
        with pytest.raises(WireError):
            IkeHeader.parse(ike.emit()[:end], cut=True)
    for end in range(8):
        with pytest.raises(WireError):
            UdpHeader.parse(udp.emit()[:end], cut=True)
        with pytest.raises(WireError):
            IPv6Fragment.parse(fragment.emit()[:end])


@given(st.integers(1, 2**32 - 1), bits(32))
def test_esp(spi: int, sequence: int) -> None:
    header = EspHeader(spi=spi, sequence=sequence)
    assert EspHeader.parse(memoryview(header.emit())) == header


@given(st.binary(max_size=65))
def test_the_checksum_is_the_sum_of_words(octets: bytes) -> None:
    total = 0
    padded = octets + b"\0" * (len(octets) % 2)
    for index in range(0, len(padded), 2):
        total += padded[index] << 8 | padded[index + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert internet_checksum(octets) == 0xFFFF - total
