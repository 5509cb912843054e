"""Cipher block chaining without padding: whole blocks in and out. Integrity is the caller's to check first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from dataplane.errors import LocalError

Octets: TypeAlias = bytes | bytearray | memoryview

_KEY_OCTETS: Final = {"AES": (16, 24, 32), "3DES": (24,), "DES": (8,)}


@final
class Cbc:
    """A block cipher in CBC mode under one key; `block_octets` is also the length of an IV.

    A context of the library costs more than a packet's worth of AES, so two verbs give contexts that live as long as
    the key:

    `chained_encryptor()` gives `encrypt(X || P, out)`, which writes IV || C: C is P under IV, and IV = E(X xor the last
    block written before). With X uniformly random and used once, so is IV, and nobody can foresee it (NIST SP 800-38A,
    appendix C). `chained_decryptor()` gives `decrypt(IV || C, out)`, which writes one block of no meaning, then P.
    Both want `out` at least one block less one octet longer than what they write; the excess is left as it was.
    """

    __slots__ = ("_algorithm", "block_octets")

    def __init__(self, key: bytes, cipher: str = "AES") -> None:
        if cipher not in _KEY_OCTETS:
            raise LocalError(f"no block cipher {cipher}; there are {', '.join(_KEY_OCTETS)}")
        if len(key) not in _KEY_OCTETS[cipher]:
            wanted = " or ".join(map(str, _KEY_OCTETS[cipher]))
            raise LocalError(f"a key of {cipher} has {wanted} octets, not {len(key)}")
        self._algorithm: Final[BlockCipherAlgorithm] = (
            AES(key) if cipher == "AES" else TripleDES(key if cipher == "3DES" else key * 3)
        )
        self.block_octets: Final = self._algorithm.block_size // 8

    def encrypt(self, iv: Octets, plaintext: Octets) -> bytes:
        """The ciphertext of whole blocks.

        Raises:
            LocalError: the IV is not one block, or the plaintext not a number of them.
        """
        self._check(iv, plaintext)
        context = Cipher(self._algorithm, CBC(bytes(iv))).encryptor()
        return context.update(plaintext) + context.finalize()

    def decrypt(self, iv: Octets, ciphertext: Octets) -> bytes:
        """The plaintext of whole blocks.

        Raises:
            LocalError: the IV is not one block, or the ciphertext not a number of them.
        """
        self._check(iv, ciphertext)
        context = Cipher(self._algorithm, CBC(bytes(iv))).decryptor()
        return context.update(ciphertext) + context.finalize()

    def chained_encryptor(self) -> Callable[[Octets, Octets], int]:
        """An encryptor for many packets, see above; it gives the count of octets written."""
        return Cipher(self._algorithm, CBC(bytes(self.block_octets))).encryptor().update_into

    def chained_decryptor(self) -> Callable[[Octets, Octets], int]:
        """A decryptor for many packets, see above; it gives the count of octets written."""
        return Cipher(self._algorithm, CBC(bytes(self.block_octets))).decryptor().update_into

    def _check(self, iv: Octets, text: Octets) -> None:
        if len(iv) != self.block_octets:
            raise LocalError(f"an IV has {self.block_octets} octets, not {len(iv)}")
        if len(text) % self.block_octets:
            raise LocalError(f"CBC takes blocks of {self.block_octets} octets; {len(text)} is not a number of them")
