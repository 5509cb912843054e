"""The two window rules by tables, by runs, and beside a window that remembers everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.antireplay import Bitmap, LowestAcceptable, extend_esn, extend_pn
from dataplane.errors import LocalError

OK, NO = True, False

# Numbers in order of arrival, each with what the lowest acceptable number and the bitmap say to it.
TABLE = [
    pytest.param(1, [(1, OK, OK), (2, OK, OK), (2, OK, NO), (1, NO, NO), (9, OK, OK)], id="size 1"),
    pytest.param(32, [(0, NO, NO), (1, OK, OK), (1, OK, NO)], id="0 never, the first one once"),
    pytest.param(32, [(2, OK, OK), (75, OK, OK), (50, OK, OK), (3, NO, NO), (50, OK, NO)], id="the published sequence"),
    pytest.param(32, [(40, OK, OK), (9, OK, OK), (8, NO, NO), (9, OK, NO), (41, OK, OK), (9, NO, NO)], id="the edge"),
    pytest.param(
        64, [(64, OK, OK), (1, OK, OK), (128, OK, OK), (65, OK, OK), (64, NO, NO), (65, OK, NO)], id="whole rings apart"
    ),
    pytest.param(
        100, [(100, OK, OK), (228, OK, OK), (129, OK, OK), (128, NO, NO), (150, OK, OK)], id="size between powers"
    ),
    pytest.param(32, [(1 << 40, OK, OK), ((1 << 40) - 31, OK, OK), ((1 << 40) - 32, NO, NO)], id="a far jump"),
    pytest.param(32, [((1 << 64) - 1, OK, OK), ((1 << 64) - 1, OK, NO), (1, NO, NO)], id="the last number there is"),
]


@pytest.mark.parametrize(("size", "arrivals"), TABLE)
def test_verdicts(size: int, arrivals: list[tuple[int, bool, bool]]) -> None:
    lowest, bitmap = LowestAcceptable(size), Bitmap(size)
    for number, lowest_says, bitmap_says in arrivals:
        assert lowest.check(number) is lowest_says, number
        assert bitmap.check(number) is bitmap_says, number
        if lowest_says:
            lowest.commit(number)
        if bitmap_says:
            bitmap.commit(number)
        assert (lowest.next, lowest.lowest) == (bitmap.next, bitmap.lowest)


def test_size_0_is_strict_order() -> None:
    window = LowestAcceptable(0)
    for number, accepted in ((1, OK), (1, NO), (5, OK), (4, NO), (5, NO), (6, OK)):
        assert window.check(number) is accepted
        if accepted:
            window.commit(number)


def test_check_changes_nothing() -> None:
    for window in (LowestAcceptable(32), Bitmap(32)):
        for _ in range(2):
            assert window.check(1000)
            assert window.check(1)
        assert (window.next, window.lowest) == (1, 1)


def test_a_window_can_start_late_and_be_told_to_move_but_never_back() -> None:
    for window in (LowestAcceptable(32, next_number=100, lowest=90), Bitmap(32, next_number=100, lowest=90)):
        assert (window.next, window.lowest) == (100, 90)
        window.raise_to(next_number=50, lowest=20)
        assert (window.next, window.lowest) == (100, 90)
        window.raise_to(next_number=100, lowest=95)
        assert (window.next, window.lowest) == (100, 95)
        window.raise_to(next_number=200, lowest=95)
        assert (window.next, window.lowest) == (200, 168)
        window.raise_to(next_number=1, lowest=300)
        assert (window.next, window.lowest) == (300, 300)


def test_what_cannot_be_a_window() -> None:
    for size in (0, 65537):
        with pytest.raises(LocalError):
            Bitmap(size)
    with pytest.raises(LocalError):
        LowestAcceptable(-1)
    with pytest.raises(LocalError):
        LowestAcceptable(1, next_number=0)


class Remembering:
    """The obvious bitmap: a set of all that was seen."""

    def __init__(self, size: int) -> None:
        self.size, self.seen, self.top = size, set[int](), 0

    def check(self, number: int) -> bool:
        return number > max(0, self.top - self.size) and number not in self.seen

    def commit(self, number: int) -> None:
        self.seen.add(number)
        self.top = max(self.top, number)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from((1, 31, 32, 64, 100, 1024, 65536)), st.data())
def test_the_ring_agrees_with_a_window_that_remembers_everything(size: int, data: st.DataObject) -> None:
    ring, oracle = Bitmap(size), Remembering(size)
    at = 1
    for step in data.draw(st.lists(st.integers(-2 * size, 3 * size), max_size=60)):
        at = max(0, at + step)
        assert ring.check(at) is oracle.check(at)
        if ring.check(at):
            ring.commit(at)
            oracle.commit(at)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from((1, 32, 100)), st.data())
def test_a_rising_run_is_the_same_as_one_by_one(size: int, data: st.DataObject) -> None:
    for make in (LowestAcceptable, Bitmap):
        as_run, one_by_one = make(size), make(size)
        for run in data.draw(st.lists(st.lists(st.integers(1, 400), min_size=1, unique=True).map(sorted), max_size=5)):
            accepted = []
            for number in run:
                if one_by_one.check(number):
                    one_by_one.commit(number)
                    accepted.append(number)
            if as_run.check_rising(run[0]):
                assert accepted == run
                as_run.commit_rising(np.array(run, np.uint64))
            else:
                for number in accepted:
                    assert as_run.check(number)
                    as_run.commit(number)
            assert (as_run.next, as_run.lowest) == (one_by_one.next, one_by_one.lowest)
            assert [as_run.check(n) for n in range(450)] == [one_by_one.check(n) for n in range(450)]


@pytest.mark.parametrize(
    ("low", "lowest", "number"),
    [
        (5, 1, 5),
        (0xFFFFFFFF, 1, 0xFFFFFFFF),
        (0x00000062, 0xFFFFFFDF, 0x1_00000062),
        (0x80000000, 0xFFFFFFDF, 0x0_80000000),
        (0x7FFFFFFF, 0x1_00000000, 0x1_7FFFFFFF),
        (0xFFFFFFFF, 0x1_7FFFFFFF, 0x1_FFFFFFFF),
        (0x00000000, 0x1_80000000, 0x2_00000000),
        (0x00000005, 0xFFFFFFFF_FFFFFFF0, 5),
    ],
)
def test_extend_pn(low: int, lowest: int, number: int) -> None:
    assert extend_pn(low, lowest) == number


@pytest.mark.parametrize(
    ("low", "lowest", "number"),
    [
        (5, 1, 5),
        (0xFFFFFFFF, 1, 0xFFFFFFFF),
        (0, 1, 0x1_00000000),
        (0xFFFFFFFC, 0xFFFFFFF0, 0xFFFFFFFC),
        (3, 0xFFFFFFF0, 0x1_00000003),
        (0xFFFFFFEF, 0xFFFFFFF0, 0x1_FFFFFFEF),
        (0xFFFFFFF0, 0x5_FFFFFFF0, 0x5_FFFFFFF0),
        (0x00000005, 0xFFFFFFFF_FFFFFFF0, 5),
    ],
)
def test_extend_esn(low: int, lowest: int, number: int) -> None:
    assert extend_esn(low, lowest) == number


@given(st.integers(1, (1 << 64) - 1), st.integers(0, (1 << 31) - 1))
def test_what_lies_within_2_31_ahead_of_the_lowest_number_is_recovered(lowest: int, ahead: int) -> None:
    number = lowest + ahead
    if number < 1 << 64:
        assert extend_pn(number & 0xFFFFFFFF, lowest) == number
        assert extend_esn(number & 0xFFFFFFFF, lowest) == number
    else:
        assert not LowestAcceptable(32, lowest=lowest).check(extend_pn(number & 0xFFFFFFFF, lowest))
