"""Which tokens are in octets, how they are spelled there, and which of them lies across two TCP segments."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.coverage.streams import Across, Streams
from lab.coverage.tokens import AS_SENT, BASE64, HEXADECIMAL, UTF_16, Sighting, Tokens

TOKENS = tuple(f"wpf-{number:02}-0123456789abcdef".encode() for number in range(40))
FEW, MANY = Tokens(TOKENS[:3]), Tokens(TOKENS)


@pytest.mark.parametrize(("spell", "spelling"), [
    (bytes, AS_SENT),
    (lambda token: token.hex().encode(), HEXADECIMAL),
    (lambda token: token.hex().upper().encode(), HEXADECIMAL),
    (lambda token: token.decode().encode("utf-16-le"), UTF_16),
    (lambda token: token.decode().encode("utf-16-be"), UTF_16),
    (lambda token: base64.b64encode(b"" + token), BASE64),
    (lambda token: base64.b64encode(b"x" + token), BASE64),
    (lambda token: base64.b64encode(b"xy" + token), BASE64),
])  # fmt: skip
def test_a_token_is_told_with_its_spelling(spell: object, spelling: str) -> None:
    assert callable(spell)
    for at in range(9):
        octets = bytes(at) + spell(TOKENS[2]) + bytes(at)
        assert FEW.found_in(octets) == MANY.found_in(octets) == {Sighting(2, spelling)}


@given(st.lists(st.one_of(st.sampled_from(TOKENS[:5]), st.binary(max_size=40)), max_size=6))
def test_what_is_found_is_what_is_there(parts: list[bytes]) -> None:
    octets = b"".join(parts)
    expected = {Sighting(place, AS_SENT) for place, token in enumerate(TOKENS) if token in octets}
    assert MANY.found_in(octets) == expected
    assert FEW.found_in(octets) == {each for each in expected if each.token < 3}
    assert MANY.are_in(octets) == bool(expected)


def segment(sequence: int, payload: bytes) -> bytes:
    return struct.pack("!HHIIBBHHH", 1000, 2000, sequence, 0, 5 << 4, 0x10, 512, 0, 0) + payload


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_token_across_two_segments_is_told_with_both_frames(order: tuple[int, int]) -> None:
    octets = b"." * 50 + TOKENS[1] + b"." * 50
    for cut in range(51, 50 + len(TOKENS[1])):
        streams: Streams[str] = Streams(FEW)
        told: list[Across[str]] = []
        for place in order:
            part = segment(7 + place * cut, (octets[:cut], octets[cut:])[place])
            told += streams.segment("flow", part, 0, len(part), "ab"[place])
        found = frozenset({Sighting(1, AS_SENT)})
        assert sorted(told) == [Across("a", found), Across("b", found)]
