"""Judging what was observed, against what was expected, or against nothing but the rule that nothing may be clear.

PROVEN needs positive evidence, VIOLATED names frames, everything else is UNPROVEN with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.coverage import census
from lab.coverage.directions import Tally
from lab.coverage.document import DirectionReport, Finding, Severity, Verdict
from lab.coverage.findings import collect, needed_layers, summaries, unwanted_inside, unwanted_outermost
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


def judge(seen: Observation, expectation: Expectation | None, evidence: Evidence) -> Judgement:
    """The verdict, with every reason for it."""
    findings = collect(seen, expectation, max(seen.dropped, evidence.dropped))
    directions = tuple(_direction(tally, expectation, evidence) for tally in seen.directions.all() if tally.data)
    wrong = summaries(findings, Severity.CRITICAL)
    lacking = summaries(findings, Severity.WARNING)
    if expectation is None:
        lacking += _nothing_authenticated(seen)
    else:
        lacking += _lacking_directions(directions, expectation, evidence)
    verdict = Verdict.VIOLATED if wrong else Verdict.UNPROVEN if lacking else Verdict.PROVEN
    reasons = (*wrong, *lacking) or (_why_proven(seen, directions, expectation, evidence),)
    return Judgement(verdict=verdict, reasons=reasons, directions=directions, findings=findings)


def _direction(tally: Tally, expectation: Expectation | None, evidence: Evidence) -> DirectionReport:
    needed = needed_layers(expectation)
    # Without an expectation any layer is one; where clear is expected, none is.
    layers = [under for under in range(4) if under & needed == needed and (under or expectation is not None)]
    layers = [0] if expectation is not None and expectation.is_clear else layers
    return DirectionReport(
        label=tally.label,
        frames=tally.frames,
        data=tally.data,
        authenticated=sum(tally.under[under] for under in layers if under),
        token_frames=sum(tally.tokens[under] for under in layers) if evidence.tokens else None,
    )


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
        enough = direction.data if expectation.is_clear else direction.authenticated
        if enough < evidence.minimum_frames:
            what = "in clear" if expectation.is_clear else f"authenticated under {expectation}"
            lacking.append(f"{direction.label}: {enough} of {evidence.minimum_frames} frames or more {what}")
        if direction.token_frames == 0:
            where = "in clear" if expectation.is_clear else f"inside {expectation}"
            lacking.append(f"{direction.label}: no canary found {where}")
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
