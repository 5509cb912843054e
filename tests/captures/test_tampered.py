"""One bit flipped anywhere in a protected frame: that frame is named, and no other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.capture.frame import Frame
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.document import Severity, Verdict
from lab.coverage.examine import Manner, examine
from lab.coverage.findings import collect
from lab.coverage.observe import Observation
from lab.coverage.segment import Segment
from lab.coverage.sight import FRAGMENT
from tests.captures.cases import NAMES, flip, frames_of, keys_of, observe, renumber, write_pcap

EAPOL_TYPE = 15


def protected(frame: Frame) -> range:
    """The octets that some ICV covers; none for an unprotected frame."""
    sight = ethernet(frame.octets, frame.original_length)
    if sight.kind in (census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY):
        return range(len(frame.octets))
    if sight.kind == census.MKA:
        return range(sight.end)
    if sight.kind == census.ESP or (sight.kind == FRAGMENT and frame.octets[23] == 50):
        return range(sight.start, sight.end)
    if sight.kind == census.IKE and frame.octets[sight.start + 16] in (46, 53):
        return range(sight.start, sight.end)
    return range(0)


def bits(frame: Frame, count: int, seed: str) -> list[int]:
    """Some bits under protection. A VLAN tag before the SecTAG is not; another EAPOL type is no MKPDU any more."""
    octets = [octet for octet in protected(frame) if not (octet in range(12, 16) and frame.octets[12] == 0x81)]
    if frame.octets[12:14] == b"\x88\x8e":
        octets.remove(EAPOL_TYPE)
    chosen = random.Random(f"{seed} {frame.number}")
    return [8 * chosen.choice(octets) + chosen.randrange(8) for _ in range(count)] if octets else []


def named(seen: Observation) -> set[int]:
    """The frames of every finding that keeps a segment from being proven."""
    findings = collect(seen, None, 0)
    return {number for finding in findings if finding.severity is not Severity.INFO for number in finding.frames}


def check(name: str, number: int, bit: int) -> None:
    frames = list(frames_of(name))
    plain = observe(frames, keys_of(name))
    together = datagram(frames, frames[number - 1])
    frames[number - 1] = flip(frames[number - 1], bit)
    seen = observe(frames, keys_of(name))
    where = f"frame {number}, octet {bit // 8}, bit {bit % 8}"
    assert named(seen) - named(plain) <= together, where
    assert named(seen) >= {number}, where
    authenticated = {protocol: units[0] for protocol, units in plain.units.items()}
    lost = {protocol: authenticated[protocol] - units[0] for protocol, units in seen.units.items()}
    assert sorted(lost.values()) == [0, 0, 0, 1], where
    assert seen.frames == plain.frames == sum(seen.class_frames)


def datagram(frames: list[Frame], one: Frame) -> set[int]:
    """The numbers of all frames that carry pieces of the same IPv4 datagram."""
    if ethernet(one.octets, one.original_length).kind != FRAGMENT:
        return {one.number}
    key = one.octets[18:20] + one.octets[26:34]
    return {frame.number for frame in frames if frame.octets[18:20] + frame.octets[26:34] == key}


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_in_each_frame(name: str) -> None:
    for frame in frames_of(name):
        for bit in bits(frame, 3, name):
            check(name, frame.number, bit)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("third", range(3))
def test_a_tampered_copy_of_each_capture(name: str, third: int, tmp_path: Path) -> None:
    """Every third protected frame has a bit flipped, in a file: those are named, by one process and by two."""
    frames = list(frames_of(name))
    flipped, allowed = set(), set()
    for place, frame in enumerate(frame for frame in frames_of(name) if bits(frame, 1, name)):
        if place % 3 == third:
            flipped.add(frame.number)
            allowed |= datagram(frames, frame)
            frames[frame.number - 1] = flip(frame, bits(frame, 1, f"{name} {third}")[0])
    plain = named(observe(frames_of(name), keys_of(name)))
    path = write_pcap(tmp_path / "tampered.pcap", frames)
    for workers in (1, 2):
        report = examine([Segment(name=name, capture=path)], keys_of(name), Manner(workers=workers))
        found = {number for finding in report.segments[0].findings for number in finding.frames if finding.bears
                 and finding.severity is not Severity.INFO}  # fmt: skip
        assert flipped <= found
        assert found <= allowed | plain
        assert report.verdict is not Verdict.PROVEN or not flipped, "a flipped SPI is of an SA without a key"


def headers() -> Iterator[tuple[str, int]]:
    """A frame of each kind, to be flipped all over."""
    for name in ("macsec_gcm-aes-128_sci_conf", "macsec_gcm-aes-xpn-256_es_integ", "esp_tunnel_aes128-cbc_sha1-96",
                 "mkpdu-cisco-brocade-psk", "ss-gcm-x25519", "ike_psk_modp2048_esp_aes256-sha512_natt"):  # fmt: skip
        kinds: dict[int, int] = {}
        for frame in frames_of(name):
            kind = ethernet(frame.octets, frame.original_length).kind
            if protected(frame) and kind != FRAGMENT:
                kinds.setdefault(kind, frame.number)
        for number in kinds.values():
            yield name, number


@pytest.mark.parametrize(("name", "number"), tuple(headers()))
def test_every_bit_of_a_protected_header(name: str, number: int) -> None:
    frame = frames_of(name)[number - 1]
    for octet in list(protected(frame))[:40]:
        if octet == EAPOL_TYPE and frame.octets[12:14] == b"\x88\x8e":
            continue
        for bit in range(8):
            check(name, number, 8 * octet + bit)


def test_the_last_octets_too() -> None:
    for name in ("macsec_gcm-aes-xpn-256_pnwrap", "esp_tunnel_aes128-gmac", "ss-chacha20-ecp256", "mka_psk128_pair"):
        frame = next(frame for frame in frames_of(name) if protected(frame))
        for octet in list(protected(frame))[-16:]:
            check(name, frame.number, 8 * octet)


@pytest.mark.parametrize("name", ["macsec_gcm-aes-128_sci_conf", "esp_transport_aes128-gcm16", "ss-esn"])
def test_a_clear_frame_inserted_anywhere_is_found_and_named(name: str) -> None:
    ping = next(frame for frame in frames_of("esp_tunnel_natt_tx_aes128-gcm16") if frame.number == 3)
    frames = frames_of(name)
    before = named(observe(frames, keys_of(name)))
    for place in range(0, len(frames) + 1, 5):
        mixed = renumber((*frames[:place], ping, *frames[place:]))
        assert named(observe(mixed, keys_of(name))) - {n + (n > place) for n in before} == {place + 1}


@pytest.mark.parametrize("name", ["macsec_gcm-aes-xpn-256_sci_conf", "esp_tunnel_esn_aes256-gcm16", "mka_psk128_pair"])
def test_replayed_and_disordered_frames_are_authentic_each_time(name: str) -> None:
    frames = frames_of(name)
    plain = observe(frames, keys_of(name))
    whole = [frame for frame in frames if ethernet(frame.octets, frame.original_length).kind != FRAGMENT]
    alone = observe(whole, keys_of(name))
    for again in (renumber((*frames, *whole)), renumber((*frames, *reversed(whole)))):
        seen = observe(again, keys_of(name))
        for protocol, units in seen.units.items():
            assert units == [plain.units[protocol][0] + alone.units[protocol][0], 0, 0]
