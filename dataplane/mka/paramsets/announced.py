"""What a member says of itself and its network: its Key Management Domain, and announcement TLVs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self, final

from dataplane.errors import WireError
from dataplane.mka.paramsets.header import SetHeader, SetType


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Kmd:
    """A Key Management Domain's name, UTF-8, as its octets (802.1X-2020 Figure 11-14)."""

    kind: ClassVar[SetType] = SetType.KMD
    name: bytes

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a body."""
        return cls(name=body)

    def emit(self) -> bytes:
        """The set's octets."""
        return SetHeader(self.kind).around(self.name)


class Tlv(NamedTuple):
    """An announcement's TLV: a type of 7 bits, a length of 9, the value (802.1X-2020 11.12)."""

    kind: int
    value: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An EAPOL-Announcement's TLVs inside an MKPDU (802.1X-2020 Figure 11-15), as octets until they are asked for."""

    kind: ClassVar[SetType] = SetType.ANNOUNCEMENT
    octets: bytes

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a body."""
        return cls(octets=body)

    def tlvs(self) -> Iterator[Tlv]:
        """The TLVs in their order.

        Raises:
            WireError: at the TLV that is cut.
        """
        at = 0
        while at < len(self.octets):
            head = int.from_bytes(self.octets[at : at + 2], "big")
            end = at + 2 + (head & 0x1FF)
            if end > len(self.octets):
                raise WireError(f"an announcement's TLV {head >> 9} is cut")
            yield Tlv(head >> 9, self.octets[at + 2 : end])
            at = end

    def emit(self) -> bytes:
        """The set's octets."""
        return SetHeader(self.kind).around(self.octets)
