"""A batch is a plain box: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

import pytest

from dataplane.batch import Batch, run_end
from dataplane.errors import LocalError


def test_frames_come_back_in_order_and_all_three_views_show_the_same_octets() -> None:
    batch = Batch(slots=3, size=8)
    batch.append(b"one")
    batch.append(b"twotwo")
    assert [bytes(frame) for frame in batch] == [b"one", b"twotwo"]
    assert len(batch) == 2
    batch.rows[1, 0] = ord("T")
    assert bytes(batch[1]) == b"Twotwo"
    assert bytes(batch.views[1][:6]) == b"Twotwo"


def test_a_cleared_batch_is_empty_and_usable_again() -> None:
    batch = Batch(slots=1, size=4)
    batch.append(b"abcd")
    batch.clear()
    assert list(batch) == []
    batch.append(b"x")
    assert bytes(batch[0]) == b"x"


def test_a_frame_outside_the_count_does_not_exist() -> None:
    batch = Batch(slots=2, size=4)
    batch.append(b"abcd")
    for index in (1, -1):
        with pytest.raises(IndexError):
            batch[index]


def test_too_much_is_refused() -> None:
    batch = Batch(slots=1, size=4)
    with pytest.raises(LocalError, match="5 octets does not fit a slot of 4"):
        batch.append(b"abcde")
    batch.append(b"abcd")
    with pytest.raises(LocalError, match="all 1 slots"):
        batch.append(b"a")
    with pytest.raises(LocalError):
        Batch(slots=0, size=4)


@pytest.mark.parametrize(
    ("lengths", "start", "count", "end"),
    [
        ([5, 5, 5], 0, 3, 3),
        ([5, 5, 6, 6], 0, 4, 2),
        ([5, 5, 6, 6], 2, 4, 4),
        ([5, 5, 5, 5], 0, 2, 2),
        ([5], 0, 1, 1),
        ([5, 5, 7, 7, 5, 0, 0], 2, 5, 4),
        ([5, 5, 7, 7, 5, 0, 0], 4, 5, 5),
    ],
)
def test_run_end(lengths: list[int], start: int, count: int, end: int) -> None:
    assert run_end(lengths, start, count) == end
