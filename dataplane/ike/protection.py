"""SK and SKF: sealing and opening messages in one direction of an IKE SA (RFC 7296 3.14, RFC 5282, RFC 7383 2.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Protocol, final

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.compare import equal
from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError, LocalError
from dataplane.ike.message import Message
from dataplane.ike.payloads.chain import HEADER_OCTETS as GENERIC_OCTETS
from dataplane.ike.payloads.chain import header as generic_header
from dataplane.ike.payloads.chain import join
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.suite import IkeSuite
from dataplane.ipsec.transforms import encryption, integrity
from dataplane.wire.ike_header import HEADER_OCTETS

_NUMBERS: Final = struct.Struct("!HH")


class Cipher(Protocol):
    """Encryption and integrity of one direction as one. `block` is what the plaintext must fill."""

    iv_octets: int
    icv_octets: int
    block: int

    def fresh_iv(self) -> bytes:
        """An IV that this key has not seen."""
        ...

    def seal(self, iv: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """The ciphertext with its ICV."""
        ...

    def open(self, iv: bytes, aad: bytes, sealed: bytes) -> bytes:
        """The plaintext.

        Raises:
            IntegrityError: the ICV does not fit, or there cannot be one.
        """
        ...


@final
class _AeadCipher:
    """AES-GCM-16 or ChaCha20-Poly1305; the nonce is salt || IV, and the IV counts (RFC 5282 3.1, RFC 7634 2)."""

    block = 1

    def __init__(self, aead: Aead, salt: bytes, iv_octets: int, icv_octets: int) -> None:
        self.iv_octets = iv_octets
        self.icv_octets = icv_octets
        self._aead = aead
        self._salt = salt
        self._sealed = 0

    def fresh_iv(self) -> bytes:
        self._sealed += 1
        return self._sealed.to_bytes(self.iv_octets, "big")

    def seal(self, iv: bytes, aad: bytes, plaintext: bytes) -> bytes:
        return self._aead.seal(self._salt + iv, plaintext, aad)

    def open(self, iv: bytes, aad: bytes, sealed: bytes) -> bytes:
        return self._aead.open(self._salt + iv, sealed, aad)


@final
class _CbcHmacCipher:
    """A block cipher in CBC mode, then an HMAC over everything before the ICV (RFC 7296 3.14)."""

    def __init__(self, cbc: Cbc, hmac: HmacKey, icv_octets: int, random: Callable[[int], bytes]) -> None:
        self.iv_octets = cbc.block_octets
        self.icv_octets = icv_octets
        self.block = cbc.block_octets
        self._cbc = cbc
        self._hmac = hmac
        self._random = random

    def fresh_iv(self) -> bytes:
        return self._random(self.iv_octets)

    def seal(self, iv: bytes, aad: bytes, plaintext: bytes) -> bytes:
        ciphertext = self._cbc.encrypt(iv, plaintext)
        return ciphertext + self._hmac.digest(aad, iv, ciphertext)[: self.icv_octets]

    def open(self, iv: bytes, aad: bytes, sealed: bytes) -> bytes:
        ciphertext, icv = sealed[: -self.icv_octets], sealed[-self.icv_octets :]
        if len(ciphertext) % self.block or not equal(self._hmac.digest(aad, iv, ciphertext)[: self.icv_octets], icv):
            raise IntegrityError
        return self._cbc.decrypt(iv, ciphertext)


def make_cipher(
    suite: IkeSuite, encryption_key: Secret, integrity_key: Secret, random: Callable[[int], bytes]
) -> Cipher:
    """The cipher of one direction under its keys; `random(n)` gives n octets that nobody can foresee, for IVs."""
    about = encryption(suite.encryption)
    key = encryption_key.reveal()
    if suite.integrity is not None:
        check = integrity(suite.integrity)
        cbc = Cbc(key, about.block_cipher or "AES")
        return _CbcHmacCipher(cbc, HmacKey(check.hash_name, integrity_key.reveal()), check.icv_octets, random)
    cut = len(key) - about.salt_octets
    make = chacha20_poly1305 if about.name == "ENCR_CHACHA20_POLY1305" else aes_gcm
    return _AeadCipher(make(key[:cut]), key[cut:], about.iv_octets, about.icv_octets)


def seal(cipher: Cipher, message: Message) -> bytes:
    """The message with all its payloads in an SK payload."""
    first, chain = join(message.payloads)
    return _sealed(cipher, message, PayloadType.SK, first, chain, b"")


def seal_fragments(cipher: Cipher, message: Message, most: int) -> tuple[bytes, ...]:
    """The message in one part, or in SKF parts of at most `most` octets each if it is longer (RFC 7383 2.5).

    Raises:
        LocalError: `most` leaves no room for content.
    """
    first, chain = join(message.payloads)
    plain = len(chain) + 1
    length = HEADER_OCTETS + GENERIC_OCTETS + cipher.iv_octets + plain + -plain % cipher.block + cipher.icv_octets
    if length <= most:
        return (_sealed(cipher, message, PayloadType.SK, first, chain, b""),)
    overhead = HEADER_OCTETS + GENERIC_OCTETS + _NUMBERS.size + cipher.iv_octets + cipher.icv_octets
    room = (most - overhead) // cipher.block * cipher.block - 1
    if room < 1:
        raise LocalError(f"a fragment of {most} octets has no room after {overhead} of overhead")
    parts = [chain[at : at + room] for at in range(0, len(chain), room)]
    return tuple(
        _sealed(
            cipher, message, PayloadType.SKF, first if number == 1 else PayloadType.NONE, part,
            _NUMBERS.pack(number, len(parts)),
        )
        for number, part in enumerate(parts, 1)
    )  # fmt: skip


def _sealed(
    cipher: Cipher, message: Message, kind: PayloadType, first_inner: int, content: bytes, numbers: bytes
) -> bytes:
    padding = bytes(-(len(content) + 1) % cipher.block)
    plaintext = content + padding + bytes((len(padding),))
    iv = cipher.fresh_iv()
    body_octets = len(numbers) + len(iv) + len(plaintext) + cipher.icv_octets
    aad = (
        message.header(kind, HEADER_OCTETS + GENERIC_OCTETS + body_octets).emit()
        + generic_header(first_inner, body_octets)
        + numbers
    )
    return aad + iv + cipher.seal(iv, aad, plaintext)


def open_sealed(cipher: Cipher, octets: bytes, sealed: bytes) -> bytes:
    """The chain of payloads inside `sealed`, the end of the message `octets`: everything from the IV on.

    The octets before it are authenticated too: header, SK header and, in SKF, the fragment numbers.

    Raises:
        IntegrityError: not sealed under this key, altered, or too short to be.
    """
    if len(sealed) < cipher.iv_octets + cipher.icv_octets + 1:
        raise IntegrityError
    aad = octets[: len(octets) - len(sealed)]
    plaintext = cipher.open(sealed[: cipher.iv_octets], aad, sealed[cipher.iv_octets :])
    if not plaintext or plaintext[-1] >= len(plaintext):
        raise IntegrityError  # only a holder of the key can get here, and no holder makes such padding
    return plaintext[: len(plaintext) - 1 - plaintext[-1]]
