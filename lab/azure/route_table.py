"""User-defined routes: the kinds of next hop."""

from __future__ import annotations

from typing import Final

NEXT_HOPS: Final = ("VirtualNetworkGateway", "VnetLocal", "VirtualAppliance", "None", "Internet")
WITH_ADDRESS: Final = "VirtualAppliance"
"""The only kind that names an address."""

BY_GATEWAY: Final = "VirtualNetworkGateway"
"""Of no effect beside an ExpressRoute gateway."""
