"""What is said of the protection's quality, and that it stands beside the verdict, but for a nonce used twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.coverage.assemble import assemble
from lab.coverage.catalogue import CODES
from lab.coverage.document import Finding, Report, SegmentReport, Severity, Verdict
from lab.coverage.examine import examine
from lab.coverage.hygiene import Lifetimes
from lab.coverage.segment import Observed, Segment
from lab.coverage.weaknesses import IN_ESP, IN_IKE, base_name
from lab.model.expectation import Expectation, Layer
from tests.captures.cases import keys_of, observe, path_of
from tests.unit.lab.coverage.packets import (
    KEYS,
    SPI_BA,
    A,
    B,
    esp_cbc,
    esp_gcm,
    esp_key,
    ethernet,
    frames,
    ipv4,
    macsec,
    ping,
    sak_key,
)  # fmt: skip

MACSEC = Expectation(layers=(Layer.MACSEC,))


def of_capture(name: str, lifetimes: Lifetimes | None = None) -> SegmentReport:
    segment = Segment(name=name, capture=path_of(name), lifetimes=lifetimes or Lifetimes())
    return examine([segment], keys_of(name)).segments[0]


def of_frames(*segments: Sequence[bytes], keys: Sequence[object] = KEYS) -> Report:
    """Captures in memory, one a segment."""
    return assemble([
        Observed(
            segment=Segment(name=f"s{place}", capture=Path("memory")),
            seen=observe(frames(octets), keys), sha256="",  # type: ignore[arg-type]  # keys of any kind
        )
        for place, octets in enumerate(segments)
    ])  # fmt: skip


def found(report: SegmentReport, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


@pytest.mark.parametrize(("name", "codes"), [
    ("ss-cbc128-sha1-modp2048", {"weak-integrity", "weak-prf", "no-pfs"}),
    ("py-ss-cookie", {"weak-group"}),
    ("esp_tunnel_aes128-cbc_sha1-96", {"weak-integrity"}),
    ("ss-gcm-x25519", set()),
    ("ike_psk_aes256gcm16-sha384-ecp384_esp_aes256gcm16", set()),
])  # fmt: skip
def test_weak_transforms_and_missing_pfs_are_warned_of_and_leave_the_verdict_alone(name: str, codes: set[str]) -> None:
    report = of_capture(name)
    assert report.verdict is Verdict.PROVEN
    assert {finding.code for finding in report.findings} == codes
    for finding in report.findings:
        assert (finding.severity, finding.bears) == (Severity.WARNING, False)
        assert finding.why
        assert finding.change
        assert finding.frames


def test_a_rekey_without_pfs_names_its_frame() -> None:
    (finding,) = found(of_capture("ss-cbc128-sha1-modp2048"), "no-pfs")
    assert (finding.frames, finding.count) == ((10,), 1)


def test_weak_des_is_found_in_esp_itself() -> None:
    key = esp_key(encryption="ENCR_3DES", key=bytes(24), integrity="AUTH_HMAC_MD5_96", integrity_key="00" * 16)
    packet = esp_cbc(ping(), cipher="3DES", key=bytes(24), hash_name="MD5", mac_key=bytes(16), icv=12)
    (report,) = of_frames([ethernet(ipv4(50, packet))], keys=[key]).segments
    assert {finding.code for finding in report.findings} == {"weak-encryption", "weak-integrity"}


def test_a_nonce_used_twice_violates_whatever_else_is_right() -> None:
    good = [macsec(ethernet(ping()), pn=pn) for pn in range(1, 9)]
    assert of_frames(good).verdict is Verdict.PROVEN
    report = of_frames([*good, macsec(ethernet(ping(b"other")), pn=3)]).segments[0]
    (finding,) = found(report, "nonce-reuse")
    assert report.verdict is Verdict.VIOLATED
    assert (finding.severity, finding.frames, finding.bears) == (Severity.CRITICAL, (3, 9), True)
    assert "PN 3" in finding.text


def test_the_same_frame_again_is_only_told() -> None:
    good = [macsec(ethernet(ping()), pn=pn) for pn in range(1, 9)]
    report = of_frames([*good, good[2], good[2]]).segments[0]
    assert report.verdict is Verdict.PROVEN
    (finding,) = found(report, "seen-again")
    assert (finding.severity, finding.frames, finding.bears) == (Severity.INFO, (9, 10), False)
    assert report.sas[0].repeated == 2


def test_reuse_is_found_across_captures() -> None:
    """The same static SAK on two links, with SCs of the same name."""
    report = of_frames([macsec(ethernet(ping()), pn=1)], [macsec(ethernet(ping(b"x")), pn=1)])
    for segment, other in zip(report.segments, ("s1", "s0"), strict=True):
        (finding,) = found(segment, "nonce-reuse")
        assert finding.text.endswith(f"also on {other}")
        assert segment.verdict is Verdict.VIOLATED


def test_two_directions_of_one_esp_key_must_not_meet() -> None:
    """GCM with one key both ways, numbered alike: each packet gives the other one away."""
    traffic = [ethernet(ipv4(50, esp_gcm(ping(), sequence=1))), ethernet(ipv4(50, esp_gcm(ping(b"x"), spi=SPI_BA)))]
    (report,) = of_frames(traffic).segments
    assert {frame for finding in found(report, "nonce-reuse") for frame in finding.frames} == {1, 2}


def test_one_esp_packet_on_every_segment_of_its_way_is_no_reuse() -> None:
    traffic = [ethernet(ipv4(50, esp_gcm(ping(), sequence=number))) for number in range(1, 5)]
    report = of_frames(traffic, traffic, traffic)
    assert report.verdict is Verdict.PROVEN
    assert [segment.findings for segment in report.segments] == [(), (), ()]


def test_a_sequence_number_used_twice_with_other_ivs_is_told_beside_the_verdict() -> None:
    mac = bytes(20)
    key = esp_key(encryption="ENCR_NULL", key=b"", integrity="AUTH_HMAC_SHA1_96", integrity_key=mac.hex())
    packets = [esp_cbc(ping(text), cipher="", key=b"", hash_name="SHA1", mac_key=mac, icv=12) for text in (b"a", b"b")]
    (report,) = of_frames([ethernet(ipv4(50, packet)) for packet in packets], keys=[key]).segments
    (finding,) = found(report, "sequence-reuse")
    assert (finding.frames, finding.bears, finding.severity) == ((1, 2), False, Severity.WARNING)


def test_links_that_share_a_key_are_told() -> None:
    one = [macsec(ethernet(ping()), pn=1)]
    other = [macsec(ethernet(ping(), source=B, target=A), pn=9)]
    report = of_frames(one, other, keys=[sak_key(A), sak_key(B)])
    for segment in report.segments:
        (finding,) = found(segment, "key-shared")
        assert (finding.severity, finding.bears) == (Severity.WARNING, False)
    assert of_frames(one, one).segments[0].findings == ()  # one link captured at both ends


@pytest.mark.parametrize(("lifetimes", "passed"), [
    (Lifetimes(), False), (Lifetimes(seconds=3600, kilobytes=1024), False), (Lifetimes(seconds=0), True),
    (Lifetimes(kilobytes=1), True),
])  # fmt: skip
def test_lifetimes_against_a_policy(lifetimes: Lifetimes, passed: bool) -> None:
    report = of_capture("esp_tunnel_aes256-cbc_sha384-192", lifetimes)
    assert report.verdict is Verdict.PROVEN
    assert bool(found(report, "lifetime-passed")) is passed
    assert report.sas[0].limit_seconds == lifetimes.seconds


def test_numbers_that_run_out_are_told() -> None:
    (report,) = of_frames([macsec(ethernet(ping()), pn=0xE0000000)]).segments
    (finding,) = found(report, "numbers-low")
    assert (finding.bears, report.verdict) == (False, Verdict.PROVEN)
    assert "88%" in finding.text


def test_gaps_between_numbers_are_counted() -> None:
    (report,) = of_frames([macsec(ethernet(ping()), pn=pn) for pn in (1, 2, 5, 9)]).segments
    assert [(sa.lowest, sa.highest, sa.missing, sa.repeated) for sa in report.sas] == [(1, 9, 5, 0)]


def test_every_code_of_a_finding_is_explained() -> None:
    for table in (IN_IKE, IN_ESP):
        assert {weakness.code for weakness in table.values()} <= CODES
    assert {"nonce-reuse", "sequence-reuse", "seen-again", "no-pfs", "lifetime-passed", "numbers-low"} <= CODES


@pytest.mark.parametrize(("name", "base"), [
    ("ENCR_AES_CBC-256", "ENCR_AES_CBC"), ("AUTH_HMAC_SHA1_96", "AUTH_HMAC_SHA1_96"),
    ("group 2 (1024-bit MODP)", "group 2"), ("ENCR_3DES", "ENCR_3DES"),
])  # fmt: skip
def test_names_without_their_lengths(name: str, base: str) -> None:
    assert base_name(name) == base


def test_an_expectation_does_not_hide_what_stands_beside_it() -> None:
    name = "macsec_gcm-aes-128_sci_conf"
    report = examine([Segment(name=name, capture=path_of(name), expect=MACSEC)], keys_of(name)).segments[0]
    assert report.verdict is Verdict.PROVEN
    assert [check.name for check in report.downgrades if str(check.status) == "not-met"] == []
