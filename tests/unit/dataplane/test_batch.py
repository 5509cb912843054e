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


def test_headroom_lies_before_each_slot_and_is_nobodys() -> None:
    batch = Batch(slots=3, size=8, headroom=4)
    batch.append(b"abcdefgh")
    batch.append(b"ijkl")
    assert batch.stride == 12
    assert bytes(batch.buffer[4:12]) == b"abcdefgh"
    assert bytes(batch.buffer[12:20]) == bytes(4) + b"ijkl"
    assert batch.rows.shape == (3, 8)
    assert bytes(batch.rows[1, :4]) == b"ijkl"
    with pytest.raises(LocalError):
        Batch(slots=1, size=8, headroom=-1)


def test_a_column_is_a_field_of_every_slot_and_made_once() -> None:
    batch = Batch(slots=2, size=8, headroom=4)
    batch.append(b"\x00\x01\x02\x03")
    batch.append(b"\x04\x05\x06\x07")
    column = batch.column(">u2", 1)
    assert column.tolist() == [0x0102, 0x0506]
    column[1] = 0xAABB
    assert bytes(batch[1]) == b"\x04\xaa\xbb\x07"
    assert batch.column(">u2", 1) is column


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
