"""Looking for canary tokens in octets: as they are, and in the encodings that applications put text into.

A canary's token is 32 hexadecimal digits. So one pass for each encoding finds whatever looks like such digits, and a
look-up tells whether it is a token: a thousand tokens cost no more than one. Any other token is searched for by itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

RAW: Final = "as sent"
UPPER_CASE: Final = "in upper case"
UTF_16: Final = "in UTF-16"
HEX: Final = "in hexadecimal"
BASE64: Final = "in base64"

_DIGITS: Final = 32
_TOKEN: Final = re.compile(rb"[0-9a-f]{32}")
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Sighting(NamedTuple):
    """A token, by its place among those searched for, and the encoding in which it was found."""

    token: int
    encoding: str


def _base64_of_digits() -> bytes:
    """What base64 makes of three hexadecimal digits, as a pattern: each of the four signs can be one of few."""
    digits = b"0123456789abcdef"
    triples = {base64.b64encode(bytes((a, b, c))) for a in digits for b in digits for c in digits}
    signs = [bytes(sorted({triple[place] for triple in triples})) for place in range(4)]
    return b"".join(b"[" + re.escape(each) + b"]" for each in signs)


def _marks(signs: bytes, mark: bytes = b"x") -> bytes:
    """A table for `translate` that marks some octets and makes all others alike."""
    return bytes(mark[0] if octet in signs else 0xFF if octet else 0 for octet in range(256))


# For each encoding: a quick look whether any run of its signs is long enough, then the pattern of such a run. Of 32
# digits in base64, ten whole groups of three are there, whatever stands before and behind.
_RUNS: Final = (
    (RAW, _marks(b"0123456789abcdef"), b"x" * 32, re.compile(rb"[0-9a-f]{32,}")),
    (UPPER_CASE, _marks(b"0123456789ABCDEF"), b"x" * 32, re.compile(rb"[0-9A-F]{32,}")),
    (UTF_16, _marks(b"0123456789abcdef"), b"x" + b"\0x" * 31, re.compile(rb"[0-9a-f](?:\0[0-9a-f]){31,}")),
    (HEX, _marks(b"0123456789abcdef"), b"x" * 64, re.compile(rb"(?:3[0-9]|6[1-6]){32,}")),
    (BASE64, _marks(_ALPHABET), b"x" * 40, re.compile(rb"(?:" + _base64_of_digits() + rb"){10,}")),
)


@final
class Tokens:
    """A set of tokens, searched for at once. Truth means that there is any."""

    MOST_OCTETS: Final = 2 * _DIGITS
    """The longest that an encoded token can be; a longer token is only found whole."""

    def __init__(self, tokens: Iterable[bytes]) -> None:
        every = tuple(dict.fromkeys(tokens))
        if b"" in every:
            raise ValueError("an empty token is found everywhere")
        self._digits: Final = {token: place for place, token in enumerate(every) if _TOKEN.fullmatch(token)}
        self._others: Final = tuple(
            (pattern, Sighting(place, encoding))
            for place, token in enumerate(every)
            if token not in self._digits
            for encoding, pattern in _encoded(token)
        )
        self._any: Final = bool(every)

    def __bool__(self) -> bool:
        return self._any

    def are_in(self, octets: bytes) -> bool:
        """Whether any token is in these octets, in any encoding."""
        return bool(self.found_in(octets))

    def found_in(self, octets: bytes) -> frozenset[Sighting]:
        """The tokens in these octets."""
        found = {sighting for pattern, sighting in self._others if pattern in octets}
        if self._digits:
            for encoding, marks, least, pattern in _RUNS:
                if least not in octets.translate(marks):
                    continue
                for run in pattern.finditer(octets):
                    found.update(Sighting(token, encoding) for token in self._look_up(_decoded(encoding, octets, run)))
        return frozenset(found)

    def _look_up(self, digits: bytes) -> Iterator[int]:
        """The tokens in a run of digits; where one has been found, the search goes on behind it."""
        position = 0
        while position + _DIGITS <= len(digits):
            token = self._digits.get(digits[position : position + _DIGITS])
            if token is not None:
                yield token
            position += 1 if token is None else _DIGITS


def _decoded(encoding: str, octets: bytes, run: re.Match[bytes]) -> bytes:
    """The digits of a run in small letters, and whatever else comes out with them."""
    text = run.group()
    if encoding == UPPER_CASE:
        return b"" if text.isdigit() else text.lower()
    if encoding == UTF_16:
        return text[::2]
    if encoding == HEX:
        return binascii.unhexlify(text)
    if encoding == BASE64:
        # The token's ends may be in the groups before and behind, with something else.
        start = run.start() - 4 if run.start() >= 4 else run.start()
        around = octets[start : run.end() + 4]
        known = bytes(sign if sign in _ALPHABET else 0x41 for sign in around)
        return base64.b64decode(known[: len(known) & ~3])
    return text


def _encoded(token: bytes) -> Iterator[tuple[str, bytes]]:
    """A token in every encoding, as it is found wherever it stands."""
    yield RAW, token
    if token.isascii():
        yield UTF_16, token.decode().encode("utf-16-le")[:-1]
    yield HEX, token.hex().encode()
    for before in range(3):
        # What shares a sign with its neighbours is left out.
        sealed = base64.b64encode(bytes(before) + token)
        yield BASE64, sealed[-(-before * 8 // 6) : (before + len(token)) * 8 // 6]
