"""The downgrade set: the ways in which protection that is there is less than it looks."""

from __future__ import annotations

from collections.abc import Iterator

from lab.coverage import census
from lab.coverage.document import SegmentReport
from lab.coverage.facts import Check, ChildReport, Status
from lab.model.expectation import Expectation

MET, NOT_MET, NOT_OBSERVED = Status.MET, Status.NOT_MET, Status.NOT_OBSERVED


def downgrades(report: SegmentReport, expect: Expectation | None) -> tuple[Check, ...]:
    """Every check, with what the frames of a segment say of it."""
    return tuple(_checks(report, expect))


def _checks(report: SegmentReport, expect: Expectation | None) -> Iterator[Check]:
    yield _encrypted(report, expect)
    yield _offset(report)
    yield _must_be_secure(report, expect)
    yield _null(report)
    yield _by_findings(report, "strong transforms", ("weak-encryption", "weak-integrity", "weak-prf"), "weak transform")
    yield _by_findings(report, "strong key exchange", ("weak-group",), "weak Diffie-Hellman group")
    yield _pfs(report)
    yield _version(report)
    yield _selectors(report)


def _encrypted(report: SegmentReport, expect: Expectation | None) -> Check:
    readable = _frames(report, census.MACSEC_INTEGRITY_ONLY)
    sealed = _frames(report, census.MACSEC_ENCRYPTED)
    name = "MACsec encrypts"
    if readable and expect is not None and expect.integrity_only:
        return Check(name=name, status=MET, text=f"{readable} frames with integrity only, as was asked for")
    if readable:
        return Check(name=name, status=NOT_MET, text=f"{readable} frames with integrity only")
    if sealed:
        return Check(name=name, status=MET, text=f"E and C were set in all {sealed} frames")
    return Check(name=name, status=NOT_OBSERVED, text="no MACsec was seen")


def _offset(report: SegmentReport) -> Check:
    used = [sa for sa in report.sas if sa.protocol == "macsec"]
    offsets = sorted({sa.offset for sa in used if sa.offset})
    if offsets:
        return Check(name="no confidentiality offset", status=NOT_MET,
                     text=f"the first {', '.join(map(str, offsets))} octets of frames stay readable")  # fmt: skip
    status = MET if used else NOT_OBSERVED
    return Check(name="no confidentiality offset", status=status,
                 text="no SAK has one" if used else "no MACsec was authenticated")  # fmt: skip


def _must_be_secure(report: SegmentReport, expect: Expectation | None) -> Check:
    name = "no fallback to clear"
    protected = sum(units.authenticated for units in report.units.values())
    if expect is not None and expect.is_clear:
        return Check(name=name, status=NOT_OBSERVED, text="the segment is meant to be clear")
    clear = _frames(report, census.CLEARTEXT)
    if clear:
        return Check(name=name, status=NOT_MET, text=f"{clear} clear frames beside {protected} protected units")
    if protected:
        return Check(name=name, status=MET, text=f"{protected} protected units, and no clear frame")
    return Check(name=name, status=NOT_OBSERVED, text="nothing was authenticated")


def _null(report: SegmentReport) -> Check:
    name, null = "ESP encrypts", _frames(report, census.ESP_NULL)
    if null:
        return Check(name=name, status=NOT_MET, text=f"{null} frames with ESP that encrypts nothing")
    if report.units["esp"].authenticated:
        return Check(name=name, status=MET, text="every SA has an encryption transform")
    return Check(name=name, status=NOT_OBSERVED, text="no ESP was authenticated")


def _by_findings(report: SegmentReport, name: str, codes: tuple[str, ...], what: str) -> Check:
    found = [finding for finding in report.findings if finding.code in codes]
    if found:
        texts = sorted({finding.text.partition(":")[0] for finding in found})
        return Check(name=name, status=NOT_MET, text="; ".join(texts))
    group = codes == ("weak-group",)
    known = [sa for sa in report.negotiations if sa.group] if group else [
        sa for sa in report.sas if sa.protocol != "macsec"
    ]  # fmt: skip
    status = MET if known else NOT_OBSERVED
    return Check(name=name, status=status, text=f"no {what} was agreed on" if known
                 else "no negotiation was seen" if group else "no IPsec was authenticated")  # fmt: skip


def _pfs(report: SegmentReport) -> Check:
    name, rekeys = "PFS at rekey", [child for child in _children(report) if child.rekeys]
    without = [child for child in rekeys if child.group is None]
    if without:
        return Check(name=name, status=NOT_MET, text=f"{len(without)} of {len(rekeys)} rekeys had no key exchange")
    if rekeys:
        return Check(name=name, status=MET, text=f"each of {len(rekeys)} rekeys had a key exchange of its own")
    return Check(name=name, status=NOT_OBSERVED, text="no child SA was rekeyed while this was captured")


def _version(report: SegmentReport) -> Check:
    old = [finding for finding in report.findings if finding.code == "ikev1"]
    if old:
        return Check(name="IKEv2 only", status=NOT_MET, text=f"{old[0].count} messages of IKEv1")
    status = MET if report.negotiations else NOT_OBSERVED
    return Check(name="IKEv2 only", status=status, text="IKEv2" if report.negotiations else "no IKE answer was heard")


def _selectors(report: SegmentReport) -> Check:
    name, children, clear = "selectors cover the traffic", _children(report), _frames(report, census.CLEARTEXT)
    if not children:
        return Check(name=name, status=NOT_OBSERVED, text="no traffic selectors were read")
    every = {each for child in children for each in (*child.selectors_asked, *child.selectors_answered)}
    narrow = ", ".join(sorted(every - {"0.0.0.0/0", "::/0"}))
    if narrow and clear:
        return Check(name=name, status=NOT_MET, text=f"{clear} clear frames beside selectors {narrow}")
    return Check(name=name, status=MET, text=f"selectors {narrow or 'any to any'}")


def _children(report: SegmentReport) -> list[ChildReport]:
    return [child for sa in report.negotiations for child in sa.children]


def _frames(report: SegmentReport, kind: int) -> int:
    count = report.census.get(census.NAMES[kind])
    return 0 if count is None else count.frames
