"""The port pair of ExpressRoute Direct."""

from __future__ import annotations

# Gb/s of one port.
BANDWIDTHS_GBPS = (10, 100)

# From here on a link needs 64-bit packet numbers: Azure recommends an XPN cipher.
XPN_FROM_GBPS = 40
