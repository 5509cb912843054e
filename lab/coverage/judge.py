"""Judging what was observed, against what was expected, or against nothing but the rule that nothing may be clear.

PROVEN needs positive evidence, VIOLATED names frames, everything else is UNPROVEN with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.coverage import census
from lab.coverage.catalogue import explained
from lab.coverage.document import DirectionReport, Finding, Severity, Verdict
from lab.coverage.findings import by_severity, collect, summaries, unwanted_inside, unwanted_outermost
from lab.coverage.judge_directions import Demand, direction_report, judged, settled
from lab.coverage.observe import Observation, Watch
from lab.coverage.routing import pairs
from lab.model.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known beside the capture: the canaries' tokens, how much is enough, what taps lost.

    `minimum_frames` is for each direction. `dropped` counts lost frames that the capture itself does not tell of.
    """

    tokens: tuple[bytes, ...] = ()
    minimum_frames: int = 1
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one segment. `reasons` is never empty."""

    verdict: Verdict
    reasons: tuple[str, ...]
    directions: tuple[DirectionReport, ...]
    findings: tuple[Finding, ...]


def watch(expectation: Expectation | None) -> Watch:
    """What an observer has to name the frames of."""
    return Watch(
        outermost=unwanted_outermost(expectation),
        inside=unwanted_inside(expectation),
        routing=pairs(expectation.routing_between if expectation else ()),
    )


def judge(
    seen: Observation, expectation: Expectation | None, evidence: Evidence, beside: Iterable[Finding] = ()
) -> Judgement:
    """The verdict, with every reason for it. `beside` are findings from elsewhere; some of them may bear on it."""
    findings = by_severity([*collect(seen, expectation, max(seen.dropped, evidence.dropped)), *beside])
    demand = Demand(expectation=expectation, tokens=bool(evidence.tokens))
    tallies = [tally for tally in seen.directions.all() if tally.data]
    directions = tuple(direction_report(tally, demand) for tally in tallies)
    bearing = [finding for finding in findings if finding.bears]
    wrong = summaries(bearing, Severity.CRITICAL)
    lacking = summaries(bearing, Severity.WARNING)
    if expectation is None:
        lacking += _nothing_authenticated(seen)
    else:
        lacking += _lacking_directions(directions, expectation, evidence)
    verdict = Verdict.VIOLATED if wrong else Verdict.UNPROVEN if lacking else Verdict.PROVEN
    reasons = (*wrong, *lacking) or (_why_proven(seen, directions, expectation, evidence),)
    told = [
        judged(direction, tally, demand, _lacking_in(direction, expectation, evidence))
        for direction, tally in zip(directions, tallies, strict=True)
    ]
    told = settled(told, wrong, bearing)
    return Judgement(verdict=verdict, reasons=reasons, directions=tuple(told), findings=tuple(map(explained, findings)))


def _nothing_authenticated(seen: Observation) -> list[str]:
    if not seen.frames:
        return ["the capture holds no frames"]
    if any(map(sum, seen.units.values())):  # where keys are missing, that is said already
        return []
    return ["nothing protected was seen"]


def _lacking_directions(
    directions: tuple[DirectionReport, ...], expectation: Expectation, evidence: Evidence
) -> list[str]:
    """What is missing for a proof in each direction."""
    if not directions:
        return ["no frame carries data"]
    lacking = []
    if len(directions) == 1:
        lacking.append(f"data in one direction alone: {directions[0].label}")
    for direction in directions:
        lacking += [f"{direction.label}: {each}" for each in _lacking_in(direction, expectation, evidence)]
    return lacking


def _lacking_in(direction: DirectionReport, expectation: Expectation | None, evidence: Evidence) -> list[str]:
    """What is missing for a proof in one direction."""
    if expectation is None:
        return []
    lacking = []
    enough = direction.data if expectation.is_clear else direction.authenticated
    if enough < evidence.minimum_frames:
        what = "in clear" if expectation.is_clear else f"authenticated under {expectation}"
        lacking.append(f"{enough} of {evidence.minimum_frames} frames or more {what}")
    if direction.token_frames == 0:
        where = "in clear" if expectation.is_clear else f"inside {expectation}"
        lacking.append(f"no canary found {where}")
    return lacking


def _why_proven(
    seen: Observation,
    directions: tuple[DirectionReport, ...],
    expectation: Expectation | None,
    evidence: Evidence,
) -> str:
    if expectation is not None and expectation.is_clear:
        what = "canaries found in clear" if evidence.tokens else "clear"
        return f"{what} in each direction, as expected"
    checked = sum(units[census.AUTHENTICATED] for units in seen.units.values())
    text = f"{checked} units authenticated, nothing clear"
    if not evidence.tokens:
        return text
    found = sum(direction.token_frames or 0 for direction in directions)
    return f"{text}; canary in {found} frames opened, on no wire"
