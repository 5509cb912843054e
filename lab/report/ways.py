"""The ways of canaries: for each pair of nodes, each way, the segments in order and what a canary lay in there.

A canary that is echoed comes back the other way, maybe by another path: from the first frame on that its target sent,
what is seen belongs to that way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lab.coverage.facts import CanaryPath, HopReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A segment on a way: in each form, how many canaries were seen there."""

    segment: str
    direction: str
    forms: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From one node to another: how many canaries were seen on it, and where."""

    source: str
    target: str
    canaries: int
    stretches: tuple[Stretch, ...]


@dataclass(slots=True)
class _Gathered:
    numbers: set[int] = field(default_factory=set)
    seen: dict[tuple[str, str], dict[str, set[int]]] = field(default_factory=dict)
    places: dict[tuple[str, str], list[int]] = field(default_factory=dict)


_SHORTEST: Final = 2  # a canary that stays on one wire is there to show that the tap works


def ways(paths: Iterable[CanaryPath]) -> tuple[Way, ...]:
    """The ways of more than one segment, in the order in which they were first sent."""
    gathered: dict[tuple[str, str], _Gathered] = {}
    for path in paths:
        there, back = _there_and_back(path)
        for pair, hops in (((path.source, path.target), there), ((path.target, path.source), back)):
            if hops:
                _gather(gathered.setdefault(pair, _Gathered()), path.number, hops)
    return tuple(
        _way(pair, each) for pair, each in gathered.items() if len({segment for segment, _ in each.seen}) >= _SHORTEST
    )


def telling(found: Iterable[Way]) -> tuple[Way, ...]:
    """Without the ways that are a part of another one, and in the same forms there."""
    known = [(way, _forms(way)) for way in found]
    return tuple(way for way, forms in known if not any(forms < others for _, others in known))


def _forms(way: Way) -> frozenset[tuple[str, str, str]]:
    return frozenset((each.segment, each.direction, form) for each in way.stretches for form, _ in each.forms)


def _there_and_back(path: CanaryPath) -> tuple[list[HopReport], list[HopReport]]:
    for place, hop in enumerate(path.hops):
        if hop.direction.startswith(f"{path.target} to "):
            return list(path.hops[:place]), list(path.hops[place:])
    return list(path.hops), []


def _gather(into: _Gathered, number: int, hops: Iterable[HopReport]) -> None:
    into.numbers.add(number)
    for place, hop in enumerate(hops):
        where = (hop.segment, hop.direction)
        into.seen.setdefault(where, {}).setdefault(hop.form, set()).add(number)
        into.places.setdefault(where, []).append(place)


def _way(pair: tuple[str, str], gathered: _Gathered) -> Way:
    def place(where: tuple[str, str]) -> float:
        places = gathered.places[where]
        return sum(places) / len(places)

    return Way(
        source=pair[0],
        target=pair[1],
        canaries=len(gathered.numbers),
        stretches=tuple(
            Stretch(
                segment=where[0],
                direction=where[1],
                forms=tuple((form, len(numbers)) for form, numbers in gathered.seen[where].items()),
            )
            for where in sorted(gathered.seen, key=place)
        ),
    )
