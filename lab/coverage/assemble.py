"""From what was observed to the document: judged, explained, and with the evidence beside the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from lab.coverage import census
from lab.coverage.document import CanaryReport, Count, DirectionReport, Report, SegmentReport, Units
from lab.coverage.downgrades import downgrades
from lab.coverage.evidence.collected import Collected
from lab.coverage.evidence.ike_story import Child, IkeSa, tell
from lab.coverage.evidence.reuse import Repeats, examine_reuse
from lab.coverage.facts import (
    ChildReport,
    IkeSaReport,
    KeyReport,
    PathReport,
    RandomnessReport,
    ResidueReport,
    SaReport,
    TimelineReport,
)
from lab.coverage.hygiene import Hygiene, Lifetimes, examine_hygiene
from lab.coverage.judge import judge
from lab.coverage.observe import Observation
from lab.coverage.residue_words import by_design
from lab.coverage.segment import Observed, Segment
from lab.coverage.ten import of_report, of_segment

_MOST_SAS: Final = 1000
_MOST_COMMON_LENGTHS: Final = 5


def assemble(
    observed: Sequence[Observed], *, canaries: CanaryReport | None = None, path: PathReport | None = None
) -> Report:
    """The report on segments that were observed, each judged by itself, and its keys against those of the others."""
    discipline = examine_reuse([(each.segment.name, each.seen.collected.ledger) for each in observed])
    shared = _shared_keys(observed)
    segments = []
    for each in observed:
        name = each.segment.name
        hygiene = Hygiene(name=name, discipline=discipline, lifetimes=each.segment.lifetimes, shared=shared[name])
        segments.append(_segment(each, hygiene))
    report = Report(segments=tuple(segments), canaries=canaries, path=path, keys=_keys(observed))
    return replace(report, evidence=of_report(report))


def report_on(segment: Segment, seen: Observation, sha256: str) -> SegmentReport:
    """The report on one segment by itself."""
    hygiene = Hygiene.alone(seen.collected, segment.lifetimes)
    return _segment(Observed(segment=segment, seen=seen, sha256=sha256), hygiene)


def _segment(observed: Observed, hygiene: Hygiene) -> SegmentReport:
    segment, seen, collected = observed.segment, observed.seen, observed.seen.collected
    beside = examine_hygiene(collected, hygiene)
    judgement = judge(seen, segment.expect, segment.evidence, beside)
    story = tell(collected.messages.kept)
    report = SegmentReport(
        segment=segment.name,
        capture=segment.capture.name,
        sha256=observed.sha256,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        expect=None if segment.expect is None else str(segment.expect),
        frames=seen.frames,
        octets=seen.octets,
        census={
            name: Count(frames=frames, octets=octets)
            for name, frames, octets in zip(census.NAMES, seen.class_frames, seen.class_octets, strict=True)
            if frames
        },
        units={name: _units(name, seen) for name in census.PROTOCOLS},
        directions=tuple(_placed(direction, segment) for direction in judgement.directions),
        cut=seen.cut,
        dropped=max(seen.dropped, segment.evidence.dropped),
        findings=judgement.findings,
        ends=segment.ends,
        first_time=collected.timeline.first_time or None,
        last_time=collected.timeline.last_time or None,
        sas=_sas(collected, hygiene),
        negotiations=tuple(_ike_sa(sa) for sa in story),
        residue=_residue(seen),
        timeline=_timeline(collected),
        randomness=_randomness(collected),
        specimens=observed.specimens,
    )
    report = replace(report, downgrades=downgrades(report, segment.expect))
    report = replace(report, evidence=of_segment(report, segment.expect))
    if observed.filter is None:
        return report
    said = f"only frames that pass the filter `{observed.filter}` were judged; {observed.excluded} were not"
    reasons = (*report.reasons, said)
    return replace(report, reasons=reasons, filter=observed.filter, excluded=observed.excluded)


def _units(protocol: str, seen: Observation) -> Units:
    authenticated, failed, no_key = seen.units[protocol]
    incomplete = {"esp": seen.esp_incomplete, "ike": seen.ike_incomplete}.get(protocol, 0)
    return Units(authenticated=authenticated, failed=failed, no_key=no_key, incomplete=incomplete)


def _placed(direction: DirectionReport, segment: Segment) -> DirectionReport:
    """The direction between nodes, where the segment's ends are known."""
    if segment.ends is None or direction.label not in ("in", "out"):
        return direction
    near, far = segment.ends
    source, target = (near, far) if direction.label == "out" else (far, near)
    return replace(direction, source=source, target=target)


def _sas(collected: Collected, hygiene: Hygiene) -> tuple[SaReport, ...]:
    told = []
    for identity, use in sorted(collected.ledger.uses.items(), key=lambda each: each[1].first_frame)[:_MOST_SAS]:
        of = hygiene.discipline.numbers if identity.protocol == "esp" else hygiene.discipline.nonces
        surplus = of.get((hygiene.name, identity), Repeats()).surplus
        counted = identity.protocol != "ike"  # both sides of an IKE SA number their requests and answers
        span = use.highest - use.lowest + 1
        policy: Lifetimes = hygiene.lifetimes
        seconds = {"esp": policy.seconds, "ike": policy.ike_seconds}.get(identity.protocol)
        kilobytes = policy.kilobytes if identity.protocol == "esp" else None
        told.append(
            SaReport(
                protocol=identity.protocol,
                name=identity.name,
                key=identity.key,
                algorithm=identity.algorithm,
                key_bits=identity.key_bits,
                directions=tuple(sorted(use.directions)),
                units=use.units,
                octets=use.octets,
                first_frame=use.first_frame,
                last_frame=use.last_frame,
                first_time=use.first_time or None,
                last_time=use.last_time or None,
                lowest=use.lowest,
                highest=use.highest,
                missing=max(0, span - (use.units - surplus)) if counted else 0,
                repeated=surplus,
                number_bits=identity.number_bits,
                offset=identity.offset,
                limit_seconds=seconds,
                limit_octets=None if kilobytes is None else kilobytes * 1024,
            )
        )
    return tuple(told)


def _ike_sa(sa: IkeSa) -> IkeSaReport:
    return IkeSaReport(
        spis=(sa.spi_i, sa.spi_r),
        frame=sa.frame,
        encryption=sa.encryption,
        integrity=sa.integrity,
        prf=sa.prf,
        group=sa.group,
        rekeys=sa.rekeys,
        ppk=sa.ppk,
        authentication=dict(sa.authentication),
        children=tuple(_child(child) for child in sa.children),
        messages_deciphered=sa.deciphered,
        seconds=(sa.last_time_ns - sa.time_ns) / 1e9,
    )


def _child(child: Child) -> ChildReport:
    return ChildReport(
        frame=child.frame,
        protocol=child.protocol,
        encryption=child.encryption,
        integrity=child.integrity,
        esn=child.esn,
        group=child.group,
        initial=child.initial,
        rekeys=child.rekeys,
        transport=child.transport,
        spis=tuple(spi for spi in (child.spi_sent, child.spi_answered) if spi),
        selectors_asked=child.selectors_initiator,
        selectors_answered=child.selectors_responder,
    )


def _residue(seen: Observation) -> ResidueReport | None:
    residue = seen.collected.residue
    if not residue.lengths:
        return None
    commonest = sorted(residue.lengths.items(), key=lambda each: (-each[1], each[0]))[:_MOST_COMMON_LENGTHS]
    kinds = [kind for kind, frames in enumerate(seen.class_frames) if frames]
    return ResidueReport(
        by_design=by_design(kinds),
        fields={name: tuple(sorted(values)) for name, values in sorted(residue.fields.items())},
        overflowing=tuple(sorted(residue.overflowing)),
        least_length=min(residue.lengths),
        most_length=max(residue.lengths),
        distinct_lengths=len(residue.lengths),
        common_lengths=tuple(commonest),
    )


def _timeline(collected: Collected) -> TimelineReport | None:
    timeline = collected.timeline
    first, classes = timeline.counts()
    if not classes:
        return None
    return TimelineReport(
        start=first << timeline.shift,
        span_ns=1 << timeline.shift,
        classes={census.NAMES[kind]: tuple(counts) for kind, counts in sorted(classes.items())},
    )


def _randomness(collected: Collected) -> tuple[RandomnessReport, ...]:
    told = []
    for kind in sorted(collected.randomness.counts):
        found = collected.randomness.of(kind)
        if found is not None:
            octets, bits, chi_square = found
            told.append(
                RandomnessReport(name=census.NAMES[kind], octets=octets, bits_per_octet=bits, chi_square=chi_square)
            )
    return tuple(told)


def _shared_keys(observed: Iterable[Observed]) -> dict[str, dict[str, tuple[str, ...]]]:
    """For each segment, the MACsec keys that protect other channels on other segments: those links share a key."""
    users: dict[str, dict[str, set[str]]] = {}
    names = [each.segment.name for each in observed]
    for each in observed:
        for identity in each.seen.collected.ledger.identities:
            if identity.protocol == "macsec":
                channel = identity.name.split()[1]
                users.setdefault(identity.key, {}).setdefault(each.segment.name, set()).add(channel)
    shared: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in names}
    for key, channels in users.items():
        for name, mine in channels.items():
            others = tuple(sorted(other for other, theirs in channels.items() if not mine & theirs))
            if others:
                shared[name][key] = others
    return shared


def _keys(observed: Iterable[Observed]) -> tuple[KeyReport, ...]:
    """Every key in use, with the segments that it was seen on."""
    known: dict[str, KeyReport] = {}
    for each in observed:
        for identity, use in each.seen.collected.ledger.uses.items():
            old = known.get(identity.key)
            if old is None:
                old = KeyReport(key=identity.key, protocol=identity.protocol, algorithm=identity.algorithm, names=(),
                                segments=(), units=0)  # fmt: skip
            known[identity.key] = replace(
                old,
                names=tuple(sorted({*old.names, identity.name})),
                segments=tuple(dict.fromkeys((*old.segments, each.segment.name))),
                units=old.units + use.units,
            )
    return tuple(sorted(known.values(), key=lambda each: (each.protocol, each.names)))
