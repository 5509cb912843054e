"""The lowest PN of the last two seconds."""

from __future__ import annotations

from dataplane.mka.lowestpn import LowestPn


def test_it_is_the_next_pn_of_two_seconds_ago() -> None:
    lowest = LowestPn()
    assert lowest.value == 1
    told = []
    for tenth in range(50):
        lowest.note(1 + 1000 * tenth, now=10 + tenth / 10)
        told.append(lowest.value)
    assert told[:20] == [1] * 20
    assert told[21:] == [1 + 1000 * (tenth - 20) for tenth in range(21, 50)]


def test_rare_readings_err_towards_the_older_one() -> None:
    lowest = LowestPn()
    lowest.note(100, now=0.0)
    lowest.note(200, now=1.5)
    lowest.note(300, now=3.0)
    assert lowest.value == 100
    lowest.note(400, now=9.0)
    assert lowest.value == 300
