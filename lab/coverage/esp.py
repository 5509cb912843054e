"""ESP packets opened with the key log's SAs (RFC 4303)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from lab.capture.keys import EspSa
from lab.coverage.census import AUTHENTICATED, ESP, ESP_NULL, FAILED, NO_KEY
from lab.coverage.numbers import full_numbers
from lab.coverage.sight import Found, forbidden
from lab.coverage.transforms import Opener, make_opener


@final
class _Sa:
    """One SA of the key log, ready to open packets, and how far its sequence numbers have come."""

    __slots__ = ("destination", "esn", "key_id", "kind", "name", "opener", "sequence")

    def __init__(self, key: EspSa, *, reveal: bool) -> None:
        self.opener: Final[Opener | None] = make_opener(
            key.encryption, key.encryption_key, key.integrity, key.integrity_key, reveal=reveal
        )
        self.destination: Final = None if key.dst is None else key.dst.packed
        self.kind: Final = ESP if key.encryption.confidential else ESP_NULL
        self.esn: Final = key.esn
        self.sequence = key.first_seq
        self.key_id: Final = key.key_id
        self.name: Final = key.encryption.name + (f" with {key.integrity.name}" if key.integrity else "")


@final
class EspOpener:
    """All ESP SAs of a key log, looked up by SPI and, where one is given, destination."""

    def __init__(self, keys: Iterable[EspSa], *, reveal: bool) -> None:
        self._by_spi: Final[dict[bytes, list[_Sa]]] = {}
        for key in keys:
            self._by_spi.setdefault(key.spi, []).insert(0, _Sa(key, reveal=reveal))  # newest first

    def kind(self, spi: bytes, destination: bytes) -> int:
        """The census class of packets of an SPI, from the key log alone."""
        for sa in self._by_spi.get(spi, ()):
            if sa.destination in (None, destination):
                return sa.kind
        return ESP

    def open(self, packet: bytes, destination: bytes) -> Found:
        """Check one whole ESP packet, from its SPI to its ICV."""
        spi = packet[:4]
        found = [sa for sa in self._by_spi.get(spi, ()) if sa.destination in (None, destination)]
        if not found:
            return Found(ESP, NO_KEY, reason=f"no SA with SPI {spi.hex()} to this destination in the key log")
        closed = [sa for sa in found if sa.opener is None]
        if len(closed) == len(found):
            return Found(found[0].kind, NO_KEY, reason=f"{closed[0].name} cannot be computed here")
        fitting = [sa for sa in found if sa.opener is not None and _fits(sa.opener, len(packet) - 8)]
        if not fitting:
            return forbidden("ESP packet of a length that its SA's transforms cannot have made (RFC 4303 2)")
        for sa in fitting:
            payload = _try(sa, packet)
            if payload is not None:
                return Found(sa.kind, AUTHENTICATED, payload)
        return Found(fitting[0].kind, FAILED, reason=f"the ICV does not fit {fitting[0].key_id}")


def _fits(opener: Opener, octets: int) -> bool:
    return octets >= opener.least_octets and (octets - opener.least_octets) % opener.block_octets == 0


def _try(sa: _Sa, packet: bytes) -> bytes | None:
    if sa.opener is None:
        return None
    header, body = packet[:8], packet[8:]
    if not sa.esn:
        return sa.opener.open(header, body, b"")
    for sequence in full_numbers(int.from_bytes(header[4:], "big"), sa.sequence):
        payload = sa.opener.open(header, body, (sequence >> 32).to_bytes(4, "big"))
        if payload is not None:
            sa.sequence = max(sa.sequence, sequence)
            return payload
    return None
