"""Authenticated encryption: one object a key. Nonces are the caller's affair, and so is never using one twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from dataplane.errors import IntegrityError, LocalError

Octets: TypeAlias = bytes | bytearray | memoryview

NONCE_OCTETS: Final = 12
TAG_OCTETS: Final = 16


@final
class Aead:
    """AES-GCM or ChaCha20-Poly1305 under one key, with nonces of 12 and tags of 16 octets.

    `seal(nonce, plaintext, aad)` gives ciphertext and tag, one after the other. `seal_into(nonce, plaintext, aad, out)`
    writes the same into `out`, which is exactly 16 octets longer than the plaintext, and gives their count. Both are
    the library's own methods, so that a call costs nothing more.
    """

    __slots__ = ("_decrypt", "_decrypt_into", "seal", "seal_into")

    def __init__(self, cipher: AESGCM | ChaCha20Poly1305) -> None:
        self.seal: Final[Callable[[Octets, Octets, Octets | None], bytes]] = cipher.encrypt
        self.seal_into: Final[Callable[[Octets, Octets, Octets | None, Octets], int]] = cipher.encrypt_into
        self._decrypt: Final = cipher.decrypt
        self._decrypt_into: Final = cipher.decrypt_into

    def open(self, nonce: Octets, sealed: Octets, aad: Octets | None) -> bytes:
        """The plaintext of ciphertext||tag.

        Raises:
            IntegrityError: not sealed under this key with this nonce and this AAD, or shorter than a tag.
        """
        try:
            return self._decrypt(nonce, sealed, aad)
        except InvalidTag:
            raise IntegrityError from None

    def open_into(self, nonce: Octets, sealed: Octets, aad: Octets | None, out: Octets) -> int:
        """Write the plaintext into `out`, exactly 16 octets shorter than `sealed`, and give its length in octets.

        Raises:
            IntegrityError: as for `open`; what `out` then holds is not to be used.
        """
        try:
            return self._decrypt_into(nonce, sealed, aad, out)
        except InvalidTag:
            raise IntegrityError from None

    def open_each(self, calls: Iterable[tuple[Octets, Octets, Octets | None, Octets]]) -> list[int]:
        """`open_into` for the arguments of many frames; give the positions of those that failed, in order."""
        decrypt_into = self._decrypt_into
        failed: list[int] = []
        for position, (nonce, sealed, aad, out) in enumerate(calls):
            try:
                decrypt_into(nonce, sealed, aad, out)
            except InvalidTag:
                failed.append(position)
        return failed

    def open_columns(
        self, nonces: Iterable[Octets], sealed: Iterable[Octets], aads: Iterable[Octets], outs: Iterable[Octets]
    ) -> list[int]:
        """`open_into` for columns of arguments; give the positions of those that failed, in order."""
        calls = map(self._decrypt_into, nonces, sealed, aads, outs)
        failed: list[int] = []
        done = 0
        while True:
            try:
                for _ in calls:
                    done += 1
            except InvalidTag:
                failed.append(done)
                done += 1
            else:
                return failed


def aes_gcm(key: bytes) -> Aead:
    """AES-GCM (NIST SP 800-38D) under a key of 16, 24 or 32 octets.

    Raises:
        LocalError: the key has another length.
    """
    if len(key) not in (16, 24, 32):
        raise LocalError(f"an AES key has 16, 24 or 32 octets, not {len(key)}")
    return Aead(AESGCM(key))


def chacha20_poly1305(key: bytes) -> Aead:
    """ChaCha20-Poly1305 (RFC 8439) under a key of 32 octets.

    Raises:
        LocalError: the key has another length.
    """
    if len(key) != 32:
        raise LocalError(f"a ChaCha20 key has 32 octets, not {len(key)}")
    return Aead(ChaCha20Poly1305(key))
