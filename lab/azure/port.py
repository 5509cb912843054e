"""The port pair of ExpressRoute Direct."""

from __future__ import annotations

from typing import Final

# Gb/s of one port.
BANDWIDTHS_GBPS = (10, 100)

# From here on a link needs 64-bit packet numbers: Azure recommends an XPN cipher.
XPN_FROM_GBPS = 40

LINKS: Final = ("link1", "link2")
"""A port pair has two links, and these are their names."""

ENCAPSULATIONS: Final = ("Dot1Q", "QinQ")

ADMIN_STATES: Final = ("Enabled", "Disabled")
"""Of a link; a new port's are Disabled, since Enabled is what begins to cost."""

IP_MTU: Final = 1500
"""The largest IP packet that a port takes."""
