"""Just enough of the headers above a frame to find the IP packet in it, for the fast paths."""

from __future__ import annotations

from typing import Final

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
VLAN: Final = (0x8100, 0x88A8)


def network_offset(frame: memoryview, length: int) -> int | None:
    """Where the IP header of a frame of `length` octets starts, behind up to two tags; None when there is none."""
    for offset in (14, 18, 22):
        if offset > length:
            return None
        ether_type = frame[offset - 2] << 8 | frame[offset - 1]
        if ether_type in (IPV4, IPV6):
            return offset
        if ether_type not in VLAN:
            return None
    return None
