"""ExpressRoute circuits: of a provider, or on a port pair of ExpressRoute Direct."""

from __future__ import annotations

from typing import Final

TIERS: Final = ("Local", "Standard", "Premium")
FAMILIES: Final = ("MeteredData", "UnlimitedData")

PROVIDER_MBPS: Final = (50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""The bandwidths of a provider's circuit."""

PORT_GBPS: Final = {10: (1, 2, 5, 10), 100: (5, 10, 40, 100)}
"""The bandwidths of a circuit on a port pair, by the bandwidth of a port."""

MOST_SOLD: Final = 2
"""How many times the bandwidth of one port the circuits of a pair may have in sum."""
