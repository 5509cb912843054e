"""Parsers meet octets that nobody meant well: a header or a WireError, nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import WireError
from dataplane.wire.esp import EspHeader
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Fragment, IPv6Header, upper_layer
from dataplane.wire.udp import UdpHeader, natt_kind


def walk(octets: bytes) -> object:
    return upper_layer(octets, IPv6Header.parse(octets))


# Octets that get past the first look of a parser, so that the later ones are met too.
STARTS = (b"", b"\x45\x00\x00", b"\x4f\x00\x00", b"\x60\x00\x00\x00\x00", bytes.fromhex("60000000002000") + bytes(33))


@pytest.mark.parametrize(
    "parse",
    [IPv4Header.parse, IPv6Header.parse, walk, IPv6Fragment.parse, UdpHeader.parse, natt_kind, EspHeader.parse,
     IkeHeader.parse],
)  # fmt: skip
@settings(max_examples=150)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=120))
def test_anything_is_parsed_or_refused(parse: Callable[[bytes], object], start: bytes, rest: bytes) -> None:
    with contextlib.suppress(WireError):
        assert parse(start + rest) is not None


@settings(max_examples=150)
@given(
    next_header=st.sampled_from([0, 43, 44, 60]),
    chain=st.lists(st.tuples(st.sampled_from([0, 43, 44, 60, 6, 59]), st.integers(0, 3), st.integers(0, 255))),
)
def test_chains_of_extension_headers_end(next_header: int, chain: list[tuple[int, int, int]]) -> None:
    payload = b"".join(bytes((kind, size, 0, odd)) + bytes(4 + 8 * size) for kind, size, odd in chain)
    packet = b"\x60\x00\x00\x00" + len(payload).to_bytes(2, "big") + bytes((next_header, 64)) + bytes(32) + payload
    with contextlib.suppress(WireError):
        found = upper_layer(packet, IPv6Header.parse(packet))
        assert 40 <= found.offset <= len(packet)
