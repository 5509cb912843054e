"""The pseudorandom functions of IKEv2 and prf+ (RFC 7296 2.13), by their IANA names."""

from __future__ import annotations

from typing import Final, final

from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.hmac import HmacKey
from dataplane.errors import LocalError

_DIGEST_OCTETS: Final = {"MD5": 16, "SHA1": 20, "SHA2_256": 32, "SHA2_384": 48, "SHA2_512": 64}
_HASHES: Final = {f"PRF_HMAC_{hash_name}": hash_name for hash_name in _DIGEST_OCTETS}

PRF_NAMES: Final = (*_HASHES, "PRF_AES128_CMAC")


@final
class Prf:
    """A pseudorandom function. `output_length` is also the preferred `key_length`, in octets (RFC 7296 2.13)."""

    __slots__ = ("_hash_name", "key_length", "name", "output_length")

    def __init__(self, name: str) -> None:
        if name not in PRF_NAMES:
            raise LocalError(f"no PRF {name}; there are {', '.join(PRF_NAMES)}")
        self.name: Final = name
        self._hash_name: Final = _HASHES.get(name)
        self.output_length: Final = 16 if self._hash_name is None else _DIGEST_OCTETS[self._hash_name]
        self.key_length: Final = self.output_length

    def __call__(self, key: bytes, *data: bytes) -> bytes:
        """prf(key, data | data | ...), `output_length` octets. The key may have any length."""
        if self._hash_name is not None:
            return HmacKey(self._hash_name, key).digest(*data)
        if len(key) != 16:
            key = aes_cmac(bytes(16), key)  # RFC 4615 3
        return aes_cmac(key, b"".join(data))

    def plus(self, key: bytes, seed: bytes, length: int) -> bytes:
        """prf+(key, seed) cut to `length` octets, at most 255 times the output length (RFC 7296 2.13).

        Raises:
            LocalError: more was asked for than the one-octet counter allows.
        """
        if not 0 <= length <= 255 * self.output_length:
            raise LocalError(f"prf+ of {self.name} gives at most {255 * self.output_length} octets, not {length}")
        stream = bytearray()
        block = b""
        counter = 0
        while len(stream) < length:
            counter += 1
            block = self(key, block, seed, bytes((counter,)))
            stream += block
        return bytes(stream[:length])
