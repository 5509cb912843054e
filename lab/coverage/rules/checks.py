"""The questions that rules ask of the document. Each gives a status, and says in words what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from lab.coverage.document import Report, Verdict
from lab.coverage.facts import IkeSaReport, PackResult, RuleResult, SaReport, Status
from lab.coverage.rules.pack import Pack, load_pack

MET, NOT_MET, NOT_OBSERVED = Status.MET, Status.NOT_MET, Status.NOT_OBSERVED

_Answer: TypeAlias = tuple[Status, str]
_Parameters: TypeAlias = dict[str, Any]
_MOST_NAMED: Final = 6


def apply_packs(report: Report, names: Iterable[str]) -> tuple[PackResult, ...]:
    """Go through packs, by name or path.

    Raises:
        InputError: there is no such pack, or it is wrong.
    """
    needs = {name: frozenset(parameters) for name, (_, parameters) in CHECKS.items()}
    return tuple(apply_pack(report, load_pack(name, needs)) for name in dict.fromkeys(names))


def apply_pack(report: Report, pack: Pack) -> PackResult:
    """Go through one pack."""
    results = []
    for rule in pack.rules:
        check, _ = CHECKS[rule.check]
        status, text = check(report, rule.parameters)
        results.append(RuleResult(id=rule.id, clause=rule.clause, title=rule.title, status=status, text=text))
    return PackResult(name=pack.name, title=pack.title, source=pack.source, note=pack.note, results=tuple(results))


def _verdict(report: Report, _: _Parameters) -> _Answer:
    left = [segment.segment for segment in report.segments if segment.verdict is not Verdict.PROVEN]
    if not left:
        return MET, f"{len(report.segments)} of {len(report.segments)} segments are proven"
    status = NOT_MET if report.verdict is Verdict.VIOLATED else NOT_OBSERVED
    return status, f"not proven: {_named(left)}"


def _evidence(report: Report, parameters: _Parameters) -> _Answer:
    found = next((each for each in report.evidence if each.kind == parameters["kind"]), None)
    return (NOT_OBSERVED, "no such evidence") if found is None else (found.status, found.text)


def _protected_segments(report: Report, _: _Parameters) -> _Answer:
    clear = [segment.segment for segment in report.segments if segment.expect == "clear"]
    meant = [segment for segment in report.segments if segment.expect != "clear"]
    argued = f"; without protection, to be argued one by one: {_named(clear)}" if clear else ""
    broken = [segment.segment for segment in meant if segment.verdict is Verdict.VIOLATED]
    open_ = [segment.segment for segment in meant if segment.verdict is Verdict.UNPROVEN]
    if broken:
        return NOT_MET, f"violated on {_named(broken)}{argued}"
    if open_ or not meant:
        return NOT_OBSERVED, (
            f"unproven on {_named(open_)}" if open_ else "no segment is meant to be protected"
        ) + argued
    return MET, f"proven on {_named([segment.segment for segment in meant])}{argued}"


def _no_findings(report: Report, parameters: _Parameters) -> _Answer:
    found = [
        f"{finding.code} on {segment.segment}"
        for segment in report.segments
        for finding in segment.findings
        if finding.code in parameters["codes"]
    ]
    if found:
        return NOT_MET, _named(list(dict.fromkeys(found)))
    count, what = _observed(report, str(parameters["needs"]))
    return (MET, f"none in {count} {what}") if count else (NOT_OBSERVED, f"no {what} were seen")


def _observed(report: Report, what: str) -> tuple[int, str]:
    """How much there was in which a finding could have been made."""
    segments = report.segments
    if what == "units":
        return sum(units.authenticated for segment in segments for units in segment.units.values()), "authentic units"
    if what in ("macsec", "esp", "ike", "mka"):
        return sum(segment.units[what].authenticated for segment in segments), f"authentic {what} units"
    if what == "negotiations":
        return len({sa.spis for sa in _ike_sas(report) if sa.group}), "IKE negotiations"
    rekeys = {child.spis for sa in _ike_sas(report) for child in sa.children if child.rekeys}
    return len(rekeys), "rekeys of child SAs"


def _key_bits(report: Report, parameters: _Parameters) -> _Answer:
    used = _sas(report, "macsec", "esp", "ike")
    weak = sorted({f"{sa.name} ({sa.key_bits} bits)" for sa in used if sa.key_bits < int(parameters["least"])})
    if weak:
        return NOT_MET, _named(weak)
    if not used:
        return NOT_OBSERVED, "no key was in use"
    return MET, f"{len({sa.key for sa in used})} keys, the shortest of {min(sa.key_bits for sa in used)} bits"


def _key_inventory(report: Report, _: _Parameters) -> _Answer:
    lacking = sum(units.no_key for segment in report.segments for units in segment.units.values())
    if lacking:
        return NOT_MET, f"{lacking} units were protected by keys that are not at hand"
    if not report.keys:
        return NOT_OBSERVED, "no key was in use"
    return MET, f"{len(report.keys)} keys in use, each listed by its id; how the list is kept is no matter of frames"


def _esp_algorithms(report: Report, parameters: _Parameters) -> _Answer:
    used = _sas(report, "esp")
    other = sorted({sa.algorithm for sa in used if not _allowed(sa.algorithm, parameters)})
    if other:
        return NOT_MET, f"in use: {_named(other)}"
    return (MET, _named(sorted({sa.algorithm for sa in used}))) if used else (NOT_OBSERVED, "no ESP was authenticated")


def _ike_transforms(report: Report, parameters: _Parameters) -> _Answer:
    agreed = sorted({value for sa in _ike_sas(report) if (value := getattr(sa, str(parameters["field"])))})
    other = [value for value in agreed if not _allowed(value, parameters)]
    if other:
        return NOT_MET, f"agreed on: {_named(other)}"
    return (MET, _named(agreed)) if agreed else (NOT_OBSERVED, "no negotiation was read")


def _groups(report: Report, parameters: _Parameters) -> _Answer:
    agreed = {sa.group for sa in _ike_sas(report) if sa.group}
    agreed |= {child.group for sa in _ike_sas(report) for child in sa.children if child.group}
    other = sorted(group for group in agreed if _group_number(group) not in parameters["allowed"])
    if other:
        return NOT_MET, f"agreed on: {_named(other)}"
    return (MET, _named(sorted(agreed))) if agreed else (NOT_OBSERVED, "no key exchange was read")


def _child_group_as_ike(report: Report, _: _Parameters) -> _Answer:
    pairs = [(sa.group, child.group) for sa in _ike_sas(report) for child in sa.children if child.group and sa.group]
    other = sorted({f"{child} under {ike}" for ike, child in pairs if ike != child})
    if other:
        return NOT_MET, _named(other)
    return (MET, f"{len(pairs)} key exchanges") if pairs else (NOT_OBSERVED, "no child SA had a key exchange")


def _authentication(report: Report, parameters: _Parameters) -> _Answer:
    heard = sorted({method for sa in _ike_sas(report) for method in sa.authentication.values()})
    other = [method for method in heard if method not in (*parameters["allowed"], *parameters["undecided"])]
    if other:
        return NOT_MET, f"by {_named(other)}"
    if any(method in parameters["undecided"] for method in heard):
        return NOT_OBSERVED, f"by {_named(heard)}, of which frames do not tell the curve, the hash or the length"
    return (MET, f"by {_named(heard)}") if heard else (NOT_OBSERVED, "no IKE_AUTH was read")


def _seconds_at_most(report: Report, parameters: _Parameters) -> _Answer:
    most, protocol = int(parameters["seconds"]), str(parameters["protocol"])
    used = [sa for sa in _sas(report, protocol) if sa.first_time is not None]
    over = sorted({f"{sa.name} ({sa.seconds:.0f} s)" for sa in used if sa.seconds > most})
    if over:
        return NOT_MET, _named(over)
    if not used:
        return NOT_OBSERVED, f"no {protocol} SA was in use"
    limits = {sa.limit_seconds for sa in used}
    longest = max(sa.seconds for sa in used)
    text = f"{len(used)} SAs, none in use for more than {longest:.1f} s"
    if None not in limits and all(limit is not None and limit <= most for limit in limits):
        return MET, f"{text}; by policy they live {max(limit for limit in limits if limit is not None)} s of {most} s"
    return NOT_OBSERVED, f"{text}: too short a time to see a rekey after {most} s; no policy is known"


def _no_ah(report: Report, _: _Parameters) -> _Answer:
    agreed = [child for sa in _ike_sas(report) for child in sa.children if child.protocol == "AH"]
    seen = [
        segment.segment
        for segment in report.segments
        if segment.residue is not None and "AH" in segment.residue.fields.get("ip protocols", ())
    ]
    if agreed or seen:
        return NOT_MET, f"AH was seen on {_named(seen)}" if seen else "AH was agreed on"
    frames = sum(segment.frames for segment in report.segments)
    return (MET, f"in none of {frames} frames") if frames else (NOT_OBSERVED, "no frames were captured")


def _nothing_to_see(_: Report, parameters: _Parameters) -> _Answer:
    return NOT_OBSERVED, str(parameters["text"])


CHECKS: Final[dict[str, tuple[Callable[[Report, _Parameters], _Answer], tuple[str, ...]]]] = {
    "verdict": (_verdict, ()),
    "evidence": (_evidence, ("kind",)),
    "protected-segments": (_protected_segments, ()),
    "no-findings": (_no_findings, ("codes", "needs")),
    "key-bits": (_key_bits, ("least",)),
    "key-inventory": (_key_inventory, ()),
    "esp-algorithms": (_esp_algorithms, ("allowed",)),
    "ike-transforms": (_ike_transforms, ("field", "allowed")),
    "groups": (_groups, ("allowed",)),
    "child-group-as-ike": (_child_group_as_ike, ()),
    "authentication": (_authentication, ("allowed", "undecided")),
    "seconds-at-most": (_seconds_at_most, ("protocol", "seconds")),
    "no-ah": (_no_ah, ()),
    "nothing-to-see": (_nothing_to_see, ("text",)),
}
"""Each question by its name, with the parameters that a rule must give."""


def _sas(report: Report, *protocols: str) -> list[SaReport]:
    return [sa for segment in report.segments for sa in segment.sas if sa.protocol in protocols]


def _ike_sas(report: Report) -> list[IkeSaReport]:
    return [sa for segment in report.segments for sa in segment.negotiations]


def _allowed(value: str, parameters: _Parameters) -> bool:
    """Whether a transform is one of those named, or begins with one that ends in - or _."""
    return any(value == each or (each[-1] in "-_" and value.startswith(each)) for each in parameters["allowed"])


def _group_number(group: str) -> int:
    word = group.removeprefix("group ").partition(" ")[0]
    return int(word) if word.isdigit() else -1


def _named(words: list[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
