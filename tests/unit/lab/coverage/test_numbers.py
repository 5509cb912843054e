"""Full packet numbers from low halves, against a slow search."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.coverage.numbers import full_numbers, nearest_number, nearest_numbers

NUMBERS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**33), 2**33).map(lambda around: (2**63 + around) % 2**64),
    st.integers(0, 2**33),
    st.integers(2**64 - 2**33, 2**64 - 1),
)


@settings(max_examples=300)
@given(low=st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2**31, 2**31 - 1, 2**32 - 1])), near=NUMBERS)
def test_the_nearest_number_is_the_nearest(low: int, near: int) -> None:
    every = [
        number for upper in range((near >> 32) - 1, (near >> 32) + 2) if 0 <= (number := upper << 32 | low) < 2**64
    ]
    nearest = nearest_number(low, near)
    assert abs(nearest - near) == min(abs(number - near) for number in every)
    assert full_numbers(low, near)[0] == nearest
    assert set(full_numbers(low, near)) <= {nearest - 2**32, nearest, nearest + 2**32}
    assert all(0 <= number < 2**64 and number % 2**32 == low for number in full_numbers(low, near))


def test_over_the_wrap() -> None:
    assert nearest_number(3, 2**32 - 4) == 2**32 + 3
    assert nearest_number(2**32 - 4, 2**32 + 3) == 2**32 - 4
    assert nearest_number(5, 1) == 5
    assert nearest_number(0x90000000, 1) == 0x90000000


@settings(max_examples=300)
@given(lows=st.lists(st.integers(0, 2**32 - 1), max_size=20), near=NUMBERS)
def test_many_at_once(lows: list[int], near: int) -> None:
    edges = [near % 2**32, (near + 2**31) % 2**32, (near - 2**31) % 2**32, (near + 2**31 + 1) % 2**32]
    given_lows = [*lows, *edges, 0, 2**32 - 1]
    found = nearest_numbers(np.array(given_lows, np.int64), near)
    assert found.tolist() == [nearest_number(low, near) for low in given_lows]
