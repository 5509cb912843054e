"""SAK Use, by which members know who receives and transmits with which SAK, and XPN, its upper halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.mka.paramsets.header import MI_OCTETS, SetHeader, SetType
from dataplane.wire.fields import check_fields


class KeyIdentifier(NamedTuple):
    """A SAK's name: the MI of the key server that made it, and its key number (802.1X-2020 9.8)."""

    mi: bytes
    kn: int


NO_KEY: Final = KeyIdentifier(bytes(MI_OCTETS), 0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """How a member uses one SAK; `lowest_pn` is the low half of the lowest acceptable PN. Absent: `NO_KEY`."""

    identifier: KeyIdentifier = NO_KEY
    an: int = 0
    transmits: bool = False
    receives: bool = False
    lowest_pn: int = 0

    def __post_init__(self) -> None:
        check_fields(an=(self.an, 2), lowest_pn=(self.lowest_pn, 32), kn=(self.identifier.kn, 32))
        if len(self.identifier.mi) != MI_OCTETS:
            raise LocalError("a key identifier's MI has 12 octets")

    @classmethod
    def parse(cls, bits: int, body: bytes) -> Self:
        """From the four bits in the header and the 20 octets in the body."""
        return cls(
            identifier=KeyIdentifier(body[:12], int.from_bytes(body[12:16], "big")),
            an=bits >> 2,
            transmits=bool(bits & 2),
            receives=bool(bits & 1),
            lowest_pn=int.from_bytes(body[16:20], "big"),
        )

    @property
    def bits(self) -> int:
        """AN, transmits, receives."""
        return self.an << 2 | self.transmits << 1 | self.receives

    def emit(self) -> bytes:
        """The 20 octets in the body."""
        return self.identifier.mi + self.identifier.kn.to_bytes(4, "big") + self.lowest_pn.to_bytes(4, "big")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SakUse:
    """Which SAKs a member receives and transmits with (802.1X-2020 Figure 11-10).

    ```
     0                   1                   2                   3
    +---------------+---+-+-+---+-+-+-+-+-+-+-----------------------+
    |       3       |LAN|T|R|OAN|T|R|P|P|0|D|  Body Length: 40 or 0 |
    |               |   |x|x|   |x|x|T|R| |P|                       |
    +---------------+---+-+-+---+-+-+-+-+-+-+-----------------------+
    |     Latest Key: key server's MI (12), KN, lowest PN           |
    +---------------------------------------------------------------+
    |     Old Key: key server's MI (12), KN, lowest PN              |
    +---------------------------------------------------------------+
    ```

    `latest` and `old` are both None in the body of a member without MACsec, which is empty.
    """

    kind: ClassVar[SetType] = SetType.SAK_USE
    latest: KeyUse | None = None
    old: KeyUse | None = None
    plain_transmit: bool = False
    plain_receive: bool = False
    delay_protect: bool = False

    def __post_init__(self) -> None:
        if (self.latest is None) != (self.old is None):
            raise LocalError("a SAK Use body tells of both keys or of none")

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a header and body.

        Raises:
            WireError: the body has neither 0 nor 40 octets.
        """
        if len(body) not in (0, 40):
            raise WireError(f"a SAK Use body has 40 octets or none, not {len(body)}")
        return cls(
            latest=KeyUse.parse(header.second >> 4, body[:20]) if body else None,
            old=KeyUse.parse(header.second & 0x0F, body[20:]) if body else None,
            plain_transmit=bool(header.nibble & 8),
            plain_receive=bool(header.nibble & 4),
            delay_protect=bool(header.nibble & 1),
        )

    def emit(self) -> bytes:
        """The set's octets."""
        nibble = self.plain_transmit << 3 | self.plain_receive << 2 | self.delay_protect
        if self.latest is None or self.old is None:
            return SetHeader(self.kind, 0, nibble).around(b"")
        return SetHeader(self.kind, self.latest.bits << 4 | self.old.bits, nibble).around(
            self.latest.emit() + self.old.emit()
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Xpn:
    """The upper halves of the lowest acceptable PNs in SAK Use, and MKA suspension (802.1X-2020 Figure 11-16).

    `suspension_time` is in seconds, 0 to 255; 0: not suspending.
    """

    kind: ClassVar[SetType] = SetType.XPN
    suspension_time: int = 0
    latest_high: int = 0
    old_high: int = 0

    def __post_init__(self) -> None:
        check_fields(
            suspension_time=(self.suspension_time, 8), latest_high=(self.latest_high, 32), old_high=(self.old_high, 32)
        )

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a header and body.

        Raises:
            WireError: the body has other than 8 octets.
        """
        if len(body) != 8:
            raise WireError(f"an XPN body has 8 octets, not {len(body)}")
        return cls(
            suspension_time=header.second,
            latest_high=int.from_bytes(body[:4], "big"),
            old_high=int.from_bytes(body[4:], "big"),
        )

    def emit(self) -> bytes:
        """The set's octets."""
        body = self.latest_high.to_bytes(4, "big") + self.old_high.to_bytes(4, "big")
        return SetHeader(self.kind, self.suspension_time).around(body)
