"""Each attack, met by frames of every protocol: what it does, to which frames, how often, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataplane.batch import Batch
from dataplane.macsec.secy import SecY
from lab.model.impairment import WireDirection
from lab.replay.attacks import Attack, attack, meet_all
from lab.replay.forge import MARK
from lab.replay.look import NEGOTIATION, PROTECTED, Kind, look
from lab.replay.order import AttackKind, AttackOrder, How
from tests.unit.dataplane.macsec.pair import clear_frame, make_sak, receiver, sender
from tests.unit.lab.replay.recorded import everything, target

A_TO_B = WireDirection.A_TO_B


def begun(kind: str, **options: object) -> Attack:
    order = AttackOrder(kind=AttackKind(kind), **options)  # type: ignore[arg-type]
    return attack(order, A_TO_B, target())


def protected(count: int, *, secy: SecY | None = None, octets: int = 100) -> list[bytes]:
    clear, wire = Batch(count, 256), Batch(count, 256)
    for i in range(count):
        clear.append(clear_frame(octets, fill=i))
    (secy or sender()).protect(clear, wire)
    return [bytes(frame) for frame in wire]


def counted(frames: list[bytes]) -> dict[str, int]:
    """What a SecY makes of frames; `delivered` are those that it lets through."""
    secy, channel = receiver()
    wire, clear, delivered = Batch(1, 256), Batch(1, 256), 0
    for frame in frames:
        wire.clear()
        wire.append(frame)
        secy.validate(wire, clear)
        delivered += clear.count
    counters = {
        name: getattr(where, name)
        for where in (channel.counters, secy.counters)
        for name in where.__dataclass_fields__
        if getattr(where, name) and "Octets" not in name
    }
    return {"delivered": delivered, **counters}


def through(attacked: Attack, frames: list[bytes]) -> list[bytes]:
    """The frames that go on, in the order of their times."""
    out = [
        (i * 0.01 + later, i, frame)
        for i, octets in enumerate(frames)
        for later, frame in attacked.meet(octets, i * 0.01)
    ]
    return [frame for _, _, frame in sorted(out, key=lambda each: each[:2])] + attacked.end()


@pytest.mark.parametrize(
    ("kind", "did", "expected"),
    [
        ("replay", "replayed", {"delivered": 20, "InPktsOK": 20, "InPktsLate": 20}),
        ("tamper", "tampered", {"delivered": 0, "InPktsNotValid": 20}),
        ("drop", "dropped", {"delivered": 0}),
        ("delay", "delayed", {"delivered": 20, "InPktsOK": 20}),
        ("duplicate", "duplicated", {"delivered": 20, "InPktsOK": 20, "InPktsLate": 20}),
        ("strip", "stripped", {"delivered": 0, "InPktsNoTag": 20}),
    ],
)
def test_what_a_secy_makes_of_it(kind: str, did: str, expected: dict[str, int]) -> None:
    attacked = begun(kind)
    assert counted(through(attacked, protected(20))) == expected
    assert attacked.did == {did: 20}
    assert attacked.seen == {"macsec": 20}


def test_reordered_frames_swap_places() -> None:
    frames = protected(4)
    assert through(begun("reorder", count=1), frames) == [frames[1], frames[0], *frames[2:]]
    assert through(begun("reorder"), frames) == [frames[1], frames[0], frames[3], frames[2]]
    assert counted(through(begun("reorder"), frames)) == {"delivered": 2, "InPktsOK": 2, "InPktsLate": 2}


def test_a_frame_that_is_held_back_comes_although_no_other_does() -> None:
    attacked = begun("reorder")
    assert attacked.meet(b"only", 5.0) == []
    assert attacked.next_timeout() == 6.0
    assert attacked.handle_timer(6.0) == [b"only"]
    assert attacked.next_timeout() is None
    assert attacked.end() == []


def test_forged_frames_are_clear_and_as_if_protected_in_turn_and_none_is_delivered() -> None:
    attacked = begun("inject-clear", wait=0.5)
    frames = protected(3)
    assert through(attacked, frames) == frames
    forged = []
    for i in range(10):
        assert attacked.next_timeout() == (0.0 if i == 0 else i * 0.5 - 0.5 + 0.5)
        forged += attacked.handle_timer(i * 0.5)
    kinds = [look(frame).kind for frame in forged]
    assert kinds == [Kind.CLEAR, Kind.MACSEC] * 5
    assert all(MARK in frame for frame in forged[::2])
    assert counted([*frames, *forged]) == {
        "delivered": 3,
        "InPktsOK": 3,
        "InPktsNoTag": 5,
        "InPktsNotValid": 5,
    }
    assert attacked.did == {"forged clear": 5, "forged protected": 5}


def test_without_a_pattern_forged_frames_are_clear_and_a_count_ends_them() -> None:
    attacked = begun("inject-clear", count=3)
    forged = [frame for i in range(10) for frame in attacked.handle_timer(i * 1.0)]
    assert [look(frame).kind for frame in forged] == [Kind.CLEAR] * 3
    assert attacked.is_done
    assert attacked.next_timeout() is None


def test_a_count_ends_it_and_chooses_the_same_first_ones() -> None:
    frames = protected(100)
    few, many = (through(begun("tamper", seed=2, share=0.3, count=count), frames) for count in (5, None))
    changed = [i for i, frame in enumerate(few) if frame != frames[i]]
    assert len(changed) == 5
    assert changed == [i for i, frame in enumerate(many) if frame != frames[i]][:5]


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_a_share_is_as_said_and_a_seed_has_it_again(share: float) -> None:
    frames = protected(1000)
    outs = [through(begun("drop", seed=seed, share=share), frames) for seed in (1, 1, 2)]
    assert outs[0] == outs[1]
    assert abs(1 - len(outs[0]) / 1000 - share) < 0.06
    assert outs[0] != outs[2] or share == 1.0


CONCERNS: dict[str, Callable[[Kind], bool]] = {
    "replay": PROTECTED.__contains__,
    "tamper": PROTECTED.__contains__,
    "strip": PROTECTED.__contains__,
    "downgrade": NEGOTIATION.__contains__,
    "drop": lambda kind: True,
    "delay": lambda kind: True,
    "duplicate": lambda kind: True,
}


@pytest.mark.parametrize("kind", CONCERNS)
def test_frames_that_it_does_not_concern_pass_as_they_are(kind: str) -> None:
    attacked = begun(kind)
    for frame in everything():
        passed = attacked.meet(frame, 0.0)
        if not CONCERNS[kind](look(frame).kind):
            assert passed == [(0.0, frame)]
        elif kind not in ("downgrade", "tamper"):
            assert passed != [(0.0, frame)]


def test_tampering_changes_one_bit_behind_the_header_and_mends_no_more_than_a_checksum() -> None:
    attacked = begun("tamper")
    for frame in everything():
        seen = look(frame)
        if seen.kind not in PROTECTED:
            continue
        ((_, tampered),) = attacked.meet(frame, 0.0)
        assert len(tampered) == len(frame)
        changed = [i for i, (a, b) in enumerate(zip(frame, tampered, strict=True)) if a != b]
        checksum = range(0) if seen.transport is None else range(seen.transport + 6, seen.transport + 8)
        inside = [i for i in changed if i not in checksum]
        assert len(inside) == 1
        assert seen.data <= inside[0] < seen.end
        assert look(tampered) == seen


def test_a_downgrade_can_let_negotiation_not_arrive() -> None:
    attacked = begun("downgrade", how=How.DROP)
    passed = [frame for octets in everything() for _, frame in attacked.meet(octets, 0.0)]
    assert passed == [frame for frame in everything() if look(frame).kind not in NEGOTIATION]


def test_attacks_meet_one_after_the_other_and_their_delays_add_up() -> None:
    frame = protected(1)[0]
    both = [begun("delay", wait=0.25), begun("replay", wait=1.0)]
    assert meet_all(both, frame, 0.0) == [(0.25, frame), (1.25, frame)]
    assert meet_all([begun("drop"), begun("duplicate")], frame, 0.0) == []
    assert meet_all([], frame, 0.0) == [(0.0, frame)]


def test_another_sak_is_not_needed_to_strip_what_is_not_encrypted() -> None:
    secy = sender(make_sak(confidentiality=False))
    (frame,) = through(begun("strip"), protected(1, secy=secy))
    assert frame == clear_frame(100)
