"""HMAC (RFC 2104) with the key's work done once. Truncation is the caller's: it belongs to the transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from dataplane.errors import LocalError

_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "MD5": hashes.MD5,
    "SHA1": hashes.SHA1,
    "SHA2_256": hashes.SHA256,
    "SHA2_384": hashes.SHA384,
    "SHA2_512": hashes.SHA512,
}


@final
class HmacKey:
    """HMAC under one key, of any length. The key's two hash blocks are computed here, once.

    `fork()` gives a context that has absorbed the key and nothing else, with `update` and `finalize`: the library's own
    method, for loops where a call counts.
    """

    __slots__ = ("digest_octets", "fork")

    def __init__(self, hash_name: str, key: bytes) -> None:
        try:
            algorithm = _HASHES[hash_name]()
        except KeyError:
            raise LocalError(f"no hash {hash_name}; there are {', '.join(_HASHES)}") from None
        self.digest_octets: Final = algorithm.digest_size
        self.fork: Final[Callable[[], HMAC]] = HMAC(key, algorithm).copy

    def digest(self, *parts: bytes | bytearray | memoryview) -> bytes:
        """The full HMAC, `digest_octets` long, over the parts as if they were one string."""
        context = self.fork()
        for part in parts:
            context.update(part)
        return context.finalize()
