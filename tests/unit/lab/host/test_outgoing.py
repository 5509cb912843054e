from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.ike.nat import Endpoint
from lab.host.outgoing import name_of, runs_of


@pytest.mark.parametrize(
    ("lengths", "runs"),
    [
        ([], []),
        ([100], [1]),
        ([1448] * 45, [45]),
        ([1448] * 46, [45, 1]),
        ([100] * 64, [64]),
        ([100] * 65, [64, 1]),
        ([1448] * 10 + [500], [11]),
        ([1448] * 10 + [500, 500], [11, 1]),
        ([500, 1448], [1, 1]),
        ([1, 1, 2, 2, 1], [2, 3]),
    ],
)
def test_runs(lengths: list[int], runs: list[int]) -> None:
    assert runs_of(lengths) == runs


@given(st.lists(st.sampled_from([1, 60, 100, 1448, 9000, 65507]), max_size=200))
def test_every_run_is_one_that_the_kernel_cuts_as_it_was(lengths: list[int]) -> None:
    runs = runs_of(lengths)
    assert sum(runs) == len(lengths)
    start = 0
    for run in runs:
        part = lengths[start : start + run]
        assert len(set(part[:-1])) <= 1
        assert part[-1] <= part[0]
        assert len(part) <= 64
        assert sum(part) <= 65507
        start += run


def test_names() -> None:
    assert name_of(Endpoint("203.0.113.1", 4500))[2:8] == bytes((0x11, 0x94, 203, 0, 113, 1))
