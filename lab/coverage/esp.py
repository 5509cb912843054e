"""ESP packets opened with the key log's SAs (RFC 4303)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from lab.capture.keys import EspSa
from lab.coverage.census import AUTHENTICATED, ESP, ESP_NULL, FAILED, NO_KEY
from lab.coverage.evidence.identity import KeyIdentity, Used, of_ipsec, used_by_ipsec
from lab.coverage.numbers import full_numbers
from lab.coverage.sight import Found, forbidden
from lab.coverage.transforms import Opener, fits, make_opener


@final
class Sa:
    """One SA of the key log, ready to open packets, and how far its sequence numbers have come."""

    __slots__ = ("destination", "esn", "identity", "index", "key_id", "kind", "name", "opener", "sequence")

    def __init__(self, key: EspSa, *, reveal: bool) -> None:
        self.opener: Final[Opener | None] = make_opener(
            key.encryption, key.encryption_key, key.integrity, key.integrity_key, reveal=reveal
        )
        self.destination: Final = None if key.dst is None else key.dst.packed
        self.kind: Final = ESP if key.encryption.confidential else ESP_NULL
        self.esn: Final = key.esn
        self.sequence = key.first_seq
        self.key_id: Final = key.key_id
        self.index = 0  # in its opener's list of all
        self.name: Final = key.encryption.name + (f" with {key.integrity.name}" if key.integrity else "")
        self.identity: Final[KeyIdentity] = of_ipsec(
            protocol="esp",
            name=key.key_id,
            encryption=key.encryption,
            key=key.encryption_key.reveal(),
            integrity=key.integrity,
            icv_key=b"" if key.integrity_key is None else key.integrity_key.reveal(),
            number_bits=64 if key.esn else 32,
        )

    def open(self, packet: bytes) -> tuple[bytes, Used] | None:
        """The payload with its trailer, and what was used; None where the ICV says no or cannot be computed here."""
        if self.opener is None:
            return None
        header, body = packet[:8], packet[8:]
        low = int.from_bytes(header[4:], "big")
        if not self.esn:
            payload = self.opener.open(header, body, b"")
            return None if payload is None else (payload, self._used(low, body))
        for sequence in full_numbers(low, self.sequence):
            payload = self.opener.open(header, body, (sequence >> 32).to_bytes(4, "big"))
            if payload is not None:
                self.sequence = max(self.sequence, sequence)
                return payload, self._used(sequence, body)
        return None

    def _used(self, sequence: int, body: bytes) -> Used:
        assert self.opener is not None
        return used_by_ipsec(self.identity, sequence, body, self.opener.iv_octets, self.opener.icv_octets)


@final
class EspOpener:
    """All ESP SAs of a key log, looked up by SPI and, where one is given, destination."""

    def __init__(self, keys: Iterable[EspSa], *, reveal: bool) -> None:
        self._by_spi: Final[dict[bytes, list[Sa]]] = {}
        for key in keys:
            self._by_spi.setdefault(key.spi, []).insert(0, Sa(key, reveal=reveal))  # newest first
        self.every: Final = [sa for sas in self._by_spi.values() for sa in sas]
        for index, sa in enumerate(self.every):
            sa.index = index

    def candidates(self, spi: bytes, destination: bytes) -> list[Sa]:
        """The SAs that packets with this SPI to this destination may belong to, the newest first."""
        return [sa for sa in self._by_spi.get(spi, ()) if sa.destination in (None, destination)]

    def open(self, packet: bytes, destination: bytes) -> Found:
        """Check one whole ESP packet, from its SPI to its ICV."""
        spi = packet[:4]
        found = self.candidates(spi, destination)
        if not found:
            return Found(ESP, NO_KEY, reason=f"no SA with SPI {spi.hex()} to this destination in the key log")
        able = [sa for sa in found if sa.opener is not None]
        if not able:
            return Found(found[0].kind, NO_KEY, reason=f"{found[0].name} cannot be computed here")
        fitting = [sa for sa in able if sa.opener is not None and fits(sa.opener, len(packet) - 8)]
        if not fitting:
            return forbidden("ESP packet of a length that its SA's transforms cannot have made (RFC 4303 2)")
        for sa in fitting:
            opened = sa.open(packet)
            if opened is not None:
                return Found(sa.kind, AUTHENTICATED, opened[0], used=opened[1])
        return Found(fitting[0].kind, FAILED, reason=f"the ICV does not fit {fitting[0].key_id}")
