"""Looking for canary tokens in octets: as they were sent, and as careless software spells them on the way.

A token is found as it is, in hexadecimal, in UTF-16, and in base64 whatever stands before it there.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

_GRAM: Final = 8  # octets that are looked at together
_LEAST_FOR_GRAMS: Final = 2 * _GRAM - 1  # so long a spelling holds a whole gram, wherever it starts
_FEW: Final = 24  # spellings that are faster looked for one by one
_LEAST_HALF: Final = 16  # base64 digits: 96 bits, which no accident brings about
_LEAST_BASE64: Final = 6

AS_SENT: Final = "as sent"
HEXADECIMAL: Final = "in hexadecimal"
UTF_16: Final = "in UTF-16"
BASE64: Final = "in base64"


class Sighting(NamedTuple):
    """A token, by its place among those searched for, and how it is spelled where it was found."""

    token: int
    spelling: str


@final
class Tokens:
    """A set of tokens, searched for at once. Truth means that there is any.

    Where there are many, grams are looked up in a set: every spelling of 15 octets or more holds one of its 8 first
    grams at a place that is divisible by 8, wherever it starts. What a gram promises is looked for as a whole.
    """

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self._tokens: Final = tuple(dict.fromkeys(tokens))
        if b"" in self._tokens:
            raise ValueError("an empty token is found everywhere")
        self._meanings: Final[dict[bytes, Sighting]] = {}
        for place, token in enumerate(self._tokens):
            for spelling, octets in spelled(token):
                self._meanings.setdefault(octets, Sighting(place, spelling))
        self._spellings: Final = tuple(self._meanings)
        self.longest: Final = max(map(len, self._spellings), default=0)
        long = [each for each in self._spellings if len(each) >= _LEAST_FOR_GRAMS]
        many = len(self._spellings) > _FEW
        self._short: Final = [each for each in self._spellings if len(each) < _LEAST_FOR_GRAMS] if many else []
        self._grams: Final[dict[int, list[bytes]]] = {}
        for each in long if many else ():
            for at in range(_GRAM):
                self._grams.setdefault(int.from_bytes(each[at : at + _GRAM], sys.byteorder), []).append(each)
        self._many: Final = many
        self._sorted: Final = np.array(sorted(self._grams), np.uint64)

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def are_in(self, octets: bytes) -> bool:
        """Whether any token is in these octets, in any spelling."""
        if self._many:
            words = memoryview(octets)[: len(octets) & -_GRAM].cast("Q")
            if self._grams.keys().isdisjoint(words):
                return any(each in octets for each in self._short)
        return any(each in octets for each in self._spellings)

    def found_in(self, octets: bytes) -> frozenset[Sighting]:
        """Which tokens `are_in` these octets, and how they are spelled there."""
        sought: Iterable[bytes] = self._spellings
        if self._many:
            words = memoryview(octets)[: len(octets) & -_GRAM].cast("Q")
            near = {each for gram in self._grams.keys() & set(words) for each in self._grams[gram]}
            sought = (*near, *self._short)
        return frozenset(self._meanings[each] for each in sought if each in octets)

    def places(self, octets: bytes) -> NDArray[np.int64]:
        """Where something may be that `are_in` would find, in many octets: ascending places inside of each."""
        places = [
            place
            for each in (self._short if self._many else self._spellings)
            for place in _occurrences(each, octets)
        ]  # fmt: skip
        if self._many:
            words = np.frombuffer(octets, np.uint64, len(octets) // _GRAM)
            near = np.minimum(np.searchsorted(self._sorted, words), len(self._sorted) - 1)
            found = np.flatnonzero(self._sorted[near] == words) * _GRAM
            places += found.tolist()
        return np.array(sorted(places), np.int64)


def spellings(token: bytes) -> Iterator[bytes]:
    """The token, and what it becomes in hexadecimal, UTF-16 and base64."""
    return (octets for _, octets in spelled(token))


def spelled(token: bytes) -> Iterator[tuple[str, bytes]]:
    """The same, with how each is spelled."""
    yield AS_SENT, token
    yield HEXADECIMAL, token.hex().encode()
    yield HEXADECIMAL, token.hex().upper().encode()
    try:
        text = token.decode()
    except UnicodeDecodeError:
        text = token.decode("latin-1")
    yield UTF_16, text.encode("utf-16-le")
    yield UTF_16, text.encode("utf-16-be")
    for before in range(3):
        for digits in (_base64(token, before, b"+/"), _base64(token, before, b"-_")):
            half = len(digits) // 2
            if half >= _LEAST_HALF:  # a line break may stand in one half
                yield BASE64, digits[:half]
                yield BASE64, digits[half:]
            elif len(digits) >= _LEAST_BASE64:
                yield BASE64, digits


def _base64(token: bytes, before: int, signs: bytes) -> bytes:
    """The base64 digits that depend on the token alone, where so many octets modulo 3 stand before it (RFC 4648 4)."""
    digits = base64.b64encode(bytes(before) + token, signs)
    return digits[-(-before * 8 // 6) : (before + len(token)) * 8 // 6]


def _occurrences(sought: bytes, octets: bytes) -> Iterator[int]:
    place = octets.find(sought)
    while place >= 0:
        yield place
        place = octets.find(sought, place + 1)
