"""Each direction by itself: what protected it, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lab.coverage import census
from lab.coverage.directions import Tally
from lab.coverage.document import DirectionReport, Finding, Severity, Verdict
from lab.coverage.findings import needed_layers, summaries, unwanted_outermost
from lab.model.expectation import Expectation

X_MACSEC: Final = "X_MACSEC"
X_IPSEC: Final = "X_IPSEC"
X_BOTH: Final = "X_BOTH"
NX: Final = "NX"
NX_BYPASS: Final = "NX_BYPASS"
NX_INTEGRITY_ONLY: Final = "NX_INTEGRITY_ONLY"
NX_NULL: Final = "NX_NULL"
NX_CONTROL: Final = "NX_CONTROL"
NX_UNVERIFIED: Final = "NX_UNVERIFIED"
NX_MALFORMED: Final = "NX_MALFORMED"

_UNDER: Final = {census.UNDER_MACSEC: X_MACSEC, census.UNDER_IPSEC: X_IPSEC, 3: X_BOTH}
_OF_ANY_DIRECTION: Final = frozenset({"dropped", "truncated"})
_PLAIN: Final = {
    census.CONTROL: NX_CONTROL,
    census.MKA: NX_CONTROL,
    census.IKE: NX_CONTROL,
    census.ESP_NULL: NX_NULL,
    census.MALFORMED: NX_MALFORMED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of a direction: an expectation, and whether canaries were sent."""

    expectation: Expectation | None
    tokens: bool


def direction_report(tally: Tally, demand: Demand) -> DirectionReport:
    """One direction, without a verdict yet."""
    expectation = demand.expectation
    layers = _demanded(expectation)
    kinds: dict[str, int] = {}
    coverage: dict[str, int] = {}
    for (kind, under), frames in sorted(tally.kinds.items()):
        kinds[census.NAMES[kind]] = kinds.get(census.NAMES[kind], 0) + frames
        word = _word(kind, under, expectation)
        coverage[word] = coverage.get(word, 0) + frames
    return DirectionReport(
        label=tally.label,
        frames=tally.frames,
        data=tally.data,
        authenticated=sum(tally.under[under] for under in layers if under),
        token_frames=sum(tally.tokens[under] for under in layers) if demand.tokens else None,
        census=kinds,
        coverage=coverage,
    )


def judged(direction: DirectionReport, tally: Tally, demand: Demand, lacking: list[str]) -> DirectionReport:
    """The direction with its verdict; `lacking` is what it needs for a proof."""
    wrong = list(_wrong(tally, demand.expectation))
    if wrong:
        return replace(direction, verdict=Verdict.VIOLATED, reasons=tuple(wrong))
    if lacking:
        return replace(direction, verdict=Verdict.UNPROVEN, reasons=tuple(lacking))
    if demand.expectation is None and not direction.authenticated:
        return replace(direction, verdict=Verdict.UNPROVEN, reasons=("nothing in this direction was authenticated",))
    return replace(direction, verdict=Verdict.PROVEN, reasons=(_why(direction, demand),))


def settled(directions: list[DirectionReport], wrong: list[str], bearing: list[Finding]) -> list[DirectionReport]:
    """The directions with what bears on the segment: none is better than what is known of it."""
    unclear = summaries(bearing, Severity.WARNING)
    if unclear:
        lost = summaries((each for each in bearing if each.code in _OF_ANY_DIRECTION), Severity.WARNING)
        directions = [_doubted(direction, lost) for direction in directions]
    if wrong and not any(each.verdict is Verdict.VIOLATED for each in directions):  # nobody knows which way it went
        return [replace(each, verdict=Verdict.VIOLATED, reasons=tuple(wrong)) for each in directions]
    if unclear and all(each.verdict is Verdict.PROVEN for each in directions):
        return [replace(each, verdict=Verdict.UNPROVEN, reasons=tuple(unclear)) for each in directions]
    return directions


def _doubted(direction: DirectionReport, lost: list[str]) -> DirectionReport:
    unverified = direction.coverage.get(NX_UNVERIFIED, 0)
    doubts = [*lost, *([f"{_frames(unverified)} not verified"] if unverified else [])]
    if direction.verdict is not Verdict.PROVEN or not doubts:
        return direction
    return replace(direction, verdict=Verdict.UNPROVEN, reasons=tuple(doubts))


def _wrong(tally: Tally, expectation: Expectation | None) -> Iterator[str]:
    unwanted = unwanted_outermost(expectation) | {census.MALFORMED}
    counts = dict.fromkeys(sorted(unwanted), 0)
    for (kind, _), frames in tally.kinds.items():
        if kind in counts:
            counts[kind] += frames
    yield from (f"{_frames(count)} of class {census.NAMES[kind]}" for kind, count in counts.items() if count)
    if tally.failed:
        yield f"{_frames(tally.failed)} not authentic"
    if expectation is not None and expectation.is_clear:
        return
    layers = set(_demanded(expectation))
    misplaced = sum(count for under, count in enumerate(tally.tokens) if under not in layers)
    if expectation is None or not expectation.integrity_only:
        misplaced += tally.readable
    if misplaced:
        yield f"a canary where it must not be, in {_frames(misplaced)}"


def _why(direction: DirectionReport, demand: Demand) -> str:
    if demand.expectation is not None and demand.expectation.is_clear:
        return f"{_frames(direction.data)} in clear, as expected"
    return f"{_frames(direction.authenticated)} authenticated, nothing clear"


def _demanded(expectation: Expectation | None) -> list[int]:
    """The sets of layers, as bits, under which data is where it belongs."""
    if expectation is None:  # any layer is one
        return [1, 2, 3]
    if expectation.is_clear:
        return [0]
    needed = needed_layers(expectation)
    return [under for under in range(4) if under & needed == needed]


def _word(kind: int, under: int, expectation: Expectation | None) -> str:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == census.CLEARTEXT:
        return NX if expectation is None or expectation.is_clear else NX_BYPASS
    if kind == census.MACSEC_INTEGRITY_ONLY and not under & census.UNDER_IPSEC:
        return NX_INTEGRITY_ONLY
    if kind == census.MACSEC_INTEGRITY_ONLY:
        return X_IPSEC
    return _UNDER.get(under, NX_UNVERIFIED)


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"
