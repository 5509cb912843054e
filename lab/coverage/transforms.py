"""Checking and opening what IKE and ESP protect: one small object a key. Short on purpose, and apart from the engines.

Both protocols build a protected unit alike: a header that is authenticated, then IV, ciphertext and ICV.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from operator import add
from typing import Final, Protocol, final

import numpy as np

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.cmac import CmacKey
from dataplane.crypto.compare import equal
from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError
from lab.capture.algorithms import Encryption, Integrity
from lab.capture.burst import Column
from lab.coverage.columns import gather
from lab.coverage.numbers import Numbers

_ICV_OCTETS: Final = 16  # RFC 4106 6, RFC 4543 3.4, RFC 7634 2


class Mac(Protocol):
    """A MAC being computed."""

    def update(self, data: bytes, /) -> None:
        """Take octets."""
        ...

    def finalize(self) -> bytes:
        """Give the MAC, and be done."""
        ...


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

    def failed(self, data: bytes, starts: Column, ends: Column, numbers: Numbers | None) -> list[int]:
        """Which of many ESP packets in `data` the ICV says no of. Their lengths fit.

        `numbers` are their extended sequence numbers; None where they have none.
        """
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
        self._open_columns: Final = aead.open_columns
        self._scratch: Final = _Scratch()
        self._salt: Final = salt

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        # RFC 4106 5: with an extended sequence number the AAD is SPI, upper half, lower half.
        aad = header[:4] + high + header[4:] if high else header
        try:
            return self._open(self._salt + body[:8], body[8:], aad)
        except IntegrityError:
            return None

    def failed(self, data: bytes, starts: Column, ends: Column, numbers: Numbers | None) -> list[int]:
        payloads = (starts + 16).tolist()
        sealed = [data[payload:end] for payload, end in zip(payloads, ends.tolist(), strict=True)]
        outs = map(self._scratch.__getitem__, (ends - starts - 16 - _ICV_OCTETS).tolist())
        return self._open_columns(_nonces(self._salt, data, starts), sealed, _headers(data, starts, numbers), outs)


@final
class _GmacOpener:
    """AES-GMAC (RFC 4543 3.3): everything is AAD, nothing is enciphered."""

    least_octets: Final = 8 + 1 + _ICV_OCTETS
    block_octets: Final = 1
    iv_octets: Final = 8
    icv_octets: Final = _ICV_OCTETS

    def __init__(self, aead: Aead, salt: bytes) -> None:
        self._open: Final = aead.open
        self._open_columns: Final = aead.open_columns
        self._salt: Final = salt

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        aad = header[:4] + high + header[4:] + body[:-_ICV_OCTETS]
        try:
            self._open(self._salt + body[:8], body[-_ICV_OCTETS:], aad)
        except IntegrityError:
            return None
        return body[8:-_ICV_OCTETS]

    def failed(self, data: bytes, starts: Column, ends: Column, numbers: Numbers | None) -> list[int]:
        icvs = (ends - _ICV_OCTETS).tolist()
        bodies = [data[body:icv] for body, icv in zip((starts + 8).tolist(), icvs, strict=True)]
        aads = map(add, _headers(data, starts, numbers), bodies)
        sealed = [data[icv:end] for icv, end in zip(icvs, ends.tolist(), strict=True)]
        return self._open_columns(_nonces(self._salt, data, starts), sealed, aads, repeat(bytearray()))


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
        self._fork: Final[Callable[[], Mac]] = (
            CmacKey(integrity_key).fork
            if integrity.hash_name is None
            else HmacKey(integrity.hash_name, integrity_key).fork
        )
        cipher = {"ENCR_3DES": "3DES", "ENCR_DES": "DES"}.get(encryption.name, "AES")
        self._cbc: Final = Cbc(key, cipher) if encryption.confidential else None
        self._reveal: Final = reveal

    def open(self, header: bytes, body: bytes, high: bytes) -> bytes | None:
        sealed, icv = body[: -self.icv_octets], body[-self.icv_octets :]
        context = self._fork()
        context.update(header + sealed + high)
        if not equal(context.finalize()[: self.icv_octets], icv):
            return None
        if self._cbc is None:
            return sealed
        return self._cbc.decrypt(sealed[: self.iv_octets], sealed[self.iv_octets :]) if self._reveal else b""

    def failed(self, data: bytes, starts: Column, ends: Column, numbers: Numbers | None) -> list[int]:
        failed: list[int] = []
        octets = self.icv_octets
        highs = repeat(b"", len(starts)) if numbers is None else _uppers(numbers)
        fork = self._fork
        for place, (start, end, high) in enumerate(zip(starts.tolist(), ends.tolist(), highs, strict=True)):
            icv = end - octets
            context = fork()
            context.update(data[start:icv])
            if high:
                context.update(high)
            if context.finalize()[:octets] != data[icv:end]:
                failed.append(place)
        return failed


class _Scratch(dict[int, memoryview]):
    """A place for so many octets that nobody wants to see."""

    def __missing__(self, octets: int) -> memoryview:
        self[octets] = memoryview(bytearray(octets))
        return self[octets]


def _nonces(salt: bytes, data: bytes, starts: Column) -> list[bytes]:
    """The nonces of many packets: salt || IV."""
    matrix = np.empty((len(starts), 12), np.uint8)
    matrix[:, :4] = np.frombuffer(salt, np.uint8)
    matrix[:, 4:] = gather(data, starts + 8, 8).view(np.uint8).reshape(-1, 8)
    nonces: list[bytes] = matrix.view("V12").ravel().tolist()
    return nonces


def _headers(data: bytes, starts: Column, numbers: Numbers | None) -> list[bytes]:
    """What is authenticated before the payload of many packets: SPI, upper half where there is one, lower half."""
    headers = gather(data, starts, 8)
    if numbers is not None:
        matrix = np.empty((len(starts), 12), np.uint8)
        matrix[:, :4] = headers.view(np.uint8).reshape(-1, 8)[:, :4]
        matrix[:, 4:] = numbers.astype(">u8")[:, None].view(np.uint8)
        headers = matrix.view("V12").ravel()
    found: list[bytes] = headers.tolist()
    return found


def _uppers(numbers: Numbers) -> list[bytes]:
    uppers: list[bytes] = (numbers >> np.uint64(32)).astype(">u4").view("V4").tolist()
    return uppers
