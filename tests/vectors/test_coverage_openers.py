"""The verdict's own opening of frames, which shares no code with the engines, against the same vectors."""

from __future__ import annotations

from typing import cast

import pytest

from dataplane.crypto.secret import Secret
from lab.capture.algorithms import ENCRYPTIONS
from lab.capture.keyfields import Fields
from lab.capture.keys import EspSa, MacsecSak, MkaCak
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.esp import EspOpener
from lab.coverage.macsec import MacsecOpener
from lab.coverage.mka import MkaOpener, derive
from lab.coverage.sight import Found
from lab.coverage.transforms import make_opener
from tests.unit.lab.coverage.mka_members import Member, distribute, seal_xpn
from tests.vectors.load import Vector, each, load


def sak_of(vector: Vector) -> MacsecSak:
    fields: dict[str, object] = {
        "type": "macsec-sak", "sci": vector.text("sci"), "an": vector.number("an"), "sak": vector.text("key"),
        "cipher_suite": vector.text("cipher_suite"), "confidentiality_offset": vector.number("offset"),
        "first_pn": max(vector.number("pn"), 1),
    }  # fmt: skip
    if vector.has("ssci"):
        fields |= {"ssci": vector.text("ssci"), "salt": vector.text("salt")}
    return MacsecSak.read(Fields(fields))


def opened(vector: Vector, opener: MacsecOpener) -> Found:
    octets = vector.octets("protected")
    sight = ethernet(octets, len(octets))
    if sight.kind not in (census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY):
        return Found(sight.kind, None, reason=sight.reason)
    return opener.open(octets, sight.start, sight.end)


@each("macsec.json", "cipher", "integrity", "vlan", "derived", "rekey", "linux_frame")
def test_macsec_frames_open(vector: Vector) -> None:
    found = opened(vector, MacsecOpener([sak_of(vector)], ()))
    assert found.outcome == census.AUTHENTICATED
    clear = vector.octets("plaintext")
    # Tags in front of the SecTAG are not part of what was protected.
    tags = len(vector.text("clear_vlan_tags")) // 2
    assert found.content == clear[:12] + clear[12 + tags :]
    expected = census.MACSEC_ENCRYPTED if vector.flag("confidentiality") else census.MACSEC_INTEGRITY_ONLY
    assert found.kind == expected


@each("macsec.json", "bad_tag", "intr")
def test_sectags_that_break_a_rule_are_malformed(vector: Vector) -> None:
    found = opened(vector, MacsecOpener([sak_of(vector)], ()))
    if "E=0 C=1" in vector.text("expect_why"):  # 9.5 allows it: changed, not encrypted; the ICV is wrong all the same
        assert (found.kind, found.outcome) == (census.MACSEC_INTEGRITY_ONLY, census.FAILED)
    else:
        assert (found.kind, found.outcome) == (census.MALFORMED, None)
        assert "802.1AE-2018 9." in found.reason


@each("macsec.json", "err_cipher")
def test_a_damaged_frame_fails(vector: Vector) -> None:
    assert opened(vector, MacsecOpener([sak_of(vector)], ())).outcome == census.FAILED


@each("macsec.json", "untagged")
def test_a_frame_without_sectag_is_clear(vector: Vector) -> None:
    octets = vector.octets("protected")
    assert ethernet(octets, len(octets)).kind == census.CLEARTEXT


@pytest.mark.parametrize("suite", ["GCM-AES-128", "GCM-AES-XPN-128"])
def test_late_frames_and_replays_are_authentic_for_a_verdict(suite: str) -> None:
    vectors = [vector for vector in load("macsec.json", "anti_replay") if vector.text("cipher_suite") == suite]
    assert len(vectors) == 4
    opener = MacsecOpener([sak_of(vectors[0])], ())
    for vector in (*vectors, *vectors):
        assert opened(vector, opener).content == vector.octets("plaintext")


def aead_of(vector: Vector) -> str:
    for word, name in {"CHACHA": "ENCR_CHACHA20_POLY1305", "GMAC": "ENCR_NULL_AUTH_AES_GMAC"}.items():
        if word in vector.text("alg"):
            return name
    return "ENCR_AES_GCM_16"


@each("ike_esp.json", "esp_aead")
def test_aead_units_open(vector: Vector) -> None:
    """As ESP packets where the vector is one; one of them is a part of an IKE message."""
    key = vector.text("key") + vector.text("salt")
    body = vector.octets("iv") + vector.octets("cipher_icv")
    damaged = body[:-1] + bytes([body[-1] ^ 1])
    if not vector.has("packet"):
        opener = make_opener(ENCRYPTIONS[aead_of(vector)], Secret(bytes.fromhex(key)), None, None, reveal=True)
        assert opener is not None
        assert opener.open(vector.octets("aad"), body, b"") == vector.octets("plain")
        assert opener.open(vector.octets("aad"), damaged, b"") is None
        return
    header = vector.octets("packet")[:8]
    fields = {
        "type": "esp-sa", "spi": header[:4].hex(), "mode": "tunnel", "esn": vector.flag("esn"),
        "encryption": aead_of(vector), "encryption_key": key,
        "first_seq": int(vector.text("aad")[8:], 16),
    }  # fmt: skip
    esp = EspOpener([EspSa.read(Fields(fields))], reveal=True)
    found = esp.open(vector.octets("packet"), b"")
    assert (found.outcome, found.content) == (census.AUTHENTICATED, vector.octets("plain"))
    assert esp.open(header + damaged, b"").outcome == census.FAILED


@each("mka.json", "kek", "ick", "sak")
def test_the_kdf(vector: Vector) -> None:
    output = derive(
        vector.octets("cak"), vector.text("label_ascii").encode(), vector.octets("context"),
        vector.number("length_bits") // 8,
    )  # fmt: skip
    assert output == vector.octets("output")


@each("mka.json", "mkpdu")
def test_mkpdus_are_authentic(vector: Vector) -> None:
    opener = MkaOpener([MkaCak(ckn=vector.octets("ckn"), cak=Secret(vector.octets("cak")))])
    frame = vector.octets("frame")
    sight = ethernet(frame, len(frame))
    assert sight.kind == census.MKA
    assert opener.open(frame, sight.start, sight.end).outcome == census.AUTHENTICATED
    wrong = MkaOpener([MkaCak(ckn=vector.octets("ckn"), cak=Secret(bytes(16)))])
    assert wrong.open(frame, sight.start, sight.end).outcome == census.FAILED


def check_xpn(members: list[Member], ranks: dict[str, int], number: int) -> bytes:
    """The members speak, the first distributes a SAK, and a frame of each opens at once; gives the salt."""
    sak = bytes(range(32))
    _, told = distribute(members, number=number, suite=4, sak=sak)
    opener = MacsecOpener((), [told])
    for sci, rank in ranks.items():
        frame = seal_xpn(bytes.fromhex(sci), sak, rank, told.salt, pn=7)
        sight = ethernet(frame, len(frame))
        assert opener.open(frame, sight.start, sight.end).outcome == census.AUTHENTICATED
        assert opener.candidates(bytes.fromhex(sci), 0)[0].pn == 7
        assert told.ranked_scis[rank - 1].hex() == sci
    return told.salt


@each("mka.json", "xpn_salt")
def test_xpn_salt(vector: Vector) -> None:
    scis = ["0200000000020001", "0200000000010001"]
    members = [Member(sci=bytes.fromhex(scis[0]), mi=vector.octets("ks_mi")), Member(bytes.fromhex(scis[1]), bytes(12))]
    assert check_xpn(members, {scis[0]: 1, scis[1]: 2}, vector.number("kn")) == vector.octets("output")


@each("mka.json", "xpn_ssci")
def test_xpn_sscis(vector: Vector) -> None:
    scis = cast(list[str], vector.fields["scis"])
    members = [Member(sci=bytes.fromhex(sci), mi=bytes([place]) * 12) for place, sci in enumerate(scis)]
    check_xpn(members, cast(dict[str, int], vector.fields["output"]), 1)
