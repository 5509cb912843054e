"""Texts to ciphertexts with IV and ICV, under one SA's keys (RFC 4303 3.3.2). A hot file: see `run`.

The packet's header is in place before; who numbers packets, and never twice, is the SA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

import numpy as np

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc, Octets
from dataplane.crypto.hmac import HmacKey
from dataplane.esp.layout import SALT_OCTETS, Layout
from dataplane.esp.shape import Shape
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import encryption, integrity
from dataplane.wire.esp import HEADER_OCTETS

HALF: Final = 1 << 32


class Sealer(Protocol):
    """Seals under one SA's keys."""

    def run(self, layout: Layout, rows: slice, first: int) -> None:
        """Seal the texts of these slots, numbered from `first` on without a change of the upper half."""
        ...

    def one(self, text: bytes, sequence: int, out: memoryview) -> None:
        """Seal a text to behind the header in `out`, a packet's length and its slack."""
        ...


def sealer(suite: EspSuite, keys: EspKeys, random: Callable[[int], bytes]) -> Sealer:
    """The sealer of a suite and its keys; `random(n)` gives n octets that nobody can foresee."""
    if encryption(suite.encryption).is_aead:
        return _AeadSealer(suite, keys)
    return _HmacSealer(suite, keys, random)


def aead_of(suite: EspSuite, keys: EspKeys) -> tuple[Aead, bytes]:
    """The AEAD of a suite under its key, and the salt (RFC 4106 8.1, RFC 7634 2)."""
    octets = keys.encryption.reveal()
    key, salt = octets[:-SALT_OCTETS], octets[-SALT_OCTETS:]
    cipher = chacha20_poly1305 if suite.encryption.name == "ENCR_CHACHA20_POLY1305" else aes_gcm
    return cipher(key), salt


def hmac_of(suite: EspSuite, keys: EspKeys) -> HmacKey:
    """The HMAC of a suite under its key; the suite is not an AEAD's."""
    assert suite.integrity is not None
    return HmacKey(integrity(suite.integrity).hash_name, keys.integrity.reveal())


@final
class _HmacSealer:
    """CBC, or NULL, and then an HMAC over all of it."""

    __slots__ = ("_digest_octets", "_encrypt", "_fork", "_random", "_shape")

    def __init__(self, suite: EspSuite, keys: EspKeys, random: Callable[[int], bytes]) -> None:
        cipher = encryption(suite.encryption).block_cipher
        hmac = hmac_of(suite, keys)
        self._shape: Final = Shape.of(suite)
        self._encrypt: Final[Callable[[Octets, Octets], object]] = (
            copy_text if cipher is None else Cbc(keys.encryption.reveal(), cipher).chained_encryptor()
        )
        self._fork: Final = hmac.fork
        self._digest_octets: Final = hmac.digest_octets
        self._random: Final = random

    def run(self, layout: Layout, rows: slice, first: int) -> None:
        count, head = rows.stop - rows.start, self._shape.head
        if head:
            layout.blocks[rows] = np.frombuffer(self._random(head * count), np.uint8).reshape(count, head)
        encrypt, fork, icvs = self._encrypt, self._fork, []
        if self._shape.esn:  # RFC 4303 3.3.2.1: the upper half is authenticated, not sent
            high = (first // HALF).to_bytes(4, "big")
            for text, ciphertext, authenticated in layout.hmac_calls(rows):
                encrypt(text, ciphertext)
                context = fork()
                context.update(authenticated)
                context.update(high)
                icvs.append(context.finalize())
        else:
            for text, ciphertext, authenticated in layout.hmac_calls(rows):
                encrypt(text, ciphertext)
                context = fork()
                context.update(authenticated)
                icvs.append(context.finalize())
        digests = np.frombuffer(b"".join(icvs), np.uint8).reshape(count, self._digest_octets)
        layout.icvs[rows] = digests[:, : self._shape.icv]

    def one(self, text: bytes, sequence: int, out: memoryview) -> None:
        shape = self._shape
        if shape.head:
            text = self._random(shape.head) + text
        icv_offset = HEADER_OCTETS + len(text)
        self._encrypt(text, out[HEADER_OCTETS : icv_offset + (shape.iv - 1 if shape.is_chained else 0)])
        context = self._fork()
        context.update(out[:icv_offset])
        if shape.esn:
            context.update((sequence // HALF).to_bytes(4, "big"))
        out[icv_offset : icv_offset + shape.icv] = context.finalize()[: shape.icv]


@final
class _AeadSealer:
    """AES-GCM or ChaCha20-Poly1305. The IV is the packet's 64-bit number: never the same twice under a key."""

    __slots__ = ("_esn", "_salt", "_seal_into")

    def __init__(self, suite: EspSuite, keys: EspKeys) -> None:
        aead, self._salt = aead_of(suite, keys)
        self._seal_into: Final = aead.seal_into
        self._esn: Final = suite.esn

    def run(self, layout: Layout, rows: slice, first: int) -> None:
        numbers = np.uint64(first) + layout.steps[: rows.stop - rows.start]
        layout.ivs[rows] = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
        layout.write_nonces(rows, self._salt)
        layout.write_aads(rows, first // HALF)
        seal_into = self._seal_into
        for nonce, text, aad, sealed in layout.aead_calls(rows):
            seal_into(nonce, text, aad, sealed)

    def one(self, text: bytes, sequence: int, out: memoryview) -> None:
        iv = sequence.to_bytes(8, "big")
        out[HEADER_OCTETS : HEADER_OCTETS + 8] = iv
        aad = bytes(out[:4]) + iv if self._esn else out[:HEADER_OCTETS]  # RFC 4106 5
        self._seal_into(self._salt + iv, text, aad, out[HEADER_OCTETS + 8 :])


def copy_text(text: Octets, out: Octets) -> None:
    """ENCR_NULL (RFC 2410)."""
    memoryview(out)[: len(text)] = text
