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
from lab.replay.receivers import ACCEPTED, ARRIVED, TO_THE_PAE, Counts, difference
from lab.replay.shots import Shot

Receivers = Mapping[str, Mapping[str, Any]]

NOT_RECEIVED: Final = "not received"
BY_THE_KERNEL: Final = "left to the kernel"
NO_ANSWER: Final = "the driver does not answer"
_READING: Final = 0.02  # seconds that a reading takes at most, on a machine that is not busy: a pace may leave them
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
    """Where a replay happens: the ways onto the wire by the node that sends, who receives, and its counters."""

    wires: Mapping[str, Wire]
    receiver_of: Mapping[str, str]
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
        reading = self._stage.read()
        fates: dict[int, Fate] = {}
        for node in sorted(set(self._stage.receiver_of.values())):
            shots = [shot for shot in self._open if self._stage.receiver_of[shot.sender or ""] == node]
            now = reading[node]
            if not now["driver"] or not now["answers"]:
                why = NO_ANSWER if now["driver"] else BY_THE_KERNEL
                fates |= {shot.number: _fate(shot, why, accepted=None, exact=False) for shot in shots}
            elif shots:
                judged, accepted = judge(shots, difference(self._last[node]["counters"], now["counters"]))
                fates |= {fate.number: fate for fate in judged}
                self._note_mixed(played, judged, accepted)
        played.fates += [fates[shot.number] for shot in self._open]
        played.groups += 1
        self._last, self._open = reading, []

    @staticmethod
    def _note_mixed(played: Played, judged: Sequence[Fate], accepted: int) -> None:
        """Frames of which some were accepted, and nobody knows which."""
        mixed = [fate for fate in judged if fate.accepted is None and fate.kind in PROTECTED]
        if mixed and accepted:
            played.mixed.append((mixed[0].number, mixed[-1].number, min(accepted, len(mixed)), len(mixed)))


def judge(shots: Sequence[Shot], counted: Mapping[str, int]) -> tuple[list[Fate], int]:
    """What became of frames sent one after the other, by what their receiver counted meanwhile; how many it accepted.

    All of them, and all that others sent, is in `counted`.
    """
    # 802.1X-2020 6.2: whatever a SecY thinks of it, EAPOL is the PAE's.
    fates = [_fate(shot, TO_THE_PAE, accepted=False, exact=True) for shot in shots if _is_eapol(shot)]
    judged = [shot for shot in shots if not _is_eapol(shot)]
    refused = {name: count for name, count in counted.items() if count > 0 and name not in _NEUTRAL | ACCEPTED}
    delivered = {name: count for name, count in counted.items() if count > 0 and name in ACCEPTED}
    sent, lost = len(judged), max(0, len(shots) - counted.get(ARRIVED, 0))
    is_alone = counted.get(ARRIVED, 0) <= len(shots)
    if lost:
        refused[NOT_RECEIVED] = lost
    stopped = min(sent, sum(refused.values()))
    if stopped == sent:
        exact = is_alone and len(refused) == 1
        return [*fates, *_same(judged, refused, accepted=False, exact=exact)], 0
    names = {**refused, **(delivered or {"accepted": 0})}
    if not stopped:  # nothing was refused of all that came, so none of these was
        exact = len(delivered) == 1
        return [*fates, *_same(judged, names, accepted=True, exact=exact)], sent
    # Some this, some that: which is which, nobody has counted.
    return [*fates, *_same(judged, names, accepted=None, exact=False)], sent - stopped


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
