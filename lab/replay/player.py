"""Sending captured frames again, and finding out what became of each.

Receivers count and do not name frames. So their counters are read around each frame, where the pace leaves time for
that; else around a group of frames, the whole replay at topspeed. A group whose frames all met the same fate is as good
as single frames. What else travels on the wire meanwhile is counted as well: it is taken to be accepted, as it was
before, and where that leaves a doubt, the fate is not called exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS, EtherType
from lab.replay.look import PROTECTED, Kind
from lab.replay.pace import Pace
from lab.replay.receivers import ACCEPTED, ARRIVED, MKPDU, TO_THE_PAE, Counts, difference
from lab.replay.shots import Shot

Receivers = Mapping[str, Mapping[str, Any]]

NOT_RECEIVED: Final = "not received"
BY_THE_KERNEL: Final = "left to the kernel"
NO_ANSWER: Final = "the driver does not answer"
PASSED: Final = "passed on"
IKE: Final = "IKE"
_READING: Final = 0.02  # seconds that a reading takes at most, on a machine that is not busy: a pace may leave them
_PATIENCE: Final = 1.0  # seconds for a frame to be received
_GLANCE: Final = 0.005
_EAPOL: Final = EtherType.EAPOL.to_bytes(2, "big")
_NEUTRAL: Final = frozenset({ARRIVED, TO_THE_PAE})


class Wire(Protocol):
    """A way onto a wire."""

    def send(self, frame: bytes) -> str | None:
        """Put a frame on it; why not, if it cannot be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a frame: the counter that counted it, or why there is none.

    It is `exact` when no other frame can have been counted in its place. Several names, separated by ` or `, are those
    of a group's frames whose order nobody knows; `accepted` is then None.
    """

    number: int
    sender: str
    kind: Kind
    octets: int
    what: str
    accepted: bool | None
    exact: bool


@dataclass(slots=True, kw_only=True)
class Played:
    """A replay.

    `totals` are what each receiver counted from its begin to its end; `groups` how often that was read. `mixed` holds
    groups of protected frames of which some were accepted: first, last, how many at least, of how many.
    """

    fates: list[Fate] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Counts] = field(default_factory=dict)
    groups: int = 0
    mixed: list[tuple[int, int, int, int]] = field(default_factory=list)
    sent: int = 0
    seconds: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a replay happens: the ways onto the wire by the node that sends, who receives a frame, and all counters."""

    wires: Mapping[str, Wire]
    receiver_of: Callable[[Shot], str]
    read: Callable[[], Receivers]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def play(shots: Iterable[Shot], pace: Pace, stage: Stage) -> Played:
    """Send the shots at their pace; give what became of each. An interrupt ends it, and what was sent is reported."""
    began, first = stage.clock(), stage.read()
    played, player = Played(), _Player(stage, first)
    try:
        _send_all(shots, pace, stage, played, player)
    except KeyboardInterrupt:
        played.interrupted = True
    player.settle(played)
    last = stage.read()
    played.totals = {node: difference(first[node]["counters"], last[node]["counters"]) for node in last}
    played.seconds = stage.clock() - began
    return played


def _send_all(shots: Iterable[Shot], pace: Pace, stage: Stage, played: Played, player: _Player) -> None:
    due, before = stage.clock(), None
    for shot in shots:
        if shot.why is not None:
            played.skipped[shot.why] = played.skipped.get(shot.why, 0) + 1
            continue
        if before is not None and not pace.is_topspeed:
            gap = pace.gap(before, shot.timestamp_ns)
            if gap >= _READING:
                player.settle(played)
            due += gap
            stage.sleep(max(0.0, due - stage.clock()))
        before = shot.timestamp_ns
        player.send(shot, played)


class _Player:
    """Sends frames, and keeps those whose fate is not known yet."""

    def __init__(self, stage: Stage, last: Receivers) -> None:
        self._stage = stage
        self._last = last
        self._open: list[Shot] = []

    def send(self, shot: Shot, played: Played) -> None:
        """Send one."""
        assert shot.sender is not None
        refused = self._stage.wires[shot.sender].send(shot.octets)
        if refused is None:
            played.sent += 1
            self._open.append(shot)
        else:
            played.fates.append(_fate(shot, f"not sent: {refused}", accepted=False, exact=True))

    def settle(self, played: Played) -> None:
        """Learn what became of the frames since the last time."""
        if not self._open:
            return
        by_receiver: dict[str, list[Shot]] = {}
        for shot in self._open:
            by_receiver.setdefault(self._stage.receiver_of(shot), []).append(shot)
        reading = self._await(
            {receiver: sum(shot.kind is not Kind.IKE for shot in shots) for receiver, shots in by_receiver.items()}
        )
        fates: dict[int, Fate] = {}
        for receiver, shots in by_receiver.items():
            now = reading[receiver]
            if not now["driver"] or not now["answers"]:
                why = NO_ANSWER if now["driver"] else BY_THE_KERNEL
                fates |= {shot.number: _fate(shot, why, accepted=None, exact=False) for shot in shots}
                continue
            judged, accepted = judge(shots, difference(self._last[receiver]["counters"], now["counters"]))
            fates |= {fate.number: fate for fate in judged}
            self._note_mixed(played, judged, accepted)
        played.fates += [fates[shot.number] for shot in self._open]
        played.groups += 1
        self._last, self._open = reading, []

    def _await(self, sent: Mapping[str, int]) -> Receivers:
        """A reading in which as many frames have arrived as were sent, if that is so within a moment.

        A reading holds all that was sent before it, but on a machine that is busy the kernel forwards late.
        """
        stage = self._stage
        deadline = stage.clock() + _PATIENCE
        while True:
            reading = stage.read()
            missing = any(
                reading[receiver]["driver"]
                and reading[receiver]["answers"]
                and difference(self._last[receiver]["counters"], reading[receiver]["counters"]).get(ARRIVED, 0) < count
                for receiver, count in sent.items()
            )
            if not missing or stage.clock() >= deadline:
                return reading
            stage.sleep(_GLANCE)

    @staticmethod
    def _note_mixed(played: Played, judged: Sequence[Fate], accepted: int) -> None:
        """Frames of which some were accepted, and nobody knows which."""
        mixed = [fate for fate in judged if fate.accepted is None and fate.kind in PROTECTED]
        if mixed and accepted:
            played.mixed.append((mixed[0].number, mixed[-1].number, min(accepted, len(mixed)), len(mixed)))


def judge(shots: Sequence[Shot], counted: Mapping[str, int]) -> tuple[list[Fate], int]:
    """What became of frames sent one after the other, by what their receiver counted meanwhile; how many it accepted.

    All of them, and all that others sent, is in `counted`. MKPDUs are a KaY's to judge, where there is one, and IKE
    messages nobody's: an answer may be due to one that comes again.
    """
    sent, arrived = sum(shot.kind is not Kind.IKE for shot in shots), counted.get(ARRIVED, 0)
    lost, is_alone = max(0, sent - arrived), arrived <= sent
    of_kay = {name: count for name, count in counted.items() if name.startswith(MKPDU)}
    others = {
        name: count for name, count in counted.items() if not name.startswith((MKPDU, IKE)) and name not in _NEUTRAL
    }
    eapol = [shot for shot in shots if _is_eapol(shot)]
    rest = [shot for shot in shots if not _is_eapol(shot) and shot.kind is not Kind.IKE]
    fates = [_fate(shot, IKE, accepted=False, exact=True) for shot in shots if shot.kind is Kind.IKE]
    if not of_kay:
        fates += [_fate(shot, TO_THE_PAE, accepted=False, exact=True) for shot in eapol]
        eapol = []
    accepted = 0
    for same, counts in ((eapol, of_kay), (rest, others)):
        if same:
            judged, good = _judge(same, counts, lost, is_alone=is_alone)
            fates += judged
            accepted += good
    return fates, accepted


def _judge(shots: Sequence[Shot], counted: Mapping[str, int], lost: int, *, is_alone: bool) -> tuple[list[Fate], int]:
    """The same for frames that the same counters are for."""
    refused = {name: count for name, count in counted.items() if count > 0 and name not in ACCEPTED}
    delivered = {name: count for name, count in counted.items() if count > 0 and name in ACCEPTED}
    if lost:
        refused[NOT_RECEIVED] = lost
    sent = len(shots)
    stopped = min(sent, sum(refused.values()))
    if stopped == sent:
        return _same(shots, refused, accepted=False, exact=is_alone and len(refused) == 1), 0
    names = {**refused, **(delivered or {PASSED: 0})}
    if not stopped:  # nothing was refused of all that came, so none of these was
        return _same(shots, names, accepted=True, exact=len(names) == 1), sent
    # Some this, some that: which is which, nobody has counted.
    return _same(shots, names, accepted=None, exact=False), sent - stopped


def _is_eapol(shot: Shot) -> bool:
    return shot.octets[ADDRESSES_OCTETS:HEADER_OCTETS] == _EAPOL


def _same(shots: Sequence[Shot], names: Mapping[str, int], *, accepted: bool | None, exact: bool) -> list[Fate]:
    what = " or ".join(names)
    return [_fate(shot, what, accepted=accepted, exact=exact) for shot in shots]


def _fate(shot: Shot, what: str, *, accepted: bool | None, exact: bool) -> Fate:
    assert shot.sender is not None
    return Fate(
        number=shot.number,
        sender=shot.sender,
        kind=shot.kind,
        octets=len(shot.octets),
        what=what,
        accepted=accepted,
        exact=exact,
    )
