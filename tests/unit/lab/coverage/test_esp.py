"""ESP opened with the key log's SAs: every transform, extended sequence numbers, several SAs for one SPI."""

from __future__ import annotations

import numpy as np
import pytest

from dataplane.crypto.aead import aes_gcm
from dataplane.crypto.cmac import aes_cmac
from lab.capture.keys import EspSa
from lab.coverage import census
from lab.coverage.esp import EspOpener
from tests.unit.lab.coverage.packets import A4, B4, SPI_AB, esp_cbc, esp_gcm, esp_key, trailer

PAYLOAD = bytes(range(100))
HASHES = {
    "AUTH_HMAC_MD5_96": ("MD5", 16, 12),
    "AUTH_HMAC_MD5_128": ("MD5", 16, 16),
    "AUTH_HMAC_SHA1_96": ("SHA1", 20, 12),
    "AUTH_HMAC_SHA1_160": ("SHA1", 20, 20),
    "AUTH_HMAC_SHA2_256_128": ("SHA2_256", 32, 16),
    "AUTH_HMAC_SHA2_384_192": ("SHA2_384", 48, 24),
    "AUTH_HMAC_SHA2_512_256": ("SHA2_512", 64, 32),
}
CIPHERS = {"ENCR_AES_CBC": ("AES", 32), "ENCR_3DES": ("3DES", 24), "ENCR_DES": ("DES", 8), "ENCR_NULL": ("", 0)}


def damage(packet: bytes, at: int = -1) -> bytes:
    octets = bytearray(packet)
    octets[at] ^= 1
    return bytes(octets)


@pytest.mark.parametrize("integrity", HASHES)
@pytest.mark.parametrize("encryption", CIPHERS)
@pytest.mark.parametrize("esn", [False, True])
def test_ciphers_with_a_mac(encryption: str, integrity: str, esn: bool) -> None:
    (hash_name, mac_octets, icv), (cipher, key_octets) = HASHES[integrity], CIPHERS[encryption]
    key, mac_key = bytes(range(key_octets)), bytes(range(mac_octets))
    sequence = 2**32 + 5 if esn else 5
    packet = esp_cbc(PAYLOAD, cipher=cipher, key=key, hash_name=hash_name, mac_key=mac_key, icv=icv,
                     sequence=sequence, esn=esn)  # fmt: skip
    sa = esp_key(encryption=encryption, key=key, integrity=integrity, integrity_key=mac_key.hex(), esn=esn,
                 first_seq=2**32 if esn else 1)  # fmt: skip
    kind = census.ESP_NULL if encryption == "ENCR_NULL" else census.ESP
    found = EspOpener([sa], reveal=True).open(packet, B4)
    assert (found.kind, found.outcome) == (kind, census.AUTHENTICATED)
    assert found.content.startswith(PAYLOAD)
    assert EspOpener([sa], reveal=False).open(packet, B4).outcome == census.AUTHENTICATED
    for at in (4, 9, 40, len(packet) - 1):
        failed = EspOpener([sa], reveal=False).open(damage(packet, at), B4)
        assert (failed.kind, failed.outcome) == (kind, census.FAILED)
        assert "c0000001" in failed.reason


def test_gmac_leaves_everything_readable() -> None:
    key = bytes(range(20))
    clear = trailer(PAYLOAD)
    head = SPI_AB + b"\0\0\0\1" + b"eight iv"
    packet = head + clear + aes_gcm(key[:16]).seal(key[16:] + b"eight iv", b"", head + clear)
    opener = EspOpener([esp_key(encryption="ENCR_NULL_AUTH_AES_GMAC", key=key)], reveal=True)
    found = opener.open(packet, B4)
    assert (found.kind, found.outcome, found.content) == (census.ESP_NULL, census.AUTHENTICATED, clear)
    assert opener.open(damage(packet, 20), B4).outcome == census.FAILED


def test_a_cmac() -> None:
    key = bytes(range(16))
    sa = esp_key(encryption="ENCR_NULL", key=b"", integrity="AUTH_AES_CMAC_96", integrity_key=key.hex())
    head = SPI_AB + b"\0\0\0\1" + trailer(PAYLOAD)
    packet = head + aes_cmac(key, head)[:12]
    opener = EspOpener([sa], reveal=False)
    assert opener.open(packet, B4).outcome == census.AUTHENTICATED
    (candidate,) = opener.candidates(SPI_AB, B4)
    assert candidate.opener is not None
    length, both = len(packet), packet + damage(packet)
    starts, ends = np.array([0, length]), np.array([length, 2 * length])
    assert candidate.opener.failed(both, starts, ends, None) == [1]


def test_extended_sequence_numbers_go_over_the_wrap_and_back() -> None:
    opener = EspOpener([esp_key(esn=True, first_seq=2**32 - 3)], reveal=True)
    for sequence in (2**32 - 3, 2**32 + 1, 2**32 - 1, 2**32 + 2, 2**32, 2**32 - 3):
        assert opener.open(esp_gcm(PAYLOAD, sequence=sequence, esn=True), B4).outcome == census.AUTHENTICATED
    assert opener.candidates(SPI_AB, B4)[0].sequence == 2**32 + 2
    forged = damage(esp_gcm(PAYLOAD, sequence=2**33, esn=True))
    assert opener.open(forged, B4).outcome == census.FAILED
    assert opener.candidates(SPI_AB, B4)[0].sequence == 2**32 + 2, "what is not authentic moves nothing"


def test_a_capture_that_begins_later_than_the_key_log_says() -> None:
    opener = EspOpener([esp_key(esn=True)], reveal=True)
    assert opener.open(esp_gcm(PAYLOAD, sequence=2**32 + 5, esn=True), B4).outcome == census.AUTHENTICATED


def test_the_destination_chooses_and_of_several_the_one_that_fits() -> None:
    mine, other = bytes(range(20)), bytes(range(1, 21))
    packet = esp_gcm(PAYLOAD, key=mine)

    def outcome(*sas: EspSa, destination: bytes = B4) -> int | None:
        return EspOpener(sas, reveal=False).open(packet, destination).outcome

    assert outcome(esp_key(key=mine, dst="10.0.0.2")) == census.AUTHENTICATED
    assert outcome(esp_key(key=mine, dst="10.0.0.2"), destination=A4) == census.NO_KEY
    assert outcome(esp_key(key=mine, dst="10.0.0.2"), esp_key(key=other, dst="10.0.0.1")) == census.AUTHENTICATED
    assert outcome(esp_key(key=mine), esp_key(key=other)) == census.AUTHENTICATED
    assert outcome(esp_key(key=other), esp_key(key=mine)) == census.AUTHENTICATED
    assert outcome(esp_key(key=other)) == census.FAILED
    assert outcome(esp_key(b"\1\2\3\4", key=mine)) == census.NO_KEY


def test_an_algorithm_that_is_not_done_here_has_no_key() -> None:
    ccm = esp_key(encryption="ENCR_AES_CCM_16", key=bytes(19))
    found = EspOpener([ccm], reveal=False).open(esp_gcm(PAYLOAD), B4)
    assert (found.kind, found.outcome) == (census.ESP, census.NO_KEY)
    assert "ENCR_AES_CCM_16 cannot be computed here" in found.reason
    xcbc = esp_key(encryption="ENCR_NULL", key=b"", integrity="AUTH_AES_XCBC_96", integrity_key="00" * 16)
    found = EspOpener([xcbc], reveal=False).open(esp_gcm(PAYLOAD), B4)
    assert (found.kind, found.outcome) == (census.ESP_NULL, census.NO_KEY)
    assert EspOpener([ccm, esp_key()], reveal=False).open(esp_gcm(PAYLOAD), B4).outcome == census.AUTHENTICATED


@pytest.mark.parametrize("length", [12, 20, 32])
def test_a_packet_that_its_transforms_cannot_have_made(length: int) -> None:
    found = EspOpener([esp_key()], reveal=False).open((SPI_AB + bytes(40))[:length], B4)
    assert (found.kind, found.outcome) == (census.MALFORMED, None)
    cbc = esp_key(encryption="ENCR_AES_CBC", key=bytes(16), integrity="AUTH_HMAC_SHA1_96", integrity_key="00" * 20)
    for octets in (8 + 16 + 12, 8 + 16 + 15 + 12, 8 + 16 + 20 + 12):
        assert EspOpener([cbc], reveal=False).open((SPI_AB + bytes(octets))[:octets], B4).kind == census.MALFORMED
