"""Seams of TCP streams: however a text is cut, repeated and shuffled, a token across cuts is found once it is there."""

from __future__ import annotations

import random
import struct

import pytest

from lab.coverage import streams
from lab.coverage.streams import Streams
from lab.coverage.tokens import Tokens

TOKEN, OTHER = b"0123456789abcdef" * 2, b"fedcba9876543210" * 2


def segment(
    sequence: int, payload: bytes, *, ports: bytes = b"\0\1\0\2", flags: int = 0x10, options: bytes = b""
) -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return ports + struct.pack("!IIBBHHH", sequence % 2**32, 0, offset, flags, 0, 0, 0) + options + payload


def feed(of: Streams[int], *segments: bytes, where: object = 0) -> list[tuple[int, int]]:
    """Give segments numbered from 1; the frames and tokens of each seam that was found."""
    found = []
    for number, octets in enumerate(segments, 1):
        found += [(each.who, token) for each in of.segment(where, octets, 0, len(octets), number)
                  for token, _ in each.found]  # fmt: skip
    return found


@pytest.mark.parametrize("at", range(1, 32))
def test_both_frames_of_a_seam_are_given(at: int) -> None:
    first, second = segment(5, b"ab" + TOKEN[:at]), segment(7 + at, TOKEN[at:] + b"cd")
    assert feed(Streams(Tokens((OTHER, TOKEN))), first, second) == [(1, 1), (2, 1)]
    assert feed(Streams(Tokens((OTHER, TOKEN))), second, first) == [(2, 1), (1, 1)]


def test_a_token_in_one_segment_is_none_of_a_seam() -> None:
    of = Streams[int](Tokens((TOKEN, OTHER)))
    assert feed(of, segment(0, TOKEN), segment(32, TOKEN)) == []
    split = (segment(0, TOKEN + OTHER[:9]), segment(41, OTHER[9:] + TOKEN))
    assert feed(Streams(Tokens((TOKEN, OTHER))), *split) == [(1, 1), (2, 1)]


def test_sequence_numbers_come_round_and_syn_takes_one() -> None:
    of = Streams[int](Tokens((TOKEN,)))
    assert feed(of, segment(2**32 - 4, TOKEN[:4]), segment(0, TOKEN[4:])) == [(1, 0), (2, 0)]
    opened = segment(99, TOKEN[:7], flags=0x02, options=b"\1\1\1\1")
    assert feed(Streams(Tokens((TOKEN,))), opened, segment(107, TOKEN[7:])) == [(1, 0), (2, 0)]


def test_streams_are_told_apart() -> None:
    of = Streams[int](Tokens((TOKEN,)))
    assert feed(of, segment(0, TOKEN[:9])) == []
    assert feed(of, segment(9, TOKEN[9:], ports=b"\0\1\0\3")) == []
    assert feed(of, segment(9, TOKEN[9:]), where="elsewhere") == []
    assert feed(Streams(Tokens((TOKEN,))), segment(0, TOKEN[:9]), segment(10, TOKEN[9:])) == [], "a gap"
    assert feed(of, segment(9, TOKEN[9:])) == [(1, 0), (1, 0)]


def test_what_is_no_whole_segment() -> None:
    of = Streams[int](Tokens((TOKEN,)))
    octets = segment(0, TOKEN)
    for end in (0, 10, 19, len(octets) + 1):
        assert of.segment(0, octets, 0, end, 1) == ()
    assert of.segment(0, octets[:12] + b"\xf0" + octets[13:], 0, 40, 1) == ()
    assert Streams[int](Tokens((b"x",))).segment(0, segment(0, b"xx"), 0, 22, 1) == ()


@pytest.mark.parametrize("seed", range(60))
def test_any_cuts_in_any_order(seed: int) -> None:
    dice = random.Random(seed)
    text = dice.randbytes(dice.randrange(60)) + TOKEN + dice.randbytes(dice.randrange(60))
    start = dice.choice((0, 1000, 2**32 - 40))
    cuts = sorted(dice.sample(range(1, len(text)), dice.randrange(1, 14)))
    pieces = list(zip((0, *cuts), (*cuts, len(text)), strict=True))
    for _ in range(dice.randrange(4)):
        low, high = sorted(dice.sample(range(len(text) + 1), 2))
        pieces.append((low, high))
    pieces = [(low, high) for low, high in pieces if TOKEN not in text[low:high]]
    covered = {place for low, high in pieces for place in range(low, high)}
    dice.shuffle(pieces)
    found = feed(Streams(Tokens((TOKEN,))), *(segment(start + low, text[low:high]) for low, high in pieces))
    at = text.index(TOKEN)
    assert bool(found) is set(range(at, at + len(TOKEN))).issubset(covered)


def test_memory_is_bounded() -> None:
    of = Streams[int](Tokens((TOKEN,)))
    for number in range(3 * streams.MOST_FLOWS):
        feed(of, segment(0, b"abc", ports=number.to_bytes(4, "big")))
    assert len(of._flows) == streams.MOST_FLOWS
    for number in range(100):
        feed(of, segment(1000 * number, b"abc"))
    assert max(map(len, of._flows.values())) <= streams.MOST_RUNS
