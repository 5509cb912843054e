"""The verbs for many calls say what the verbs for one call say."""

from __future__ import annotations

import random

import pytest

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cmac import CmacKey, aes_cmac
from dataplane.errors import LocalError


@pytest.mark.parametrize("aead", [aes_gcm(bytes(16)), aes_gcm(bytes(32)), chacha20_poly1305(bytes(32))])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_columns_open_what_each_opens_and_name_those_that_fail(aead: Aead, share: float) -> None:
    dice = random.Random(share)
    texts = [dice.randbytes(dice.choice((0, 1, 40, 1400))) for _ in range(50)]
    nonces = [number.to_bytes(12, "big") for number in range(50)]
    aads = [dice.randbytes(8) for _ in range(50)]
    sealed = [aead.seal(nonce, text, aad) for nonce, text, aad in zip(nonces, texts, aads, strict=True)]
    bad = [number for number in range(50) if dice.random() < share]
    for number in bad:
        sealed[number] = sealed[number][:-1] + bytes([sealed[number][-1] ^ 1])
    room = [bytearray(len(text)) for text in texts]
    calls = list(zip(nonces, sealed, aads, room, strict=True))
    assert aead.open_columns(nonces, sealed, aads, room) == bad
    assert [bytes(each) for number, each in enumerate(room) if number not in bad] == [
        text for number, text in enumerate(texts) if number not in bad
    ]
    assert aead.open_each(calls) == bad
    assert aead.open_columns([], [], [], []) == []


@pytest.mark.parametrize("octets", [16, 24, 32])
def test_a_cmac_key_makes_the_same_macs(octets: int) -> None:
    key = CmacKey(bytes(range(octets)))
    for length in (0, 1, 15, 16, 17, 100):
        context = key.fork()
        context.update(bytes(length))
        assert context.finalize() == aes_cmac(bytes(range(octets)), bytes(length))


def test_a_cmac_key_of_another_length() -> None:
    with pytest.raises(LocalError, match="an AES key has 16, 24 or 32 octets, not 15"):
        CmacKey(bytes(15))
