"""The ten kinds of evidence, the downgrade set and each direction's verdict, as the document says them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.coverage.document import CanaryReport, SegmentReport, Verdict
from lab.coverage.facts import Status
from lab.coverage.judge import Evidence
from lab.coverage.ten import CANARY, CENSUS, KINDS, of_report
from lab.model.expectation import Expectation, Layer
from tests.captures import cases
from tests.unit.lab.coverage.packets import KEYS, A, B, esp_gcm, ethernet, frames, ipv4, macsec, ping
from tests.unit.lab.coverage.test_judge import BOTH, CLEAR, EVIDENCE, INTEGRITY, IPSEC, LOOKS, MACSEC

MET, NOT_MET, NOT_OBSERVED = Status.MET, Status.NOT_MET, Status.NOT_OBSERVED


def judged(octets: list[bytes], expect: Expectation | None, evidence: Evidence = EVIDENCE) -> SegmentReport:
    return cases.report(frames(octets, near=A), KEYS, expect=expect, evidence=evidence).segments[0]


def statuses(report: SegmentReport) -> dict[str, Status]:
    return {each.kind: each.status for each in report.evidence}


def checks(report: SegmentReport) -> dict[str, Status]:
    return {check.name: check.status for check in report.downgrades}


def test_there_are_ten_kinds_in_order() -> None:
    assert len(KINDS) == 10
    assert tuple(each.kind for each in judged(LOOKS["macsec"], MACSEC).evidence) == KINDS


@pytest.mark.parametrize(("look", "expect"), [
    ("macsec", MACSEC), ("ipsec", IPSEC), ("macsec+ipsec", BOTH), ("integrity", INTEGRITY),
])  # fmt: skip
def test_a_proven_segment_meets_what_decides(look: str, expect: Expectation) -> None:
    told = statuses(judged(LOOKS[look], expect))
    for kind in (
        "complete census",
        "keyed authentication",
        "canary with positive control",
        "nonce discipline",
        "residue",
    ):
        assert told[kind] is MET, kind
    assert NOT_MET not in told.values()


def test_a_clear_segment_is_the_positive_control_and_claims_no_protection() -> None:
    report = judged(LOOKS["clear"], CLEAR)
    told = statuses(report)
    assert told["canary with positive control"] is MET
    assert told["keyed authentication"] is told["nonce discipline"] is told["downgrade set"] is NOT_OBSERVED
    assert "positive control" in next(each.text for each in report.evidence if each.kind == CANARY)


@pytest.mark.parametrize(("octets", "expect", "kind"), [
    ([*LOOKS["macsec"], LOOKS["clear"][0]], MACSEC, "canary with positive control"),
    ([*LOOKS["macsec"], LOOKS["macsec"][0][:-1] + b"\0"], MACSEC, "keyed authentication"),
    ([*LOOKS["macsec"], bytes(12) + b"\x08\x00\x45"], MACSEC, "complete census"),
    ([*LOOKS["macsec"], macsec(ethernet(ping(b"other")), pn=1)], MACSEC, "nonce discipline"),
    (LOOKS["integrity"], MACSEC, "downgrade set"),
])  # fmt: skip
def test_what_goes_against_a_kind_is_said_there(octets: list[bytes], expect: Expectation, kind: str) -> None:
    assert statuses(judged(octets, expect))[kind] is NOT_MET


def test_frames_that_are_lost_make_a_census_incomplete() -> None:
    assert statuses(judged(LOOKS["macsec"], MACSEC, replace(EVIDENCE, dropped=2)))[CENSUS] is NOT_MET


def test_of_the_whole_one_contradiction_is_enough() -> None:
    good, bad = judged(LOOKS["macsec"], MACSEC), judged([*LOOKS["macsec"], bytes(12) + b"\x08\x00\x45"], MACSEC)
    from lab.coverage.document import Report

    together = {each.kind: each for each in of_report(Report(segments=(good, replace(bad, segment="bad"))))}
    assert together[CENSUS].status is NOT_MET
    assert "contradicted on bad" in together[CENSUS].text
    lost = Report(segments=(good,), canaries=CanaryReport(sent=3, lost=("one",)))
    assert {each.kind: each.status for each in of_report(lost)}[CANARY] is NOT_MET


@pytest.mark.parametrize(("look", "expect", "check", "status"), [
    ("macsec", MACSEC, "MACsec encrypts", MET),
    ("integrity", MACSEC, "MACsec encrypts", NOT_MET),
    ("integrity", INTEGRITY, "MACsec encrypts", MET),
    ("ipsec", IPSEC, "MACsec encrypts", NOT_OBSERVED),
    ("ipsec", IPSEC, "ESP encrypts", MET),
    ("macsec", MACSEC, "no fallback to clear", MET),
    ("clear", CLEAR, "no fallback to clear", NOT_OBSERVED),
    ("clear", MACSEC, "no fallback to clear", NOT_MET),
    ("ipsec", IPSEC, "PFS at rekey", NOT_OBSERVED),
])  # fmt: skip
def test_the_downgrade_set(look: str, expect: Expectation, check: str, status: Status) -> None:
    assert checks(judged(LOOKS[look], expect))[check] is status


@pytest.mark.parametrize(("look", "expect", "word"), [
    ("clear", CLEAR, "NX"), ("clear", MACSEC, "NX_BYPASS"), ("macsec", MACSEC, "X_MACSEC"), ("ipsec", IPSEC, "X_IPSEC"),
    ("macsec+ipsec", BOTH, "X_BOTH"), ("integrity", MACSEC, "NX_INTEGRITY_ONLY"), ("integrity+ipsec", IPSEC, "X_IPSEC"),
])  # fmt: skip
def test_coverage_in_the_words_of_flow_logs(look: str, expect: Expectation, word: str) -> None:
    report = judged(LOOKS[look], expect)
    assert [dict(direction.coverage) for direction in report.directions] == [{word: 3}, {word: 3}]


def test_a_frame_without_a_key_is_not_called_protected() -> None:
    foreign = ethernet(ipv4(50, esp_gcm(ping(), spi=b"\7\7\7\7")))
    (direction,) = judged([foreign], None, Evidence()).directions
    assert direction.coverage == {"NX_UNVERIFIED": 1}
    assert direction.verdict is Verdict.UNPROVEN


def test_the_direction_that_broke_is_told_from_the_one_that_did_not() -> None:
    leak = ethernet(ping(source=bytes((10, 0, 0, 2))), source=B, target=A)
    out, back = judged([*LOOKS["macsec"], leak], MACSEC).directions
    assert (out.label, out.verdict) == ("out", Verdict.PROVEN)
    assert (back.label, back.verdict, back.reasons) == ("in", Verdict.VIOLATED, ("1 frame of class cleartext",))


def test_a_direction_that_carried_too_little_is_unproven() -> None:
    only_out = [frame for frame in LOOKS["macsec"] if frame[6:12] == A]
    (out,) = judged(only_out, MACSEC).directions
    assert out.verdict is Verdict.PROVEN  # it is; the other one is missing, which the segment says
    few = judged(LOOKS["macsec"][:2], MACSEC)
    assert [direction.verdict for direction in few.directions] == [Verdict.UNPROVEN] * 2


def test_no_direction_is_better_than_what_is_known_of_the_segment() -> None:
    whole = judged(LOOKS["macsec"], MACSEC, Evidence(dropped=2))
    assert {each.verdict for each in whole.directions} == {Verdict.UNPROVEN}
    assert whole.directions[0].reasons == ("2 frames lost by the tap",)
    nobody = macsec(ethernet(ping()), pn=9, tci=0x2F)  # under an AN that no key is for
    out, back = judged([*LOOKS["macsec"], nobody], MACSEC).directions
    assert (out.verdict, out.reasons) == (Verdict.UNPROVEN, ("1 frame not verified",))
    assert back.verdict is Verdict.PROVEN
    leak = ethernet(ping(source=bytes((10, 0, 0, 2))), source=B, target=A)
    out, back = judged([*LOOKS["macsec"], leak], MACSEC, Evidence(dropped=2)).directions
    assert (out.verdict, back.verdict) == (Verdict.UNPROVEN, Verdict.VIOLATED)


def test_where_nobody_knows_which_way_it_went_both_are_violated() -> None:
    report = judged([*LOOKS["macsec"], macsec(ethernet(ping(b"other")), pn=1)], MACSEC)
    assert [direction.verdict for direction in report.directions] == [Verdict.VIOLATED] * 2
    assert Layer.MACSEC in MACSEC.layers
