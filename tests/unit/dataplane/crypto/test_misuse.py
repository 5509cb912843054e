"""Hard to misuse: wrong keys are refused at the door with the right length, wrong octets give an attacker nothing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.compare import equal
from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.keywrap import unwrap, wrap
from dataplane.crypto.prf import PRF_NAMES, Prf
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError, LocalError


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: aes_gcm(bytes(15)), "16, 24 or 32 octets, not 15"),
        (lambda: chacha20_poly1305(bytes(16)), "32 octets, not 16"),
        (lambda: aes_cmac(bytes(17), b""), "16, 24 or 32 octets, not 17"),
        (lambda: wrap(bytes(8), bytes(16)), "KEK has 16, 24 or 32 octets, not 8"),
        (lambda: unwrap(bytes(8), bytes(24)), "KEK has 16, 24 or 32 octets, not 8"),
        (lambda: wrap(bytes(16), bytes(8)), "16 octets or more, a multiple of 8, not 8"),
        (lambda: wrap(bytes(16), bytes(17)), "16 octets or more, a multiple of 8, not 17"),
        (lambda: Cbc(bytes(8)), "AES has 16 or 24 or 32 octets, not 8"),
        (lambda: Cbc(bytes(16), "3DES"), "3DES has 24 octets, not 16"),
        (lambda: Cbc(bytes(16), "RC4"), "no block cipher RC4; there are AES, 3DES, DES"),
        (lambda: Cbc(bytes(16)).encrypt(bytes(8), b""), "IV has 16 octets, not 8"),
        (lambda: Cbc(bytes(16)).decrypt(bytes(16), bytes(17)), "17 is not a number of them"),
        (lambda: HmacKey("SHA3", b""), "no hash SHA3; there are MD5, SHA1"),
        (lambda: Prf("PRF_HMAC_TIGER"), "no PRF PRF_HMAC_TIGER; there are"),
        (lambda: Prf("PRF_HMAC_SHA1").plus(b"", b"", 255 * 20 + 1), "at most 5100 octets"),
        (lambda: Prf("PRF_HMAC_SHA1").plus(b"", b"", -1), "at most 5100 octets"),
    ],
)
def test_misuse_says_what_would_be_right(call: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        call()


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(16), bytes(17)])
@pytest.mark.parametrize("cipher", [aes_gcm(bytes(16)), chacha20_poly1305(bytes(32))])
def test_what_was_not_sealed_does_not_open_and_the_error_is_mute(cipher: Aead, sealed: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        cipher.open(bytes(12), sealed, b"")
    assert str(caught.value) == ""
    assert caught.value.__cause__ is None
    with pytest.raises(IntegrityError):
        cipher.open_into(bytes(12), sealed, b"", bytearray(max(0, len(sealed) - 16)))


@pytest.mark.parametrize("wrapped", [b"", bytes(16), bytes(24), bytes(25), bytes(32)])
def test_what_was_not_wrapped_does_not_unwrap(wrapped: bytes) -> None:
    with pytest.raises(IntegrityError):
        unwrap(bytes(16), wrapped)


def test_a_damaged_or_foreign_wrapping_is_refused() -> None:
    wrapped = wrap(bytes(16), bytes(range(32)))
    with pytest.raises(IntegrityError):
        unwrap(bytes(15) + b"\1", wrapped)
    for index in range(len(wrapped)):
        damaged = bytearray(wrapped)
        damaged[index] ^= 0x80
        with pytest.raises(IntegrityError):
            unwrap(bytes(16), bytes(damaged))


def test_a_secret_shows_nothing_but_its_length() -> None:
    secret = Secret(b"correct horse")
    for shown in (repr(secret), str(secret), f"{secret}", f"{(secret,)}"):
        assert "correct" not in shown
        assert "13 octets" in shown
    assert len(secret) == 13
    assert secret.reveal() == b"correct horse"


def test_secrets_are_compared_by_value_and_neither_hashed_nor_pickled() -> None:
    secret = Secret(bytearray(b"abc"))
    assert secret == Secret(b"abc")
    assert secret != Secret(b"abd")
    assert secret != b"abc"
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


def test_equal_takes_any_buffer_and_any_lengths() -> None:
    assert equal(b"abc", memoryview(bytearray(b"abc")))
    assert not equal(b"abc", b"abcd")
    assert not equal(b"abc", b"abd")
    assert equal(b"", b"")


@pytest.mark.parametrize("name", PRF_NAMES)
def test_a_prf_tells_its_lengths_and_prf_plus_cuts_anywhere(name: str) -> None:
    prf = Prf(name)
    assert len(prf(b"key", b"data")) == prf.output_length == prf.key_length
    assert prf(b"key", b"da", b"ta") == prf(b"key", b"data")
    whole = prf.plus(b"key", b"seed", 255 * prf.output_length)
    assert whole[: prf.output_length] == prf(b"key", b"seed\x01")
    for length in (0, 1, prf.output_length, prf.output_length + 1, len(whole)):
        assert prf.plus(b"key", b"seed", length) == whole[:length]


def test_a_forked_hmac_starts_from_the_key_alone() -> None:
    key = HmacKey("SHA2_256", b"key")
    first, second = key.fork(), key.fork()
    first.update(b"one")
    second.update(b"two")
    assert (first.finalize(), second.finalize()) == (key.digest(b"one"), key.digest(b"two"))
    assert key.digest(b"o", memoryview(b"ne")) == key.digest(b"one")
    assert key.digest_octets == len(key.digest())
