"""The chained contexts against a fresh context for each packet."""

from __future__ import annotations

import os

import pytest

from dataplane.crypto.cbc import Cbc

CIPHERS = [("AES", 16), ("AES", 24), ("AES", 32), ("3DES", 24), ("DES", 8)]


@pytest.mark.parametrize(("cipher", "key_octets"), CIPHERS)
def test_a_chained_encryptor_makes_packets_that_stand_alone(cipher: str, key_octets: int) -> None:
    cbc = Cbc(os.urandom(key_octets), cipher)
    block = cbc.block_octets
    encrypt = cbc.chained_encryptor()
    ivs = set()
    for blocks in (1, 5, 0, 88, 3):
        plaintext = os.urandom(blocks * block)
        out = bytearray(b"\xee" * (block * (blocks + 2) - 1))
        assert encrypt(os.urandom(block) + plaintext, out) == block * (blocks + 1)
        iv, ciphertext = bytes(out[:block]), bytes(out[block : block * (blocks + 1)])
        assert out[block * (blocks + 1) :] == b"\xee" * (block - 1)
        assert ciphertext == cbc.encrypt(iv, plaintext)
        assert plaintext == cbc.decrypt(iv, ciphertext)
        ivs.add(iv)
    assert len(ivs) == 5


@pytest.mark.parametrize(("cipher", "key_octets"), CIPHERS)
def test_a_chained_decryptor_reads_any_packet_after_any_other(cipher: str, key_octets: int) -> None:
    cbc = Cbc(os.urandom(key_octets), cipher)
    block = cbc.block_octets
    decrypt = cbc.chained_decryptor()
    for blocks in (3, 1, 88, 0):
        iv, plaintext = os.urandom(block), os.urandom(blocks * block)
        out = bytearray(block * (blocks + 2) - 1)
        assert decrypt(iv + cbc.encrypt(iv, plaintext), out) == block * (blocks + 1)
        assert out[block : block * (blocks + 1)] == plaintext


def test_des_and_triple_des_are_themselves() -> None:
    """NIST SP 800-17: DES of an all-zero block under the key 80 00 ..., whose parity bits do not count."""
    assert Cbc(bytes.fromhex("8001010101010101"), "DES").encrypt(bytes(8), bytes(8)).hex() == "95a8d72813daa94d"
    single = bytes.fromhex("8001010101010101")
    assert Cbc(single * 3, "3DES").encrypt(bytes(8), bytes(8)).hex() == "95a8d72813daa94d"
