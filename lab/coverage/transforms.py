"""Checking and opening what IKE and ESP protect: one small object a key. Short on purpose, and apart from the engines.

Both protocols build a protected unit alike: a header that is authenticated, then IV, ciphertext and ICV.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, final

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.compare import equal
from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError
from lab.capture.algorithms import Encryption, Integrity

_ICV_OCTETS: Final = 16  # RFC 4106 6, RFC 4543 3.4, RFC 7634 2


class Opener(Protocol):
    """Opens the units of one key."""

    @property
    def least_octets(self) -> int:
        """IV, ICV and the least payload that has a trailer or pad length, in octets."""
        ...

    @property
    def block_octets(self) -> int:
        """What the payload's length is a multiple of."""
        ...

    @property
    def iv_octets(self) -> int:
        """The length of the IV, 0 for none."""
        ...

    @property
    def icv_octets(self) -> int:
        """The length of the ICV."""
        ...

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        """The payload with its trailer, or None where the ICV says no.

        `high` is the upper half of an extended sequence number, which is authenticated but not sent; else empty.
        """
        ...

    def are_authentic(self, data: bytes, starts: Iterable[int], ends: Iterable[int]) -> list[bool]:
        """What the ICVs of many ESP packets in `data` say. Their lengths fit, their sequence numbers have 32 bits."""
        ...


def make_opener(
    encryption: Encryption, key: Secret, integrity: Integrity | None, integrity_key: Secret | None, *, reveal: bool
) -> Opener | None:
    """The opener for these transforms; None where nobody here can compute them.

    Without `reveal`, what only needs deciphering to be read stays as it is, and `open` gives no octets.
    """
    if not encryption.can_open or (integrity is not None and not integrity.can_open):
        return None
    if integrity is not None and integrity_key is not None:
        return _MacOpener(encryption, key.reveal(), integrity, integrity_key.reveal(), reveal=reveal)
    octets = key.reveal()
    chacha = encryption.name == "ENCR_CHACHA20_POLY1305"
    split = len(octets) - encryption.salt_octets
    aead = chacha20_poly1305(octets[:split]) if chacha else aes_gcm(octets[:split])
    return _AeadOpener(aead, octets[split:]) if encryption.confidential else _GmacOpener(aead, octets[split:])


def fits(opener: Opener, octets: int) -> bool:
    """Whether a unit's IV, payload and ICV can be so many octets together."""
    return octets >= opener.least_octets and (octets - opener.least_octets) % opener.block_octets == 0


@final
class _AeadOpener:
    """AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634): nonce = salt || IV."""

    least_octets: Final = 8 + 1 + _ICV_OCTETS
    block_octets: Final = 1
    iv_octets: Final = 8
    icv_octets: Final = _ICV_OCTETS

    def __init__(self, aead: Aead, salt: bytes) -> None:
        self._open: Final = aead.open
        self._salt: Final = salt

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        # RFC 4106 5: with an extended sequence number the AAD is SPI, upper half, lower half.
        aad = header[:4] + high + header[4:] if high else header
        try:
            return self._open(self._salt + body[:8], body[8:], aad)
        except IntegrityError:
            return None

    def are_authentic(self, data: bytes, starts: Iterable[int], ends: Iterable[int]) -> list[bool]:
        answers: list[bool] = []
        keep, open_one, salt = answers.append, self._open, self._salt
        for start, end in zip(starts, ends, strict=True):
            payload = start + 16
            try:
                open_one(salt + data[start + 8 : payload], data[payload:end], data[start : start + 8])
                keep(True)
            except IntegrityError:
                keep(False)
        return answers


@final
class _GmacOpener:
    """AES-GMAC (RFC 4543 3.3): everything is AAD, nothing is enciphered."""

    least_octets: Final = 8 + 1 + _ICV_OCTETS
    block_octets: Final = 1
    iv_octets: Final = 8
    icv_octets: Final = _ICV_OCTETS

    def __init__(self, aead: Aead, salt: bytes) -> None:
        self._open: Final = aead.open
        self._salt: Final = salt

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        aad = header[:4] + high + header[4:] + body[:-_ICV_OCTETS]
        try:
            self._open(self._salt + body[:8], body[-_ICV_OCTETS:], aad)
        except IntegrityError:
            return None
        return body[8:-_ICV_OCTETS]

    def are_authentic(self, data: bytes, starts: Iterable[int], ends: Iterable[int]) -> list[bool]:
        return _one_by_one(self, data, starts, ends)


@final
class _MacOpener:
    """A block cipher or none, and a MAC over everything before the ICV (RFC 4303 3.3.2.1, RFC 7296 3.14)."""

    def __init__(
        self, encryption: Encryption, key: bytes, integrity: Integrity, integrity_key: bytes, *, reveal: bool
    ) -> None:
        self.block_octets: Final = encryption.block_octets
        self.least_octets: Final = encryption.iv_octets + max(encryption.block_octets, 1) + integrity.icv_octets
        self.iv_octets: Final = encryption.iv_octets
        self.icv_octets: Final = integrity.icv_octets
        self._hmac: Final = None if integrity.hash_name is None else HmacKey(integrity.hash_name, integrity_key)
        self._cmac_key: Final = integrity_key
        cipher = {"ENCR_3DES": "3DES", "ENCR_DES": "DES"}.get(encryption.name, "AES")
        self._cbc: Final = Cbc(key, cipher) if encryption.confidential else None
        self._reveal: Final = reveal

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        sealed, icv = body[: -self.icv_octets], body[-self.icv_octets :]
        if self._hmac is None:
            mac = aes_cmac(self._cmac_key, header + sealed + high)
        else:
            mac = self._hmac.digest(header, sealed, high)
        if not equal(mac[: self.icv_octets], icv):
            return None
        if self._cbc is None:
            return sealed
        return self._cbc.decrypt(sealed[: self.iv_octets], sealed[self.iv_octets :]) if self._reveal else b""

    def are_authentic(self, data: bytes, starts: Iterable[int], ends: Iterable[int]) -> list[bool]:
        if self._hmac is None:
            return _one_by_one(self, data, starts, ends)
        answers: list[bool] = []
        keep, fork, icv_octets = answers.append, self._hmac.fork, self.icv_octets
        for start, end in zip(starts, ends, strict=True):
            icv = end - icv_octets
            context = fork()
            context.update(data[start:icv])
            keep(context.finalize()[:icv_octets] == data[icv:end])
        return answers


def _one_by_one(opener: Opener, data: bytes, starts: Iterable[int], ends: Iterable[int]) -> list[bool]:
    return [
        opener.open(data[start : start + 8], data[start + 8 : end], b"") is not None
        for start, end in zip(starts, ends, strict=True)
    ]
