"""Rows of Wireshark's tables, word for word; that tshark takes them is tested against tshark."""

from __future__ import annotations

import pytest

from lab.capture import keylog
from lab.capture.keys import Key
from lab.capture.wireshark import tables_of

CBC, GCM = "ENCR_AES_CBC", "ENCR_AES_GCM_16"
SHA256 = "AUTH_HMAC_SHA2_256_128"


def key(**fields: object) -> Key:
    made = keylog.parse(fields)
    assert made is not None
    return made


def esp(encryption: str, octets: int, integrity: str | None = None, check: int = 0, **more: object) -> Key:
    fields: dict[str, object] = {"type": "esp-sa", "spi": "c0000001", "mode": "tunnel", "encryption": encryption}
    fields["encryption_key"] = "11" * octets
    if integrity is not None:
        fields |= {"integrity": integrity, "integrity_key": "22" * check}
    return key(**fields, **more)


def ike(encryption: str, octets: int, integrity: str | None = None, check: int = 0) -> Key:
    fields: dict[str, object] = {"type": "ike-sa", "spi_i": "01" * 8, "spi_r": "02" * 8, "encryption": encryption}
    fields |= {"sk_ei": "11" * octets, "sk_er": "33" * octets, "prf": "PRF_HMAC_SHA2_256"}
    fields |= dict.fromkeys(("sk_d", "sk_pi", "sk_pr"), "44" * 32)
    if integrity is not None:
        fields |= {"integrity": integrity, "sk_ai": "22" * check, "sk_ar": "55" * check}
    return key(**fields)


@pytest.mark.parametrize(("made", "row"), [
    (esp(CBC, 32, SHA256, 32, dst="10.0.1.4"),
     f'"IPv4","*","10.0.1.4","0xc0000001","AES-CBC [RFC3602]","0x{"11" * 32}",'
     f'"HMAC-SHA-256-128 [RFC4868]","0x{"22" * 32}"'),
    (esp(GCM, 20, dst="2001:db8::1"),
     f'"IPv6","*","2001:db8::1","0xc0000001","AES-GCM with 16 octet ICV [RFC4106]","0x{"11" * 20}","NULL",""'),
    (esp("ENCR_NULL", 0, "AUTH_HMAC_SHA1_96", 20, dst="10.0.1.4"),
     f'"IPv4","*","10.0.1.4","0xc0000001","NULL","","HMAC-SHA-1-96 [RFC2404]","0x{"22" * 20}"'),
    (esp(CBC, 16, "AUTH_HMAC_SHA1_160", 20, dst="10.0.1.4"), None),
    (esp(CBC, 16, SHA256, 32, dst="10.0.1.4", esn=True),
     f'"IPv4","*","10.0.1.4","0xc0000001","AES-CBC [RFC3602]","0x{"11" * 16}",'
     '"ANY 128 bit authentication [no checking]",""'),
])  # fmt: skip
def test_esp(made: Key, row: str | None) -> None:
    tables = tables_of([made])
    assert tables.esp == (() if row is None else (row,))
    assert bool(tables.notes) is (row is None or "ANY" in row)


def test_esp_without_a_destination_has_a_row_for_each_ip_version() -> None:
    assert [row.split(",")[:3] for row in tables_of([esp(GCM, 20)]).esp] == [
        ['"IPv4"', '"*"', '"*"'],
        ['"IPv6"', '"*"', '"*"'],
    ]


@pytest.mark.parametrize(("made", "words"), [
    (ike(CBC, 32, SHA256, 32), ('"AES-CBC-256 [RFC3602]"', "22" * 32, "55" * 32, '"HMAC_SHA2_256_128 [RFC4868]"')),
    (ike(GCM, 36), ('"AES-GCM-256 with 16 octet ICV [RFC5282]"', "", "", '"NONE [RFC4306]"')),
])  # fmt: skip
def test_ike(made: Key, words: tuple[str, ...]) -> None:
    octets = 32 if words[1] else 36
    (row,) = tables_of([made]).ike
    assert row.split(",") == ["01" * 8, "02" * 8, "11" * octets, "33" * octets, *words]


@pytest.mark.parametrize(("made", "reason"), [
    (esp("ENCR_CHACHA20_POLY1305", 36), "ENCR_CHACHA20_POLY1305 in ESP"),
    (esp("ENCR_NULL_AUTH_AES_GMAC", 20), "ENCR_NULL_AUTH_AES_GMAC in ESP"),
    (ike("ENCR_CHACHA20_POLY1305", 36), "ENCR_CHACHA20_POLY1305 in IKEv2"),
    (ike("ENCR_DES", 8, SHA256, 32), "ENCR_DES in IKEv2"),
    (ike(CBC, 16, "AUTH_AES_CMAC_96", 16), "AUTH_AES_CMAC_96 in IKEv2"),
])  # fmt: skip
def test_what_is_left_out_is_named_without_its_key(made: Key, reason: str) -> None:
    tables = tables_of([made])
    assert not tables.esp + tables.ike
    (note,) = tables.notes
    assert note.endswith(f" is left out: Wireshark 4.0 cannot do {reason}")
    assert "1111" not in note


def test_keys_of_other_protocols_are_counted() -> None:
    cak = key(type="mka-cak", ckn="aa", cak="11" * 16)
    assert tables_of([cak, cak]).notes == (
        "left out, 2 of MACsec and MKA: Wireshark 4.0 has no table for such keys",
    )  # fmt: skip
