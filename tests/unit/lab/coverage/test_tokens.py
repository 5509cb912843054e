"""Tokens in octets: every spelling at every place, one token or very many, and where in a window they may be."""

from __future__ import annotations

import base64
import random

import pytest

from lab.coverage.tokens import Tokens, spellings
from tests.captures.hidden import TOKEN as HIDDEN
from tests.captures.hidden import hidden

TOKEN = b"00112233445566778899aabbccddeeff"


def many(count: int = 200) -> list[bytes]:
    dice = random.Random(5)
    return [dice.randbytes(16).hex().encode() for _ in range(count)]


@pytest.mark.parametrize("others", [0, 1, 200])
@pytest.mark.parametrize("before", range(18))
def test_every_spelling_at_every_place(others: int, before: int) -> None:
    tokens = Tokens((*many(others), TOKEN))
    for spelling in spellings(TOKEN):
        for behind in (0, 1, 7, 8, 9):
            octets = b"\xfe" * before + spelling + b"\xfe" * behind
            assert tokens.are_in(octets)
            assert {each.token for each in tokens.found_in(octets)} == {others}
            assert any(before <= place < before + len(spelling) for place in tokens.places(octets).tolist())
        assert not tokens.are_in(spelling[:-1][: len(spelling) // 2])


@pytest.mark.parametrize("others", [0, 200])
def test_nothing_is_found_in_noise(others: int) -> None:
    tokens, dice = Tokens((*many(others), TOKEN)), random.Random(6)
    for octets in (
        b"",
        b"x",
        dice.randbytes(1 << 16),
        b"0" * 5000,
        bytes(5000),
        dice.randbytes(1 << 14).hex().encode(),
    ):
        assert not tokens.are_in(octets)
        assert tokens.found_in(octets) == frozenset()
        assert len(tokens.places(octets)) <= 2, "a gram may be met by accident"


@pytest.mark.parametrize(("name", "octets"), list(hidden()), ids=[name for name, _ in hidden()])
@pytest.mark.parametrize("others", [0, 200])
def test_disguises(name: str, octets: bytes, others: int) -> None:
    assert Tokens((*many(others), HIDDEN)).are_in(octets)


@pytest.mark.parametrize("token", [b"abc", b"eight..8", bytes(range(10)), "schlüssel".encode(), b"\xff\xfe\xfd" * 3])
def test_tokens_of_any_kind(token: bytes) -> None:
    for tokens in (Tokens((token,)), Tokens((*many(), token))):
        assert tokens.are_in(b"__" + token + b"__")
        assert tokens.are_in(b"__" + token.hex().upper().encode())
        if len(token) >= 6:
            assert all(tokens.are_in(base64.b64encode(bytes(before) + token + b"xyz")) for before in range(3))
    if token == "schlüssel".encode():
        assert Tokens((token,)).are_in("ein schlüssel".encode("utf-16-le"))


def test_no_tokens_and_an_empty_one() -> None:
    assert not Tokens(())
    assert Tokens((TOKEN,))
    assert not Tokens(()).are_in(TOKEN)
    with pytest.raises(ValueError, match="an empty token"):
        Tokens((b"",))
