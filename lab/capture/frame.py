"""What a capture holds, whatever its file format: frames, and the interfaces that they were seen on."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

# Link types as the tcpdump group numbers them, the ones that are read here.
BSD_LOOPBACK: Final = 0
ETHERNET: Final = 1
RAW_IP: Final = 101
OPENBSD_LOOPBACK: Final = 108
LINUX_SLL: Final = 113
RAW_IPV4: Final = 228
RAW_IPV6: Final = 229
LINUX_SLL2: Final = 276

LINK_TYPES: Final = {
    ETHERNET: "Ethernet",
    RAW_IP: "raw IP",
    LINUX_SLL: "Linux cooked",
    RAW_IPV4: "raw IPv4",
    RAW_IPV6: "raw IPv6",
    LINUX_SLL2: "Linux cooked v2",
    BSD_LOOPBACK: "BSD loopback",
    OPENBSD_LOOPBACK: "OpenBSD loopback",
}


class Direction(enum.StrEnum):
    """Which way a frame passed the interface that captured it."""

    INBOUND = "in"
    OUTBOUND = "out"


class Frame(NamedTuple):
    """One captured frame, without FCS. A tuple and not a dataclass, since one is made for each of millions.

    `number` starts at 1, as in Wireshark. `original_length` is more than `len(octets)` where the snap length cut the
    frame. `timestamp_ns` counts from 1970, and is 0 where the format has none. `interface` is an index into the
    capture's interfaces.
    """

    number: int
    octets: bytes
    original_length: int
    timestamp_ns: int
    link_type: int
    direction: Direction | None
    interface: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureInterface:
    """Where frames were captured. `snap_length` is in octets, 0 for unlimited; `fcs_octets` end each stored frame."""

    link_type: int
    snap_length: int = 0
    name: str = ""
    description: str = ""
    fcs_octets: int = 0
