"""The Ethernet header with its VLAN tags, as octets on a wire: no preamble, no FCS."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.errors import LocalError, WireError

MAC_OCTETS: Final = 6
ADDRESSES_OCTETS: Final = 12
HEADER_OCTETS: Final = 14
TAG_OCTETS: Final = 4
BROADCAST: Final = b"\xff" * MAC_OCTETS


class EtherType(enum.IntEnum):
    """What follows the header. A value below 0x0600 in its place is a length, and LLC follows (802.3 3.2.6)."""

    IPV4 = 0x0800
    ARP = 0x0806
    C_TAG = 0x8100
    IPV6 = 0x86DD
    MAC_CONTROL = 0x8808
    SLOW_PROTOCOLS = 0x8809
    EAPOL = 0x888E
    S_TAG = 0x88A8
    LLDP = 0x88CC
    MACSEC = 0x88E5


LEAST_ETHER_TYPE: Final = 0x0600
TAG_PROTOCOLS: Final = frozenset({int(EtherType.C_TAG), int(EtherType.S_TAG)})


def mac_text(octets: bytes | bytearray | memoryview) -> str:
    """A MAC address in the usual spelling, as `02:00:00:00:00:01`."""
    return bytes(octets).hex(":")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VlanTag:
    """A VLAN tag, customer's or service's (802.1Q-2018 9.5, 9.6).

    ```
     0                   1                   2                   3
    +-------------------------------+-----+-+-----------------------+
    |             TPID              | PCP |D|          VID          |
    +-------------------------------+-----+-+-----------------------+
    ```

    Raises:
        LocalError: a field does not fit its place.
    """

    protocol: int = int(EtherType.C_TAG)
    priority: int = 0
    drop_eligible: bool = False
    vlan: int = 0

    def __post_init__(self) -> None:
        if self.protocol not in TAG_PROTOCOLS:
            raise LocalError(f"no tag protocol is {self.protocol:#06x}; there are 0x8100 and 0x88a8")
        if not (0 <= self.priority < 8 and 0 <= self.vlan < 4096):
            raise LocalError(f"a VLAN tag holds a priority below 8 and a VID below 4096: {self}")

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """The tag at the start of `octets`.

        Raises:
            WireError: fewer than four octets, or another TPID.
        """
        if len(octets) < TAG_OCTETS:
            raise WireError(f"a VLAN tag has {TAG_OCTETS} octets, here are {len(octets)}")
        protocol = int.from_bytes(octets[:2], "big")
        if protocol not in TAG_PROTOCOLS:
            raise WireError(f"EtherType {protocol:#06x} begins no VLAN tag")
        control = int.from_bytes(octets[2:4], "big")
        return cls(
            protocol=protocol, priority=control >> 13, drop_eligible=bool(control & 0x1000), vlan=control & 0x0FFF
        )

    def emit(self) -> bytes:
        """The tag's four octets."""
        control = self.priority << 13 | self.drop_eligible << 12 | self.vlan
        return (self.protocol << 16 | control).to_bytes(TAG_OCTETS, "big")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EthernetHeader:
    """Addresses, VLAN tags from the outermost in, and the EtherType of what follows (802.3 3.1.1, 802.1Q-2018 9).

    ```
     0                   1                   2                   3
    +---------------------------------------------------------------+
    |                      Destination Address                      |
    |                               +-------------------------------+
    |                               |                               |
    +-------------------------------+        Source Address         |
    |                                                               |
    +-------------------------------+-------------------------------+
    |     VLAN tags, 4 octets each, if any, then the EtherType      |
    +---------------------------------------------------------------+
    ```

    Raises:
        LocalError: an address is not six octets, or the EtherType does not fit two or is that of a tag.
    """

    destination: bytes
    source: bytes
    tags: tuple[VlanTag, ...] = ()
    ether_type: int

    def __post_init__(self) -> None:
        if len(self.destination) != MAC_OCTETS or len(self.source) != MAC_OCTETS:
            raise LocalError(f"a MAC address has {MAC_OCTETS} octets")
        if not 0 <= self.ether_type <= 0xFFFF or self.ether_type in TAG_PROTOCOLS:
            raise LocalError(f"EtherType {self.ether_type:#06x} cannot follow the tags")

    @property
    def length(self) -> int:
        """How many octets the header has; the payload begins there."""
        return HEADER_OCTETS + TAG_OCTETS * len(self.tags)

    @property
    def is_length(self) -> bool:
        """Whether the last two octets are an 802.3 length, not an EtherType."""
        return self.ether_type < LEAST_ETHER_TYPE

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """The header at the start of a frame, all its tags included.

        Raises:
            WireError: the frame ends within the header.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an Ethernet header has {HEADER_OCTETS} octets, the frame {len(octets)}")
        tags: list[VlanTag] = []
        at = ADDRESSES_OCTETS
        ether_type = int.from_bytes(octets[at : at + 2], "big")
        while ether_type in TAG_PROTOCOLS:
            tags.append(VlanTag.parse(octets[at : at + TAG_OCTETS]))
            at += TAG_OCTETS
            if len(octets) < at + 2:
                raise WireError("the frame ends after a VLAN tag")
            ether_type = int.from_bytes(octets[at : at + 2], "big")
        return cls(
            destination=bytes(octets[:MAC_OCTETS]),
            source=bytes(octets[MAC_OCTETS:ADDRESSES_OCTETS]),
            tags=tuple(tags),
            ether_type=ether_type,
        )

    def emit(self) -> bytes:
        """The header's octets, up to and with the EtherType."""
        tags = b"".join(tag.emit() for tag in self.tags)
        return self.destination + self.source + tags + self.ether_type.to_bytes(2, "big")
