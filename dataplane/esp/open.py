"""Packets back to texts, under one SA's keys: authentic, or nothing (RFC 4303 3.4.4). A hot file: see `run`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

import numpy as np

from dataplane.crypto.cbc import Cbc, Octets
from dataplane.crypto.compare import equal
from dataplane.errors import IntegrityError
from dataplane.esp.layout import Layout
from dataplane.esp.seal import HALF, aead_of, copy_text, hmac_of
from dataplane.esp.shape import Shape
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import encryption
from dataplane.wire.esp import HEADER_OCTETS

_GREATEST_TEXT: Final = 65536


class Opener(Protocol):
    """Opens under one SA's keys."""

    def run(self, layout: Layout, rows: slice, high: int) -> bool:
        """Open the packets of these slots, whose numbers have this upper half, to the inner slots.

        False: one of them or more is not authentic, and no text is to be used.
        """
        ...

    def one(self, packet: memoryview, sequence: int) -> memoryview | None:
        """The text of a packet of a possible length, good until the next call; None: not authentic."""
        ...


def opener(suite: EspSuite, keys: EspKeys) -> Opener:
    """The opener of a suite and its keys."""
    return _AeadOpener(suite, keys) if encryption(suite.encryption).is_aead else _HmacOpener(suite, keys)


@final
class _HmacOpener:
    """An HMAC over all of it, and only then CBC, or NULL."""

    __slots__ = ("_decrypt", "_digest_octets", "_fork", "_shape", "_text")

    def __init__(self, suite: EspSuite, keys: EspKeys) -> None:
        cipher = encryption(suite.encryption).block_cipher
        hmac = hmac_of(suite, keys)
        self._shape: Final = Shape.of(suite)
        self._decrypt: Final[Callable[[Octets, Octets], object]] = (
            copy_text if cipher is None else Cbc(keys.encryption.reveal(), cipher).chained_decryptor()
        )
        self._fork: Final = hmac.fork
        self._digest_octets: Final = hmac.digest_octets
        self._text: Final = memoryview(bytearray(_GREATEST_TEXT + 32))

    def run(self, layout: Layout, rows: slice, high: int) -> bool:
        fork, icvs, calls = self._fork, [], layout.hmac_calls(rows)
        if self._shape.esn:
            upper_half = high.to_bytes(4, "big")
            for _, _, authenticated in calls:
                context = fork()
                context.update(authenticated)
                context.update(upper_half)
                icvs.append(context.finalize())
        else:
            for _, _, authenticated in calls:
                context = fork()
                context.update(authenticated)
                icvs.append(context.finalize())
        digests = np.frombuffer(b"".join(icvs), np.uint8).reshape(-1, self._digest_octets)
        # All octets of all packets go into one sum, so that its time tells nothing about where a difference lies.
        if np.bitwise_or.reduce((digests[:, : self._shape.icv] ^ layout.icvs[rows]).ravel()):
            return False
        decrypt = self._decrypt
        for ciphertext, text, _ in calls:
            decrypt(ciphertext, text)
        return True

    def one(self, packet: memoryview, sequence: int) -> memoryview | None:
        shape = self._shape
        icv_offset = len(packet) - shape.icv
        context = self._fork()
        context.update(packet[:icv_offset])
        if shape.esn:
            context.update((sequence // HALF).to_bytes(4, "big"))
        if not equal(context.finalize()[: shape.icv], packet[icv_offset:]):
            return None
        self._decrypt(packet[HEADER_OCTETS:icv_offset], self._text)
        return self._text[shape.head : icv_offset - HEADER_OCTETS]


@final
class _AeadOpener:
    """AES-GCM or ChaCha20-Poly1305."""

    __slots__ = ("_aead", "_esn", "_salt")

    def __init__(self, suite: EspSuite, keys: EspKeys) -> None:
        self._aead, self._salt = aead_of(suite, keys)
        self._esn: Final = suite.esn

    def run(self, layout: Layout, rows: slice, high: int) -> bool:
        layout.write_nonces(rows, self._salt)
        layout.write_aads(rows, high)
        return not self._aead.open_each(layout.aead_calls(rows))

    def one(self, packet: memoryview, sequence: int) -> memoryview | None:
        nonce = self._salt + packet[HEADER_OCTETS : HEADER_OCTETS + 8]
        aad = bytes(packet[:4]) + sequence.to_bytes(8, "big") if self._esn else packet[:HEADER_OCTETS]  # RFC 4106 5
        try:
            return memoryview(self._aead.open(nonce, packet[HEADER_OCTETS + 8 :], aad))
        except IntegrityError:
            return None
