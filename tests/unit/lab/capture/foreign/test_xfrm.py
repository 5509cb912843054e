"""`ip xfrm state`: what iproute2 6.1 prints, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.lab.capture.foreign.found import DATA, imported

PRINTED = (DATA / "xfrm-state.txt").read_text()
UP_TO = bytes(range(64)).hex()


def test_what_is_printed(tmp_path: Path) -> None:
    objects, problems = imported(tmp_path, PRINTED)
    assert objects == [
        {"type": "esp-sa", "spi": "c0000003", "dst": "10.7.0.1", "mode": "tunnel", "encryption": "ENCR_NULL",
         "integrity": "AUTH_HMAC_SHA1_96", "integrity_key": UP_TO[:40]},
        {"type": "esp-sa", "spi": "c0000002", "dst": "10.7.0.1", "mode": "transport", "esn": True,
         "first_seq": 0x200000017, "encryption": "ENCR_AES_CBC", "encryption_key": UP_TO[:32],
         "integrity": "AUTH_HMAC_SHA2_256_128", "integrity_key": UP_TO[:64]},
        {"type": "esp-sa", "spi": "c0000001", "dst": "10.7.0.2", "mode": "tunnel", "encryption": "ENCR_AES_GCM_16",
         "encryption_key": UP_TO[2:42]},
    ]  # fmt: skip
    assert problems == ["file1:1: an SA of ah: a key log holds those of ESP"]


@pytest.mark.parametrize(("command", "fields"), [
    ("ip xfrm state add src fd00::1 dst fd00::2 proto esp spi 0x1001 mode tunnel \\\n  aead 'rfc4543(gcm(aes))'"
     f" 0x{UP_TO[:40]} 128",
     {"spi": "00001001", "dst": "fd00::2", "encryption": "ENCR_NULL_AUTH_AES_GMAC", "encryption_key": UP_TO[:40]}),
    (f"sudo ip -n ns1 xfrm state update src 1.1.1.1 dst 2.2.2.2 proto esp spi 4097 mode tunnel auth 'hmac(sha512)'"
     f" 0x{UP_TO} enc 'cbc(des3_ede)' 0x{UP_TO[:48]}",
     {"spi": "00001001", "dst": "2.2.2.2", "encryption": "ENCR_3DES", "encryption_key": UP_TO[:48],
      "integrity": "AUTH_HMAC_SHA2_512_256", "integrity_key": UP_TO}),
    (f"set -e; /sbin/ip x s add src 1.1.1.1 dst 2.2.2.2 proto esp spi 0x1001 aead 'rfc7539esp(chacha20,poly1305)'"
     f" 0x{UP_TO[:72].upper()} 128 # a comment",
     {"spi": "00001001", "dst": "2.2.2.2", "encryption": "ENCR_CHACHA20_POLY1305", "encryption_key": UP_TO[:72]}),
    (f"ip xfrm state add src 1.1.1.1 dst 2.2.2.2 proto esp spi 0x1001 enc 'ecb(cipher_null)' '' auth-trunc 'cmac(aes)'"
     f" 0x{UP_TO[:32]} 96",
     {"spi": "00001001", "dst": "2.2.2.2", "encryption": "ENCR_NULL", "integrity": "AUTH_AES_CMAC_96",
      "integrity_key": UP_TO[:32]}),
])  # fmt: skip
def test_commands(tmp_path: Path, command: str, fields: dict[str, object]) -> None:
    assert imported(tmp_path, command + "\n") == ([{"type": "esp-sa", "mode": "tunnel"} | fields], [])


HEAD = "src 1.1.1.1 dst 2.2.2.2\n\tproto esp spi 0x00001001 reqid 0 mode tunnel\n"


@pytest.mark.parametrize(("text", "told"), [
    (HEAD + "\taead rfc4106(gcm(aes)) <<Keys hidden>> 128\n", "keys of SPI 0x00001001 are hidden: list them as root"),
    (HEAD + f"\tauth-trunc hmac(sha256) 0x{UP_TO[:64]} 96\n\tenc cbc(aes) 0x{UP_TO[:32]}\n",
     "'hmac(sha256)' cut to 96 bits, which has no number at IANA or none that is known here; RFC 4868 cuts it to 128"),
    (HEAD + f"\tauth hmac(sha256) 0x{UP_TO[:64]}\n\tenc cbc(aes) 0x{UP_TO[:32]}\n", "cut to 96 bits"),
    (HEAD + f"\tenc cbc(aes) 0x{UP_TO[:32]}\n", "an SA without a key to check its ICV with"),
    (HEAD + f"\tauth-trunc hmac(sha1) 0x{UP_TO[:40]} 96\n\tenc cbc(twofish) 0x{UP_TO[:32]}\n", "cipher 'cbc(twofish)'"),
    (HEAD + f"\taead rfc4106(gcm(aes)) 0x{UP_TO[:40]} 32\n", "AEAD 'rfc4106(gcm(aes))' with an ICV of '32' bits"),
    (HEAD + "\taead rfc4106(gcm(aes)) 0x01 128\n", "`encryption_key` has 2 hex digits; esp-sa needs 40 or 56 or 72"),
    (HEAD + "\taead rfc4106(gcm(aes)) secret 128\n", "a key that is not there, or not written as 0x and hex digits"),
    ("src 1.1.1.1 dst 2.2.2.2\n\tproto esp reqid 0\n", "an SA without an SPI"),
    (HEAD.replace("0x00001001", "many"), "SPI 'many', which is no number of 32 bits"),
])  # fmt: skip
def test_what_cannot_be_imported_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    objects, (problem,) = imported(tmp_path, "\n" + text)
    assert objects == []
    assert problem.startswith("file1:2: ")
    assert told in problem
    assert "secret" not in problem
