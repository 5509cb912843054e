"""What frames suffer on a way: each fault by itself, its share, its times, and that a seed has it again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lab.model.impairment import Impairment
from lab.replay.way import LIMIT, Way

FRAMES = [bytes([i % 256, i // 256]) * 50 for i in range(2000)]


def passed(way: Way, frames: list[bytes], *, every: float = 0.01) -> list[tuple[float, bytes]]:
    """Put frames in at equal times, and give what comes out, with when, to the microsecond."""
    out: list[tuple[float, bytes]] = []

    def wait_until(now: float) -> None:
        while (due := way.next_due()) is not None and due <= now:
            out.extend((round(due, 6), frame) for frame in way.due(due))

    for i, frame in enumerate(frames):
        wait_until(i * every)
        way.put(frame, i * every)
    wait_until(1e9)
    return out


def test_nothing_is_done_when_nothing_is_to_be() -> None:
    way = Way(Impairment())
    assert passed(way, FRAMES) == [(round(i * 0.01, 6), frame) for i, frame in enumerate(FRAMES)]
    assert way.counters.as_dict() == {
        "frames": 2000,
        "lost": 0,
        "corrupted": 0,
        "duplicated": 0,
        "reordered": 0,
        "overlimit": 0,
    }


def test_a_delay_is_one_delay_for_all() -> None:
    out = passed(Way(Impairment(delay=0.5)), FRAMES)
    assert out == [(round(i * 0.01 + 0.5, 6), frame) for i, frame in enumerate(FRAMES)]


def test_jitter_stays_within_its_bounds_and_lets_frames_overtake() -> None:
    out = passed(Way(Impairment(delay=0.5, jitter=0.1), seed=1), FRAMES)
    index = {frame: i for i, frame in enumerate(FRAMES)}
    delays = [when - index[frame] * 0.01 for when, frame in out]
    assert sorted(frame for _, frame in out) == sorted(FRAMES)
    assert 0.4 <= min(delays) < 0.42
    assert 0.58 < max(delays) <= 0.6
    assert 0.49 < sum(delays) / len(delays) < 0.51
    assert any(index[first] > index[second] for (_, first), (_, second) in pairwise(out))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_shares_are_as_said(share: float) -> None:
    lossy = Way(Impairment(loss=share, delay=0.001), seed=3)
    assert len(passed(lossy, FRAMES)) + lossy.counters.lost == 2000
    assert abs(lossy.counters.lost / 2000 - share) < 0.05
    corrupting = Way(Impairment(corrupt=share, delay=0.001), seed=3)
    changed = [(a, b) for a, (_, b) in zip(FRAMES, passed(corrupting, FRAMES), strict=True) if a != b]
    assert len(changed) == corrupting.counters.corrupted
    assert abs(len(changed) / 2000 - share) < 0.05
    for before, after in changed:
        assert (int.from_bytes(before, "big") ^ int.from_bytes(after, "big")).bit_count() == 1
    doubling = Way(Impairment(duplicate=share, delay=0.001), seed=3)
    assert len(passed(doubling, FRAMES)) == 2000 + doubling.counters.duplicated
    assert abs(doubling.counters.duplicated / 2000 - share) < 0.05


def test_what_is_lost_and_doubled_passes_once_as_in_netem() -> None:
    way = Way(Impairment(loss=0.5, duplicate=1.0, delay=0.001), seed=4)
    assert len(passed(way, FRAMES)) + way.counters.lost == 4000


def test_what_is_reordered_is_not_delayed_and_so_overtakes() -> None:
    way = Way(Impairment(delay=0.1, reorder=0.25), seed=5)
    out = passed(way, FRAMES)
    index = {frame: i for i, frame in enumerate(FRAMES)}
    hurried = [frame for when, frame in out if round(when - index[frame] * 0.01, 6) == 0]
    assert len(hurried) == way.counters.reordered
    assert 400 < len(hurried) < 600
    assert all(round(when - index[frame] * 0.01, 6) in (0, 0.1) for when, frame in out)


def test_a_rate_spaces_frames_by_their_octets() -> None:
    way = Way(Impairment(rate=80_000))  # a frame of 100 octets takes 10 ms
    out = passed(way, FRAMES[:50], every=0.001)
    assert [when for when, _ in out] == [round(0.01 * (i + 1), 6) for i in range(50)]
    assert [frame for _, frame in out] == FRAMES[:50]


def test_a_rate_that_is_not_used_up_costs_a_frame_its_own_time() -> None:
    out = passed(Way(Impairment(rate=80_000, delay=0.5)), FRAMES[:5], every=1.0)
    assert [when for when, _ in out] == [0.51, 1.51, 2.51, 3.51, 4.51]


def test_no_more_than_the_limit_wait() -> None:
    way = Way(Impairment(delay=10))
    for frame in FRAMES:
        way.put(frame, 0.0)
    assert len(way) == LIMIT
    assert way.counters.overlimit == 2000 - LIMIT


def test_what_waits_can_be_let_go_in_its_order() -> None:
    way = Way(Impairment(delay=10))
    for frame in FRAMES[:5]:
        way.put(frame, 0.0)
    assert way.due(9.9) == []
    assert way.drain() == FRAMES[:5]
    assert way.next_due() is None


def test_a_frame_can_come_later_than_the_others() -> None:
    way = Way(Impairment())
    way.put(b"late", 1.0, later=0.5)
    way.put(b"now", 1.0)
    assert way.due(1.0) == [b"now"]
    assert way.due(1.5) == [b"late"]


def test_the_same_seed_makes_the_same_faults_and_another_one_others() -> None:
    all_of_it = Impairment(delay=0.1, jitter=0.05, loss=0.1, corrupt=0.1, duplicate=0.1, reorder=0.1, rate=1_000_000)
    outs = [
        passed(Way(all_of_it, seed=seed, name=name), FRAMES) for seed, name in ((7, "x"), (7, "x"), (8, "x"), (7, "y"))
    ]
    assert outs[0] == outs[1]
    assert outs[0] != outs[2]
    assert outs[0] != outs[3]


def test_one_share_changed_leaves_the_other_faults_where_they_are() -> None:
    def lost(loss: float, corrupt: float) -> set[bytes]:
        way = Way(Impairment(loss=loss, corrupt=corrupt, delay=0.001), seed=9)
        return set(FRAMES) - {frame for _, frame in passed(way, FRAMES)}

    assert lost(0.1, 0.0) <= lost(0.2, 0.0)
    assert lost(0.1, 0.0) <= lost(0.1, 0.3)


def test_a_change_keeps_the_times_of_what_waits() -> None:
    way = Way(Impairment(delay=1.0))
    way.put(b"old", 0.0)
    way.change(Impairment(delay=0.1))
    way.put(b"new", 0.0)
    assert way.due(0.5) == [b"new"]
    assert way.due(1.0) == [b"old"]


def test_what_need_not_wait_is_never_too_much() -> None:
    way = Way(Impairment())
    for frame in FRAMES:
        way.put(frame, 0.0, later=1.0)
    way.put(b"at once", 0.0)
    assert way.due(0.0) == [b"at once"]
    assert (len(way), way.counters.overlimit) == (LIMIT, 2000 - LIMIT)
