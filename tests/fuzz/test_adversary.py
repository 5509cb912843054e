"""The man in the middle meets octets that nobody meant well: nothing is raised, and what is not his passes as it is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.model.impairment import Impairment, WireDirection
from lab.replay.attacks import attack
from lab.replay.look import NEGOTIATION, PROTECTED, look
from lab.replay.order import AttackKind, AttackOrder
from lab.replay.way import Way
from tests.unit.lab.replay.recorded import everything, target

recorded = st.sampled_from(range(len(everything()))).map(lambda i: everything()[i])
spoiled = st.builds(
    lambda frame, at, octets: frame[: at % (len(frame) + 1)] + octets + frame[at % (len(frame) + 1) + len(octets) :],
    recorded,
    st.integers(0, 200),
    st.binary(max_size=8),
)
cut = st.builds(lambda frame, at: frame[: at % (len(frame) + 1)], spoiled, st.integers(0, 2000))
frames = st.one_of(spoiled, cut, st.binary(max_size=120))


@settings(max_examples=60)
@pytest.mark.parametrize("kind", AttackKind)
@given(many=st.lists(frames, max_size=12), seed=st.integers(0, 3))
def test_any_frames_in_any_attack(kind: AttackKind, many: list[bytes], seed: int) -> None:
    met = attack(AttackOrder(kind=kind, seed=seed), WireDirection.A_TO_B, target())
    for i, frame in enumerate(many):
        passed = met.meet(frame, float(i))
        concerned = {
            AttackKind.REPLAY: PROTECTED, AttackKind.TAMPER: PROTECTED, AttackKind.STRIP: PROTECTED,
            AttackKind.DOWNGRADE: NEGOTIATION, AttackKind.INJECT_CLEAR: frozenset(),
        }.get(kind)  # fmt: skip
        if concerned is not None and look(frame).kind not in concerned:
            assert passed == [(0.0, frame)]
        assert all(later >= 0 and isinstance(octets, bytes) for later, octets in passed)
        assert all(isinstance(octets, bytes) for octets in met.handle_timer(float(i)))
    assert sum(met.seen.values()) == len(many)


@settings(max_examples=60)
@given(
    many=st.lists(frames, max_size=30),
    shares=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    delay=st.floats(0, 2),
    seed=st.integers(0, 9),
)
def test_no_frame_is_forgotten_on_the_way(many: list[bytes], shares: list[float], delay: float, seed: int) -> None:
    loss, corrupt, duplicate, reorder = shares
    suffered = Impairment(
        loss=loss, corrupt=corrupt, duplicate=duplicate, reorder=reorder, delay=delay, jitter=delay / 2, rate=1e6
    )
    way = Way(suffered, seed=seed)
    for i, frame in enumerate(many):
        way.put(frame, i * random.Random(seed).random())
    out = way.due(1e9)
    assert len(out) == len(many) + way.counters.duplicated - way.counters.lost
    assert way.next_due() is None
