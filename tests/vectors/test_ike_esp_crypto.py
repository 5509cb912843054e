"""Every published value of ike_esp.json against the crypto room alone: no engine takes part."""

from __future__ import annotations

import hashlib

import pytest

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.keyexchange import from_private, public_octets
from dataplane.crypto.keywrap import unwrap, wrap
from dataplane.crypto.modp import modp_group
from dataplane.crypto.prf import Prf
from dataplane.errors import IntegrityError
from tests.vectors.load import Vector, each

FILE = "ike_esp.json"


def prf(vector: Vector) -> Prf:
    name = vector.text("prf").removeprefix("HMAC-").lower()
    return Prf({"sha1": "PRF_HMAC_SHA1"}.get(name, f"PRF_HMAC_SHA2_{name.removeprefix('sha')}"))


@each(FILE, "ikev2_kdf_full")
def test_the_whole_key_derivation(vector: Vector) -> None:
    derive = prf(vector)
    nonces = vector.octets("Ni") + vector.octets("Nr")
    seed = nonces + vector.octets("SPIi") + vector.octets("SPIr")
    skeyseed = derive(nonces, vector.octets("g_ir"))
    assert skeyseed == vector.octets("SKEYSEED")
    keymat = vector.octets("DKM")
    assert derive.plus(skeyseed, seed, len(keymat)) == keymat
    sk_d = keymat[: vector.number("SK_d_length")]
    child = vector.octets("DKM_child")
    assert derive.plus(sk_d, nonces, len(child)) == child
    child_dh = vector.octets("DKM_child_dh")
    assert derive.plus(sk_d, vector.octets("g_ir_new") + nonces, len(child_dh)) == child_dh
    assert derive(sk_d, vector.octets("g_ir_new") + nonces) == vector.octets("SKEYSEED_rekey")


@each(FILE, "ikev2_skeyseed")
def test_skeyseed(vector: Vector) -> None:
    assert prf(vector)(vector.octets("Ni_Nr"), vector.octets("g_ir")) == vector.octets("SKEYSEED")


@each(FILE, "ikev2_prf_plus")
def test_prf_plus(vector: Vector) -> None:
    out = vector.octets("out")
    assert prf(vector).plus(vector.octets("SKEYSEED"), vector.octets("Ni_Nr_SPIi_SPIr"), len(out)) == out


@each(FILE, "hmac")
def test_hmac(vector: Vector) -> None:
    kind, _, name = vector.text("alg").partition("_HMAC_")
    hash_name = name if kind == "PRF" else name.rpartition("_")[0]
    out = vector.octets("out")
    assert HmacKey(hash_name, vector.octets("key")).digest(vector.octets("data"))[: len(out)] == out
    if kind == "AUTH":
        assert len(out) * 8 == int(name.rpartition("_")[2])
    else:
        assert Prf(vector.text("alg"))(vector.octets("key"), vector.octets("data")) == out


@each(FILE, "aes_cbc")
def test_aes_cbc(vector: Vector) -> None:
    cbc = Cbc(vector.octets("key"))
    assert cbc.encrypt(vector.octets("iv"), vector.octets("plain")) == vector.octets("cipher")
    assert cbc.decrypt(vector.octets("iv"), vector.octets("cipher")) == vector.octets("plain")


def aead(vector: Vector) -> Aead:
    key = vector.octets("key")
    return chacha20_poly1305(key) if vector.text("alg").startswith("CHACHA") else aes_gcm(key)


@each(FILE, "esp_aead")
def test_esp_aead(vector: Vector) -> None:
    cipher = aead(vector)
    nonce = vector.octets("salt") + vector.octets("iv")
    plain, sealed, aad = vector.octets("plain"), vector.octets("cipher_icv"), vector.octets("aad")
    assert cipher.seal(nonce, plain, aad) == sealed
    assert cipher.open(nonce, sealed, aad) == plain
    out = bytearray(len(sealed))
    assert cipher.seal_into(nonce, plain, aad, out) == len(sealed)
    assert out == sealed
    back = bytearray(len(plain))
    assert cipher.open_into(nonce, sealed, aad, back) == len(plain)
    assert back == plain
    for index in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[index] ^= 1
        with pytest.raises(IntegrityError):
            cipher.open(nonce, damaged, aad)


@each(FILE, "modp_primes")
def test_primes(vector: Vector) -> None:
    group = modp_group(vector.number("group"))
    prime = group.p.to_bytes(vector.number("bits") // 8, "big")
    assert prime == vector.octets("prime")
    assert hashlib.sha256(prime).digest() == vector.octets("sha256_of_be_bytes")
    assert group.g == vector.number("generator")


@each(FILE, "key_exchange")
def test_key_exchange(vector: Vector) -> None:
    group = vector.number("group")
    ours = from_private(group, vector.octets("x_i"))
    theirs = from_private(group, vector.octets("x_r"))
    assert ours.public == vector.octets("KE_i")
    assert theirs.public == vector.octets("KE_r")
    assert ours.shared(theirs.public) == theirs.shared(ours.public) == vector.octets("g_ir")
    assert public_octets(group) == len(ours.public)


@each("mka.json", "cmac")
def test_cmac(vector: Vector) -> None:
    assert aes_cmac(vector.octets("key"), vector.octets("data")) == vector.octets("mac")


@each("mka.json", "keywrap")
def test_keywrap(vector: Vector) -> None:
    kek, plain, wrapped = vector.octets("kek"), vector.octets("plain"), vector.octets("wrapped")
    assert wrap(kek, plain) == wrapped
    assert unwrap(kek, wrapped) == plain


@pytest.mark.parametrize(
    ("key", "out"),
    [
        ("000102030405060708090a0b0c0d0e0fedcb", "84a348a4a45d235babfffc0d2b4da09a"),
        ("000102030405060708090a0b0c0d0e0f", "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        ("00010203040506070809", "290d9e112edb09ee141fcf64c0b72f3d"),
    ],
    ids=["18 octets", "16 octets", "10 octets"],
)
def test_prf_aes128_cmac(key: str, out: str) -> None:
    """RFC 4615 section 4."""
    assert Prf("PRF_AES128_CMAC")(bytes.fromhex(key), bytes(range(20))).hex() == out


@each("mka.json", "kdf", "kek", "ick", "sak", "cak", "ckn")
def test_the_cmac_under_mkas_key_derivation(vector: Vector) -> None:
    """802.1X-2020 6.2.1: counter, label, a zero, context and length through AES-CMAC."""
    key = next(vector.octets(field) for field in ("key", "cak", "msk_first16") if vector.has(field))
    bits = vector.number("length_bits")
    tail = vector.text("label_ascii").encode() + b"\0" + vector.octets("context") + bits.to_bytes(2, "big")
    stream = b"".join(aes_cmac(key, bytes((i,)) + tail) for i in range(1, bits // 128 + 1))
    assert stream == vector.octets("output")
