"""A replay's outcome, as data: {"schema": "wireproof.replay/1", ...}. Its fields are added to, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
class Alike:
    """Frames of one sender and kind that met the same fate. `numbers` ascend as they were sent."""

    sender: str
    kind: Kind
    what: str
    exact: bool
    numbers: tuple[int, ...]


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


def alike(fates: Iterable[Fate]) -> list[Alike]:
    """The fates, with those that are alike taken together, in the order in which each was met first."""
    found: dict[tuple[str, Kind, str, bool], list[int]] = {}
    for fate in fates:
        found.setdefault((fate.sender, fate.kind, fate.what, fate.exact), []).append(fate.number)
    return [
        Alike(sender=sender, kind=kind, what=what, exact=exact, numbers=tuple(numbers))
        for (sender, kind, what, exact), numbers in found.items()
    ]


def ranges_text(numbers: Sequence[int], most: int = 8) -> str:
    """Numbers that ascend, as `1-3, 5, ...`: the first ranges of them."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    said = [f"{first}-{last}" if first != last else str(first) for first, last in ranges[:most]]
    return ", ".join([*said, "..."] if len(ranges) > most else said)


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
