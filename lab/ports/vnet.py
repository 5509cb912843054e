"""The header that goes before every frame of a TUN or TAP device with IFF_VNET_HDR (struct virtio_net_hdr).

    flags (8) | gso_type (8) | hdr_len (16) | gso_size (16) | csum_start (16) | csum_offset (16)

in the machine's byte order. It says which checksum is still to be computed, and how the frame is to be segmented.
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct("=BBHHHH")
OCTETS: Final = HEADER.size

# flags
NEEDS_CHECKSUM: Final = 1

# gso_type
GSO_NONE: Final = 0
GSO_TCPV4: Final = 1
GSO_TCPV6: Final = 4
GSO_ECN: Final = 0x80

# A whole frame with its checksum in place: nothing to be done.
PLAIN: Final = bytes(OCTETS)
