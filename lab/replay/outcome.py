"""A replay's outcome, as data: {"schema": "wireproof.replay/1", ...}. Its fields are added to, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from lab.replay.look import PROTECTED, Kind
from lab.replay.player import Fate, Played

SCHEMA = "wireproof.replay/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the replay showed to be wrong at a receiver. `frames` are the capture's numbers."""

    code: str
    severity: str
    text: str
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive frames with the same fate."""

    first: int
    last: int
    count: int
    sender: str
    kind: Kind
    what: str
    exact: bool


def findings(played: Played) -> tuple[Finding, ...]:
    """What is wrong: a protected frame that was recorded is accepted only where nothing guards against replay."""
    accepted = [fate for fate in played.fates if fate.accepted and fate.kind in PROTECTED | {Kind.MKA}]
    found = []
    for kind in sorted({fate.kind for fate in accepted}):
        frames = tuple(fate.number for fate in accepted if fate.kind is kind)
        names = ", ".join(sorted({fate.what for fate in accepted if fate.kind is kind}))
        text = (
            f"{len(frames)} {kind} frame{'s' if len(frames) > 1 else ''} from a recording accepted ({names}): "
            "no anti-replay rule stops them, or its window is wide open"
        )
        found.append(Finding(code="replay-accepted", severity="critical", text=text, frames=frames))
    for first, last, least, of in played.mixed:
        text = (
            f"of {of} protected frames from a recording, {first} to {last}, {least} or more were accepted; "
            "send them one by one (`--at rate=20`) to see which"
        )
        found.append(Finding(code="replay-accepted", severity="critical", text=text, frames=(first, last)))
    return tuple(found)


def attribution(played: Played) -> str:
    """How fates were found out: `frame by frame`, `by groups` or `by totals`."""
    if played.groups == played.sent:
        return "frame by frame"
    return "by totals" if played.groups <= 1 else "by groups"


def runs(fates: Iterable[Fate]) -> Iterator[Run]:
    """The fates, with consecutive ones that are alike taken together."""
    for key, same in groupby(fates, lambda fate: (fate.sender, fate.kind, fate.what, fate.exact)):
        members = list(same)
        sender, kind, what, exact = key
        yield Run(
            first=members[0].number,
            last=members[-1].number,
            count=len(members),
            sender=sender,
            kind=kind,
            what=what,
            exact=exact,
        )


def document(played: Played, *, capture: str, segment: str, pace: str) -> dict[str, object]:
    """The outcome for programs."""
    return {
        "schema": SCHEMA,
        "capture": capture,
        "segment": segment,
        "pace": pace,
        "attribution": attribution(played),
        "sent": played.sent,
        "skipped": played.skipped,
        "seconds": round(played.seconds, 6),
        "interrupted": played.interrupted,
        "fates": _counted(played),
        "frames": [
            {
                "number": fate.number,
                "from": fate.sender,
                "kind": str(fate.kind),
                "octets": fate.octets,
                "fate": fate.what,
                "accepted": fate.accepted,
                "exact": fate.exact,
            }
            for fate in played.fates
        ],
        "totals": played.totals,
        "findings": [
            {"code": each.code, "severity": each.severity, "text": each.text, "frames": list(each.frames)}
            for each in findings(played)
        ],
    }


def _counted(played: Played) -> dict[str, int]:
    counted: dict[str, int] = {}
    for fate in played.fates:
        counted[fate.what] = counted.get(fate.what, 0) + 1
    return counted
