"""Cookies: making a stranger prove that it can receive at its address before any state is kept (RFC 7296 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, final

from dataplane.crypto.compare import equal
from dataplane.crypto.hmac import HmacKey
from dataplane.ike.nat import Endpoint

LIFETIME_SECONDS: Final = 60.0
_SECRET_OCTETS: Final = 32


@final
class CookieJar:
    """Cookies under a secret that is renewed; those of the secret before are good for one lifetime more.

    A cookie is one octet that names the secret, and HMAC(secret, Ni | IPi | SPIi).
    """

    __slots__ = ("_keys", "_random", "_since", "_version")

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._version = 0
        self._since: float | None = None
        self._keys: dict[int, HmacKey] = {}

    def cookie(self, nonce: bytes, source: Endpoint, spi_i: bytes, now: float) -> bytes:
        """The cookie that whoever sent this must bring back."""
        self._renew(now)
        return self._make(self._version, nonce, source, spi_i)

    def accepts(self, cookie: bytes, nonce: bytes, source: Endpoint, spi_i: bytes, now: float) -> bool:
        """Whether a cookie was made here, lately, for this nonce, address and SPI."""
        self._renew(now)
        if not cookie or cookie[0] not in self._keys:
            return False
        return equal(cookie, self._make(cookie[0], nonce, source, spi_i))

    def _make(self, version: int, nonce: bytes, source: Endpoint, spi_i: bytes) -> bytes:
        address = ip_address(source.address).packed
        return bytes((version,)) + self._keys[version].digest(nonce, address, spi_i)

    def _renew(self, now: float) -> None:
        if self._since is not None and now - self._since < LIFETIME_SECONDS:
            return
        lapsed = self._since is None or now - self._since >= 2 * LIFETIME_SECONDS
        kept = {} if lapsed else {self._version: self._keys[self._version]}
        self._version = (self._version + 1) % 256
        self._keys = {**kept, self._version: HmacKey("SHA2_256", self._random(_SECRET_OCTETS))}
        self._since = now
