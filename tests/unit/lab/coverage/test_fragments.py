"""IP fragments put together: in any order, repeated, contradicting, lost, too many."""

from __future__ import annotations

import random

import pytest

from lab.coverage.fragments import LIFETIME_NS, MOST_DATAGRAMS, Datagram, Reassembly
from lab.coverage.sight import Fragment

WHOLE = bytes(range(200))


def piece(offset: int, *, more: bool = True, ident: int = 1) -> Fragment:
    return Fragment((b"a", b"b", ident, 50), 50, b"b", offset, more)


def cut_up(size: int = 24) -> list[tuple[Fragment, bytes]]:
    return [(piece(at, more=at + size < len(WHOLE)), WHOLE[at : at + size]) for at in range(0, len(WHOLE), size)]


class Bench:
    """A reassembly whose waiters are numbered."""

    def __init__(self) -> None:
        self.reassembly: Reassembly[int] = Reassembly()
        self.ended: list[Datagram[int]] = []
        self.count = 0

    def add(self, fragment: Fragment, octets: bytes, *, now: int = 0, cut: bool = False) -> None:
        self.count += 1
        self.ended += self.reassembly.add(fragment, octets, cut=cut, now_ns=now, waiting=self.count)


def test_pieces_in_any_order_make_the_datagram() -> None:
    for seed in range(20):
        bench, pieces = Bench(), cut_up()
        random.Random(seed).shuffle(pieces)
        for number, (fragment, octets) in enumerate(pieces, 1):
            assert not bench.ended
            bench.add(fragment, octets)
            assert bool(bench.ended) == (number == len(pieces))
        (datagram,) = bench.ended
        assert datagram.is_complete
        assert datagram.payload() == WHOLE
        assert datagram.waiting == list(range(1, len(pieces) + 1))
    assert not bench.reassembly.finish()


def test_an_exact_repetition_changes_nothing_but_who_waits() -> None:
    bench, pieces = Bench(), cut_up()
    for fragment, octets in (*pieces[:3], *pieces[:3], *pieces[3:]):
        bench.add(fragment, octets)
    (datagram,) = bench.ended
    assert datagram.is_complete
    assert datagram.payload() == WHOLE
    assert len(datagram.waiting) == len(pieces) + 3


@pytest.mark.parametrize(("fragment", "octets"), [
    (piece(24), b"x" * 24),  # other octets at the same place
    (piece(16), WHOLE[16:40]),  # the same octets, overlapping
    (piece(0), WHOLE[:32]),
    (piece(16, more=False), WHOLE[16:24]),  # an end before what is there
    (piece(64, more=False), WHOLE[64:72]),  # two ends
])  # fmt: skip
def test_contradictions_end_a_datagram(fragment: Fragment, octets: bytes) -> None:
    bench = Bench()
    bench.add(piece(0), WHOLE[:24])
    bench.add(piece(24), WHOLE[24:48])
    bench.add(piece(192, more=False), WHOLE[192:])
    bench.add(fragment, octets)
    (datagram,) = bench.ended
    assert datagram.conflict
    assert not datagram.is_complete
    assert len(datagram.waiting) == 4


def test_datagrams_do_not_mix() -> None:
    bench = Bench()
    for offset in range(0, 200, 24):
        for ident in (1, 2, 3):
            bench.add(
                piece(offset, more=offset + 24 < 200, ident=ident), bytes([ident]) * len(WHOLE[offset : offset + 24])
            )
    assert [datagram.payload() for datagram in bench.ended] == [bytes([ident]) * 200 for ident in (1, 2, 3)]


def test_what_stays_incomplete_ends_by_time_by_number_or_at_last() -> None:
    bench = Bench()
    bench.add(piece(0), WHOLE[:24], now=1000)
    bench.add(piece(0, ident=2), WHOLE[:24], now=1000 + LIFETIME_NS)
    assert not bench.ended
    bench.add(piece(0, ident=3), WHOLE[:24], now=1001 + LIFETIME_NS)
    assert [datagram.waiting for datagram in bench.ended] == [[1]]
    for ident in range(10, 10 + MOST_DATAGRAMS):
        bench.add(piece(0, ident=ident), WHOLE[:24], now=1001 + LIFETIME_NS)
    assert [datagram.waiting for datagram in bench.ended] == [[1], [2], [3]]
    left = bench.reassembly.finish()
    assert len(left) == MOST_DATAGRAMS
    assert not any(datagram.is_complete or datagram.conflict for datagram in (*bench.ended, *left))


def test_the_beginning_is_what_can_be_read_of_an_incomplete_datagram() -> None:
    bench = Bench()
    for offset in (0, 24, 72):
        bench.add(piece(offset), WHOLE[offset : offset + 24], cut=offset == 72)
    (datagram,) = bench.reassembly.finish()
    assert datagram.payload() == WHOLE[:48]
    assert datagram.cut


@pytest.mark.parametrize("empty", [0, 24, 48])
def test_a_piece_of_which_the_snap_length_left_nothing(empty: int) -> None:
    bench = Bench()
    for offset in (0, 24, 48):
        bench.add(piece(offset), b"" if offset == empty else WHOLE[offset : offset + 24], cut=offset == empty)
    (datagram,) = bench.reassembly.finish()
    assert datagram.payload() == WHOLE[:empty]
    assert datagram.cut
