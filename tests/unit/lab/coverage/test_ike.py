"""IKE messages: SK and SKF checked with the key log, and what no exchange may carry in the open."""

from __future__ import annotations

import struct

import pytest

from dataplane.crypto.aead import aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.hmac import HmacKey
from lab.coverage import census
from lab.coverage.ike import IkeOpener
from tests.unit.lab.coverage.packets import ike_key

INIT, AUTH, CHILD, INFORMATIONAL = 34, 35, 36, 37
SK, SKF, NOTIFY, SA = 46, 53, 41, 33
INITIATOR, RESPONSE = 8, 0x20


def header(following: int, exchange: int, flags: int, length: int, *, version: int = 0x20) -> bytes:
    return (
        b"\1" * 8 + b"\2" * 8 + bytes((following, version, exchange, flags)) + b"\0\0\0\1" + struct.pack("!I", length)
    )


def payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def plain(exchange: int, *payloads: tuple[int, bytes]) -> bytes:
    kinds = [kind for kind, _ in payloads] + [0]
    chain = b"".join(payload(kinds[place + 1], body) for place, (_, body) in enumerate(payloads))
    return header(kinds[0], exchange, INITIATOR, 28 + len(chain)) + chain


def sealed_gcm(flags: int, key: bytes, *, exchange: int = AUTH, fragment: bytes = b"", cipher: str = "gcm",
               before: bytes = b"") -> bytes:  # fmt: skip
    content, iv = b"inner payloads\0", b"\7" * 8
    kind = SKF if fragment else SK
    length = 28 + len(before) + 4 + len(fragment) + 8 + len(content) + 16
    head = header(NOTIFY if before else kind, exchange, flags, length)
    head += before + struct.pack("!BBH", 35, 0, length - 28 - len(before)) + fragment
    aead = chacha20_poly1305(key[:-4]) if cipher == "chacha" else aes_gcm(key[:-4])
    return head + iv + aead.seal(key[-4:] + iv, content, head)


def test_each_direction_has_its_key() -> None:
    opener = IkeOpener([ike_key()])
    for flags in (INITIATOR, INITIATOR | RESPONSE):
        assert opener.open(sealed_gcm(flags, b"\x31" * 20)).outcome == census.AUTHENTICATED
        assert opener.open(sealed_gcm(flags, b"\x32" * 20)).outcome == census.FAILED
    for flags in (0, RESPONSE):
        assert opener.open(sealed_gcm(flags, b"\x32" * 20)).outcome == census.AUTHENTICATED
        assert opener.open(sealed_gcm(flags, b"\x31" * 20)).outcome == census.FAILED


@pytest.mark.parametrize("fragment", [b"", struct.pack("!HH", 2, 5)])
def test_whole_and_in_fragments(fragment: bytes) -> None:
    message = sealed_gcm(INITIATOR, b"\x31" * 20, fragment=fragment)
    opener = IkeOpener([ike_key()])
    assert opener.open(message).outcome == census.AUTHENTICATED
    for at in range(len(message)):
        damaged = bytearray(message)
        damaged[at] ^= 4
        found = opener.open(bytes(damaged))
        assert found.outcome in (census.FAILED, census.NO_KEY) or found.kind == census.MALFORMED, at


def test_payloads_before_the_encrypted_one() -> None:
    before = payload(SK, b"\0\0\x40\0")
    assert IkeOpener([ike_key()]).open(
        sealed_gcm(INITIATOR, b"\x31" * 20, before=before)
    ).outcome == census.AUTHENTICATED  # fmt: skip


def test_chacha20_and_cbc_with_a_mac() -> None:
    chacha = ike_key(encryption="ENCR_CHACHA20_POLY1305", sk_ei="31" * 36, sk_er="32" * 36)
    message = sealed_gcm(INITIATOR, b"\x31" * 36, cipher="chacha")
    assert IkeOpener([chacha]).open(message).outcome == census.AUTHENTICATED
    cbc = ike_key(encryption="ENCR_AES_CBC", integrity="AUTH_HMAC_SHA2_384_192", sk_ei="31" * 32, sk_er="32" * 32,
                  sk_ai="41" * 48, sk_ar="42" * 48)  # fmt: skip
    length = 28 + 4 + 16 + 32 + 24
    head = header(SK, CHILD, 0, length) + struct.pack("!BBH", 33, 0, length - 28)
    body = head + bytes(16) + Cbc(b"\x32" * 32).encrypt(bytes(16), bytes(32))
    message = body + HmacKey("SHA2_384", b"\x42" * 48).digest(body)[:24]
    assert IkeOpener([cbc]).open(message).outcome == census.AUTHENTICATED
    assert IkeOpener([cbc]).open(message[:-1] + b"x").outcome == census.FAILED


def test_both_spis_choose_and_of_several_the_one_that_fits() -> None:
    message = sealed_gcm(INITIATOR, b"\x31" * 20)
    other = ike_key(sk_ei="55" * 20)
    assert IkeOpener([ike_key(), other]).open(message).outcome == census.AUTHENTICATED
    assert IkeOpener([other, ike_key()]).open(message).outcome == census.AUTHENTICATED
    assert IkeOpener([other]).open(message).outcome == census.FAILED
    found = IkeOpener([ike_key(spi_r="03" * 8)]).open(message)
    assert found.outcome == census.NO_KEY
    assert "0101010101010101 0202020202020202" in found.reason
    assert IkeOpener([]).open(message).outcome == census.NO_KEY


def test_an_algorithm_that_is_not_done_here_has_no_key() -> None:
    found = IkeOpener([ike_key(encryption="ENCR_AES_GCM_12", sk_ei="00", sk_er="00")]).open(
        sealed_gcm(INITIATOR, b"\x31" * 20)
    )
    assert found.outcome == census.NO_KEY
    assert "ENCR_AES_GCM_12 cannot be computed here" in found.reason


@pytest.mark.parametrize("message", [
    plain(INIT, (SA, bytes(40)), (40, bytes(16))),
    plain(INIT, (NOTIFY, bytes(4))),
    plain(INFORMATIONAL, (NOTIFY, bytes(4)), (NOTIFY, bytes(8))),
    plain(INIT),
])  # fmt: skip
def test_what_may_travel_in_the_open_is_not_counted(message: bytes) -> None:
    found = IkeOpener([ike_key()]).open(message)
    assert (found.kind, found.outcome, found.reason) == (census.IKE, None, "")


def test_ikev1_is_said_to_be_such() -> None:
    message = header(1, 2, 0, 28, version=0x10)
    found = IkeOpener([ike_key()]).open(message)
    assert (found.kind, found.outcome) == (census.IKE, None)
    assert "IKEv1" in found.reason


@pytest.mark.parametrize(("message", "why"), [
    (plain(AUTH, (35, bytes(8))), "never unprotected"),
    (plain(CHILD, (SA, bytes(8))), "never unprotected"),
    (plain(INFORMATIONAL, (42, bytes(4))), "never unprotected"),
    (plain(INIT, (SA, bytes(8)))[:28] + b"\0\0\0\3" + bytes(8), "of a length that cannot be"),
    (plain(INIT, (SA, bytes(8)))[:28] + b"\0\0\0\x7f" + bytes(8), "of a length that cannot be"),
    (plain(INIT, (SA, bytes(8)))[:28] + b"\x28\0\0\x0c" + bytes(8), "beyond the message's end"),
    (plain(INIT, (SA, bytes(8))) + bytes(4), "octets behind its last payload"),
    (sealed_gcm(INITIATOR, b"\x31" * 20) + b"x", "octets behind its SK payload"),
])  # fmt: skip
def test_what_a_message_may_not_be(message: bytes, why: str) -> None:
    found = IkeOpener([ike_key()]).open(message)
    assert (found.kind, found.outcome) == (census.MALFORMED, None)
    assert why in found.reason
