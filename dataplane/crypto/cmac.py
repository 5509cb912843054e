"""AES-CMAC (NIST SP 800-38B, RFC 4493)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from dataplane.errors import LocalError


@final
class CmacKey:
    """AES-CMAC under one key, of 16, 24 or 32 octets.

    `fork()` gives a context that knows the key and nothing else, with `update` and `finalize`: the library's own
    method, for loops where a call counts.

    Raises:
        LocalError: the key has another length.
    """

    __slots__ = ("fork",)

    def __init__(self, key: bytes) -> None:
        _check(key)
        self.fork: Final[Callable[[], CMAC]] = CMAC(AES(key)).copy


def aes_cmac(key: bytes, data: bytes | bytearray | memoryview) -> bytes:
    """The MAC of 16 octets over `data`, under an AES key of 16, 24 or 32 octets.

    Raises:
        LocalError: the key has another length.
    """
    _check(key)
    context = CMAC(AES(key))
    context.update(bytes(data))
    return context.finalize()


def _check(key: bytes) -> None:
    if len(key) not in (16, 24, 32):
        raise LocalError(f"an AES key has 16, 24 or 32 octets, not {len(key)}")
