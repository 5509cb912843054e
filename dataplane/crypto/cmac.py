"""AES-CMAC (NIST SP 800-38B, RFC 4493)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from dataplane.errors import LocalError


def aes_cmac(key: bytes, data: bytes | bytearray | memoryview) -> bytes:
    """The MAC of 16 octets over `data`, under an AES key of 16, 24 or 32 octets.

    Raises:
        LocalError: the key has another length.
    """
    if len(key) not in (16, 24, 32):
        raise LocalError(f"an AES key has 16, 24 or 32 octets, not {len(key)}")
    context = CMAC(AES(key))
    context.update(bytes(data))
    return context.finalize()
