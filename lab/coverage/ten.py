"""The ten kinds of evidence: what each says of a segment, and of the whole. Said from the document alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lab.coverage.census import CLEAR, NAMES
from lab.coverage.document import Report, SegmentReport, Severity
from lab.coverage.facts import Evidence, Status
from lab.model.expectation import Expectation

MET, NOT_MET, NOT_OBSERVED = Status.MET, Status.NOT_MET, Status.NOT_OBSERVED

KINDS: Final = (
    "complete census",
    "keyed authentication",
    "canary with positive control",
    "randomness",
    "downgrade set",
    "nonce discipline",
    "lifetimes and headroom",
    "path of each canary",
    "residue",
    "provenance",
)
(CENSUS, AUTHENTICATION, CANARY, RANDOMNESS, DOWNGRADE, NONCES, LIFETIMES, PATH, RESIDUE, PROVENANCE) = KINDS

_CLEAR_NAMES: Final = frozenset(NAMES[kind] for kind in CLEAR)
_EVEN: Final = 350.0
"""Chi-square for 255 degrees of freedom: more comes by chance once in tens of thousands of samples."""


def of_segment(report: SegmentReport, expect: Expectation | None) -> tuple[Evidence, ...]:
    """What the evidence says of one segment."""
    return (
        _census(report),
        _authentication(report, expect),
        _canary(report, expect),
        _randomness(report),
        _downgrades(report),
        _nonces(report),
        _lifetimes(report),
        Evidence(kind=PATH, status=NOT_OBSERVED, text="told of the whole, canary by canary"),
        _residue(report),
        _provenance(report),
    )


def of_report(report: Report) -> tuple[Evidence, ...]:
    """What the evidence says of the whole: of all segments together, and of the canaries' ways between them."""
    together = [_together(place, report) for place in range(len(KINDS))]
    together[KINDS.index(CANARY)] = _canaries(report)
    together[KINDS.index(PATH)] = _paths(report)
    return tuple(together)


def _together(place: int, report: Report) -> Evidence:
    every = [segment.evidence[place] for segment in report.segments if segment.evidence]
    statuses = [each.status for each in every]
    count = len(every)
    met, contrary = statuses.count(MET), statuses.count(NOT_MET)
    status = NOT_MET if contrary else MET if met else NOT_OBSERVED
    text = f"shown on {met} of {count} segments"
    if contrary:
        against = [segment.segment for segment, each in zip(report.segments, statuses, strict=True) if each is NOT_MET]
        text = f"contradicted on {', '.join(against)}; {text}"
    elif met < count:
        text += ", not observed on the others" if met else ": not observed"
    return Evidence(kind=KINDS[place], status=status, text=text, hint=KINDS[place] == RANDOMNESS)


def _census(report: SegmentReport) -> Evidence:
    malformed = report.census.get("malformed")
    counted = sum(count.frames for count in report.census.values())
    octets = sum(count.octets for count in report.census.values())
    text = f"{report.frames} frames, {report.octets} octets, each in exactly one class ({len(report.census)} occurred)"
    if not report.frames:
        return Evidence(kind=CENSUS, status=NOT_OBSERVED, text="the capture holds no frames")
    if (counted, octets) != (report.frames, report.octets):
        return Evidence(kind=CENSUS, status=NOT_MET, text=f"the classes add up to {counted} of {report.frames} frames")
    if malformed is not None:
        return Evidence(kind=CENSUS, status=NOT_MET, text=f"{text}; {malformed.frames} malformed, so not understood")
    if report.dropped or report.cut:
        return Evidence(kind=CENSUS, status=NOT_MET, text=f"{text}; {report.dropped} lost by the tap, {report.cut} cut")
    return Evidence(kind=CENSUS, status=MET, text=text)


def _authentication(report: SegmentReport, expect: Expectation | None) -> Evidence:
    parts = [(name, units) for name, units in report.units.items() if units.checked]
    told = ", ".join(f"{units.authenticated} of {units.checked} {name}" for name, units in parts)
    if not parts:
        meant = " and nothing was meant to be" if expect is not None and expect.is_clear else ""
        return Evidence(kind=AUTHENTICATION, status=NOT_OBSERVED, text=f"nothing is protected here{meant}")
    if any(units.failed or units.no_key or units.incomplete for _, units in parts):
        return Evidence(kind=AUTHENTICATION, status=NOT_MET, text=f"{told} units authenticated with the keys")
    return Evidence(kind=AUTHENTICATION, status=MET, text=f"{told} units authenticated with the keys, one by one")


def _canary(report: SegmentReport, expect: Expectation | None) -> Evidence:
    found = [direction.token_frames for direction in report.directions]
    if any(finding.code.startswith("canary-") for finding in report.findings):
        return Evidence(kind=CANARY, status=NOT_MET, text="a canary was found where it must not be")
    if all(count is None for count in found):
        return Evidence(kind=CANARY, status=NOT_OBSERVED, text="no canaries were sent")
    where = "in clear: the positive control" if expect is not None and expect.is_clear else "inside, after opening"
    text = f"found {where}, in {' and '.join(f'{count} frames' for count in found)}"
    if len(found) < 2 or not all(found):
        return Evidence(kind=CANARY, status=NOT_MET, text=f"{text}: not in each direction")
    if expect is None or not expect.is_clear:
        text += "; on the wire in none"
    return Evidence(kind=CANARY, status=MET, text=text)


def _randomness(report: SegmentReport) -> Evidence:
    sealed = [each for each in report.randomness if each.name not in _CLEAR_NAMES]
    told = "; ".join(
        f"{each.name}: {each.bits_per_octet:.3f} bits an octet, chi-square {each.chi_square:.0f}, in a sample of"
        f" {each.octets} octets"
        for each in report.randomness
    )
    if not sealed:
        text = told or "too few octets for a say"
        return Evidence(kind=RANDOMNESS, status=NOT_OBSERVED, text=text, hint=True)
    even = all(each.chi_square < _EVEN for each in sealed)
    return Evidence(kind=RANDOMNESS, status=MET if even else NOT_MET, text=told, hint=True)


def _downgrades(report: SegmentReport) -> Evidence:
    less = [check for check in report.downgrades if check.status is NOT_MET]
    held = [check for check in report.downgrades if check.status is MET]
    if less:
        text = "; ".join(f"{check.name}: {check.text}" for check in less)
        return Evidence(kind=DOWNGRADE, status=NOT_MET, text=text)
    text = f"{len(held)} of {len(report.downgrades)} ways to be less than it looks could be looked at; none was found"
    return Evidence(kind=DOWNGRADE, status=MET if held else NOT_OBSERVED, text=text)


def _nonces(report: SegmentReport) -> Evidence:
    found = _of_codes(report, ("nonce-reuse", "sequence-reuse"))
    if found:
        return Evidence(kind=NONCES, status=NOT_MET, text=found)
    if not report.sas:
        return Evidence(kind=NONCES, status=NOT_OBSERVED, text="no unit was authenticated")
    units, keys = sum(sa.units for sa in report.sas), len({sa.key for sa in report.sas})
    again = _of_codes(report, ("seen-again",))
    text = f"{units} units under {keys} key{'' if keys == 1 else 's'}, no nonce twice, here or on another segment"
    return Evidence(kind=NONCES, status=MET, text=f"{text}; {again}" if again else text)


def _lifetimes(report: SegmentReport) -> Evidence:
    found = _of_codes(report, ("lifetime-passed", "numbers-low"))
    if found:
        return Evidence(kind=LIFETIMES, status=NOT_MET, text=found)
    counted = [sa for sa in report.sas if sa.protocol != "ike"]
    if not counted:
        return Evidence(kind=LIFETIMES, status=NOT_OBSERVED, text="no SA was in use")
    spent, longest = max(sa.spent for sa in counted), max(sa.seconds for sa in counted)
    text = f"{len(counted)} SAs, the longest in use for {longest:.1f} s; at most {spent:.2%} of the numbers used up"
    limits = sum(sa.limit_seconds is not None or sa.limit_octets is not None for sa in counted)
    text += f"; within policy: {limits}" if limits else "; no policy is known"
    return Evidence(kind=LIFETIMES, status=MET, text=text)


def _residue(report: SegmentReport) -> Evidence:
    residue = report.residue
    if residue is None:
        return Evidence(kind=RESIDUE, status=NOT_OBSERVED, text="the capture holds no frames")
    values = sum(len(each) for each in residue.fields.values())
    text = f"{values} readable values in {len(residue.fields)} fields, {residue.distinct_lengths} lengths: listed"
    return Evidence(kind=RESIDUE, status=MET, text=text)


def _provenance(report: SegmentReport) -> Evidence:
    status = MET if report.sha256 else NOT_OBSERVED
    return Evidence(kind=PROVENANCE, status=status, text=f"{report.capture}, SHA-256 {report.sha256 or 'unknown'}")


def _canaries(report: Report) -> Evidence:
    together = _together(KINDS.index(CANARY), report)
    canaries = report.canaries
    if canaries is None:
        return together
    arrived = canaries.sent - len(canaries.lost)
    text = f"{arrived} of {canaries.sent} canaries arrived, which is the positive control; {together.text}"
    status = together.status if not canaries.lost else NOT_MET
    return Evidence(kind=CANARY, status=status, text=text)


def _paths(report: Report) -> Evidence:
    paths = () if report.canaries is None else report.canaries.paths
    seen = [path for path in paths if path.hops]
    if not seen:
        return Evidence(kind=PATH, status=NOT_OBSERVED, text="no canary was followed")
    bad = [segment.segment for segment in report.segments if _has(segment, "canary-")]
    hops = sum(len({hop.segment for hop in path.hops}) for path in seen)
    text = f"{len(seen)} canaries followed, {hops} times seen on a segment"
    if bad:
        return Evidence(kind=PATH, status=NOT_MET, text=f"{text}; unprotected on {', '.join(bad)}")
    return Evidence(kind=PATH, status=MET, text=f"{text}; each was where it should be, in the form it should have")


def _has(report: SegmentReport, start: str) -> bool:
    return any(finding.code.startswith(start) and finding.severity is Severity.CRITICAL for finding in report.findings)


def _of_codes(report: SegmentReport, codes: Iterable[str]) -> str:
    found = [finding for finding in report.findings if finding.code in codes]
    return "; ".join(f"{finding.count} frames {finding.text}" for finding in found[:4])
