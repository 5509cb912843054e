"""Verdicts, each with its positive control: what proves, what violates, and what leaves a segment unproven."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.coverage.document import SegmentReport, Severity, Verdict
from lab.coverage.findings import frame_ranges
from lab.coverage.judge import Evidence
from lab.model.expectation import Expectation, Layer
from tests.captures import cases
from tests.unit.lab.coverage.packets import (
    A4,
    B4,
    KEYS,
    SPI_AB,
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
    udp,
)

CLEAR = Expectation(layers=())
MACSEC = Expectation(layers=(Layer.MACSEC,))
INTEGRITY = Expectation(layers=(Layer.MACSEC,), integrity_only=True)
IPSEC = Expectation(layers=(Layer.IPSEC,))
BOTH = Expectation(layers=(Layer.MACSEC, Layer.IPSEC))
PROVEN, VIOLATED, UNPROVEN = Verdict.PROVEN, Verdict.VIOLATED, Verdict.UNPROVEN

TOKEN = b"f00dfeed" * 4
EVIDENCE = Evidence(tokens=(TOKEN,), minimum_frames=3)
ARP = [ethernet(bytes(28), 0x0806), ethernet(bytes(28), 0x0806, source=B, target=A)]


def both_ways(count: int = 3, payload: bytes = TOKEN) -> list[bytes]:
    """Pings there and back."""
    there, back = ethernet(ping(payload)), ethernet(ping(payload, source=B4, target=A4), source=B, target=A)
    return [there, back] * count


def in_esp(clear: Sequence[bytes]) -> list[bytes]:
    tunnelled = []
    for sequence, frame in enumerate(clear, 1):
        there = frame[6:12] == A
        packet = esp_gcm(frame[14:], spi=SPI_AB if there else SPI_BA, sequence=sequence)
        source, target = (A4, B4) if there else (B4, A4)
        tunnelled.append(frame[:14] + ipv4(50, packet, source=source, target=target))
    return tunnelled


def in_macsec(clear: Sequence[bytes], tci: int = 0x2C) -> list[bytes]:
    return [macsec(frame, pn=pn, tci=tci) for pn, frame in enumerate(clear, 1)]


LOOKS = {
    "clear": both_ways(),
    "macsec": in_macsec(both_ways()),
    "integrity": in_macsec(both_ways(), 0x20),
    "ipsec": in_esp(both_ways()),
    "macsec+ipsec": in_macsec(in_esp(both_ways())),
    "integrity+ipsec": in_macsec(in_esp(both_ways()), 0x20),
}


def judged(
    octets: Sequence[bytes], expect: Expectation | None, evidence: Evidence | None = EVIDENCE, near: bytes | None = A
) -> SegmentReport:
    return cases.report(frames(octets, near=near), KEYS, expect=expect, evidence=evidence).segments[0]


@pytest.mark.parametrize("tapped", [True, False], ids=["tapped", "foreign"])
@pytest.mark.parametrize(("look", "expect", "verdict"), [
    ("clear", CLEAR, PROVEN), ("macsec", CLEAR, VIOLATED), ("integrity", CLEAR, VIOLATED), ("ipsec", CLEAR, VIOLATED),
    ("macsec+ipsec", CLEAR, VIOLATED),
    ("clear", MACSEC, VIOLATED), ("macsec", MACSEC, PROVEN), ("integrity", MACSEC, VIOLATED),
    ("ipsec", MACSEC, VIOLATED), ("macsec+ipsec", MACSEC, PROVEN), ("integrity+ipsec", MACSEC, VIOLATED),
    ("clear", INTEGRITY, VIOLATED), ("macsec", INTEGRITY, PROVEN), ("integrity", INTEGRITY, PROVEN),
    ("ipsec", INTEGRITY, VIOLATED),
    ("clear", IPSEC, VIOLATED), ("macsec", IPSEC, VIOLATED), ("integrity", IPSEC, VIOLATED), ("ipsec", IPSEC, PROVEN),
    ("macsec+ipsec", IPSEC, PROVEN), ("integrity+ipsec", IPSEC, VIOLATED),
    ("clear", BOTH, VIOLATED), ("macsec", BOTH, VIOLATED), ("integrity", BOTH, VIOLATED), ("ipsec", BOTH, VIOLATED),
    ("macsec+ipsec", BOTH, PROVEN), ("integrity+ipsec", BOTH, VIOLATED),
    ("clear", None, VIOLATED), ("macsec", None, PROVEN), ("integrity", None, VIOLATED), ("ipsec", None, PROVEN),
    ("macsec+ipsec", None, PROVEN), ("integrity+ipsec", None, VIOLATED),
])  # fmt: skip
def test_what_is_seen_against_what_is_expected(
    look: str, expect: Expectation | None, verdict: Verdict, tapped: bool
) -> None:
    """With the controls in place, and ARP between, which is no data and never clear."""
    for evidence in (EVIDENCE, None):
        segment = judged([*ARP, *LOOKS[look]], expect, evidence, A if tapped else None)
        assert segment.verdict is verdict, segment.reasons
        assert segment.reasons
        critical = [finding for finding in segment.findings if finding.severity is Severity.CRITICAL]
        assert bool(critical) == (verdict is VIOLATED)
        assert all(finding.frames for finding in critical), "VIOLATED names the frames"
        assert segment.census["control"].frames == 2


@pytest.mark.parametrize(("look", "expect"), [
    ("macsec", MACSEC), ("ipsec", IPSEC), ("macsec+ipsec", BOTH), ("integrity", INTEGRITY), ("clear", CLEAR),
])  # fmt: skip
class TestControls:
    """A proof falls with any of its parts."""

    def test_it_is_a_proof_at_first(self, look: str, expect: Expectation) -> None:
        segment = judged(LOOKS[look], expect)
        assert segment.verdict is PROVEN
        assert [direction.label for direction in segment.directions] == ["out", "in"]
        assert all(direction.token_frames == 3 for direction in segment.directions)

    def test_another_token_was_sent(self, look: str, expect: Expectation) -> None:
        segment = judged(LOOKS[look], expect, Evidence(tokens=(b"another token",)))
        assert segment.verdict is UNPROVEN
        assert sum("no canary found" in reason for reason in segment.reasons) == 2

    def test_a_token_in_one_direction_alone(self, look: str, expect: Expectation) -> None:
        empty = both_ways(payload=bytes(32))
        other = {
            "macsec": in_macsec(empty),
            "ipsec": in_esp(empty),
            "macsec+ipsec": in_macsec(in_esp(empty)),
            "integrity": in_macsec(empty, 0x20),
            "clear": empty,
        }[look]
        mixed = [ours if ours[6:12] == A else theirs for ours, theirs in zip(LOOKS[look], other, strict=True)]
        segment = judged(mixed, expect)
        assert segment.verdict is UNPROVEN
        assert any(reason.startswith("in: no canary found") for reason in segment.reasons)
        assert not any(reason.startswith("out: ") for reason in segment.reasons)

    def test_one_direction_alone(self, look: str, expect: Expectation) -> None:
        segment = judged([frame for frame in LOOKS[look] if frame[6:12] == A], expect)
        assert segment.verdict is UNPROVEN
        assert "data in one direction alone: out" in segment.reasons

    def test_too_few_frames(self, look: str, expect: Expectation) -> None:
        segment = judged(LOOKS[look], expect, Evidence(tokens=(TOKEN,), minimum_frames=4))
        assert segment.verdict is UNPROVEN
        assert any("out: 3 of 4 frames or more" in reason for reason in segment.reasons)

    def test_the_tap_lost_frames(self, look: str, expect: Expectation) -> None:
        segment = judged(LOOKS[look], expect, Evidence(tokens=(TOKEN,), dropped=7))
        assert (segment.verdict, segment.dropped) == (UNPROVEN, 7)
        assert segment.reasons == ("7 frames lost by the tap",)

    def test_a_frame_is_cut(self, look: str, expect: Expectation) -> None:
        traffic = list(frames(LOOKS[look], near=A))
        traffic.append(cases.cut(traffic[0]._replace(number=99), 60))
        segment = cases.report(traffic, KEYS, expect=expect, evidence=EVIDENCE).segments[0]
        assert (segment.verdict, segment.cut) == (UNPROVEN, 1)

    def test_nothing_was_captured(self, look: str, expect: Expectation) -> None:
        segment = judged([], expect)
        assert (segment.verdict, segment.reasons) == (UNPROVEN, ("no frame carries data",))

    def test_only_control_was_captured(self, look: str, expect: Expectation) -> None:
        assert judged(ARP, expect).verdict is UNPROVEN

    def test_without_the_keys(self, look: str, expect: Expectation) -> None:
        segment = cases.report(frames(LOOKS[look], near=A), (), expect=expect, evidence=EVIDENCE).segments[0]
        # What is unreadable to us is not proven to be unreadable; and what is readable stays so.
        assert segment.verdict is (PROVEN if look == "clear" else UNPROVEN)

    def test_one_frame_fails(self, look: str, expect: Expectation) -> None:
        traffic = [*LOOKS[look]]
        traffic[2] = traffic[2][:-1] + bytes([traffic[2][-1] ^ 1])
        segment = judged(traffic, expect)
        if look == "clear":
            assert segment.verdict is PROVEN  # nobody protects it, nobody can tell
        else:
            assert segment.verdict is VIOLATED
            assert segment.findings[0].frames == (3,)

    def test_one_malformed_frame(self, look: str, expect: Expectation) -> None:
        segment = judged([*LOOKS[look], ethernet(b"\x45")], expect)
        assert segment.verdict is VIOLATED
        assert segment.findings[0].code == "malformed"
        assert segment.findings[0].frames == (7,)


@pytest.mark.parametrize(("expect", "look", "code"), [
    (MACSEC, "macsec", "canary-in-clear"),
    (IPSEC, "ipsec", "canary-in-clear"),
    (BOTH, "macsec+ipsec", "canary-in-clear"),
])  # fmt: skip
def test_a_token_on_the_wire_violates_and_names_the_frame(expect: Expectation, look: str, code: str) -> None:
    """Also in a frame that is no data, and behind a datagram, where a switch or a driver left it."""
    for leak in (ethernet(bytes(28) + TOKEN, 0x0806), LOOKS["ipsec"][0][:14] + LOOKS["ipsec"][0][14:] + TOKEN):
        segment = judged([*LOOKS[look], leak], expect)
        assert segment.verdict is VIOLATED
        finding = next(finding for finding in segment.findings if finding.code == code)
        assert finding.frames == (7,)


def test_a_token_under_one_of_two_layers_violates() -> None:
    segment = judged([*LOOKS["macsec+ipsec"], macsec(both_ways()[0], pn=50)], BOTH)
    codes = {finding.code: finding.frames for finding in segment.findings}
    assert codes == {"inside-cleartext": (7,), "canary-outside-ipsec": (7,)}
    segment = judged([*LOOKS["macsec+ipsec"], LOOKS["ipsec"][0]], BOTH)
    assert {finding.code for finding in segment.findings if finding.bears} == {"esp", "canary-outside-macsec"}


def test_what_negotiates_keys_may_be_inside_macsec_without_ipsec() -> None:
    ike = ethernet(ipv4(17, udp(500, 500, bytes([1]) * 8 + bytes(8) + b"\0\x20\x22\x08" + bytes(4) + b"\0\0\0\x1c")))
    segment = judged([*LOOKS["macsec+ipsec"], macsec(ike, pn=50), macsec(ARP[0], pn=51)], BOTH)
    assert segment.verdict is PROVEN, segment.reasons
    assert judged([*LOOKS["macsec"], ike], MACSEC).verdict is VIOLATED
    assert judged([*LOOKS["ipsec"], ike], IPSEC).verdict is PROVEN


def test_what_another_layer_carries_is_no_matter_of_this_one() -> None:
    """Somebody else's VPN on a MACsec link: not ours to open; without an expectation everything must open."""
    foreign = ethernet(ipv4(50, esp_gcm(ping(), spi=b"\7\7\7\7")))
    traffic = [*LOOKS["macsec"], macsec(foreign, pn=50)]
    segment = judged(traffic, MACSEC)
    assert segment.verdict is PROVEN
    assert [(finding.code, finding.severity) for finding in segment.findings] == [("esp-no-key", Severity.INFO)]
    assert judged(traffic, None).verdict is UNPROVEN


def test_esp_null_is_clear_also_inside_macsec_where_ipsec_is_expected() -> None:
    mac = bytes(20)
    null = esp_key(b"\7\7\7\7", encryption="ENCR_NULL", key=b"", integrity="AUTH_HMAC_SHA1_96", integrity_key=mac.hex())
    packet = esp_cbc(ping(), cipher="", key=b"", hash_name="SHA1", mac_key=mac, icv=12, spi=b"\7\7\7\7")
    bare = ethernet(ipv4(50, packet))
    for expect, frame, code in ((IPSEC, bare, "esp-null"), (BOTH, macsec(bare, pn=50), "inside-esp-null")):
        look = LOOKS["ipsec" if expect is IPSEC else "macsec+ipsec"]
        segment = cases.report(frames([*look, frame], near=A), (*KEYS, null), expect=expect).segments[0]
        assert segment.verdict is VIOLATED
        assert [finding.code for finding in segment.findings if finding.bears] == [code]
        assert segment.units["esp"].authenticated == 7


def test_a_bare_capture() -> None:
    assert judged([], None, None).reasons == ("the capture holds no frames",)
    assert judged(ARP, None, None).reasons == ("nothing protected was seen",)
    assert judged(ARP, None, None).verdict is UNPROVEN
    one_way = judged([LOOKS["macsec"][0]], None, None)
    assert (one_way.verdict, one_way.expect) == (PROVEN, None)


def test_reasons_count_and_name_frames() -> None:
    segment = judged([*LOOKS["macsec"], *both_ways(1), ethernet(b"\x45")], MACSEC)
    assert segment.reasons[:3] == (
        "2 frames in clear: 7-8",
        "2 frames with a canary's token in clear on the wire: 7-8",
        "1 frame malformed: 9",
    )


@pytest.mark.parametrize(("numbers", "most", "words"), [
    ([], 3, ""), ([5], 3, "5"), ([1, 2, 3, 7], 3, "1-3, 7"), ([1, 3, 5, 7], 3, "1, 3, 5, ..."),
    ([1, 3, 5], 3, "1, 3, 5"),
])  # fmt: skip
def test_frame_ranges(numbers: list[int], most: int, words: str) -> None:
    assert frame_ranges(numbers, most) == words


def test_the_worst_segment_speaks_for_all() -> None:
    assert Verdict.of_all([PROVEN, PROVEN]) is PROVEN
    assert Verdict.of_all([PROVEN, UNPROVEN]) is UNPROVEN
    assert Verdict.of_all([UNPROVEN, VIOLATED, PROVEN]) is VIOLATED
    assert Verdict.of_all([]) is UNPROVEN
