"""Who is key server: a table."""

from __future__ import annotations

import itertools

import pytest

from dataplane.mka.election import Candidate, elect

LOW, MIDDLE, HIGH = (bytes.fromhex(f"02000000000{n}0001") for n in (1, 2, 3))
OTHER_PORT = bytes.fromhex("0200000000010002")


@pytest.mark.parametrize(
    ("members", "winner"),
    [
        ([], None),
        ([Candidate(16, LOW)], 0),
        ([Candidate(16, LOW), Candidate(16, HIGH)], 0),
        ([Candidate(16, LOW), Candidate(15, HIGH)], 1),
        ([Candidate(0, HIGH), Candidate(1, LOW), Candidate(1, MIDDLE)], 0),
        ([Candidate(16, OTHER_PORT), Candidate(16, LOW)], 1),
        ([Candidate(255, LOW), Candidate(254, HIGH)], 1),
        ([Candidate(255, LOW), Candidate(255, HIGH)], None),
    ],
)
def test_the_lowest_priority_number_then_the_lowest_sci(members: list[Candidate], winner: int | None) -> None:
    expected = None if winner is None else members[winner]
    assert all(elect(order) == expected for order in itertools.permutations(members))
