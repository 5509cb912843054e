"""Virtual networks: which addresses of a subnet are Azure's own, and what a GatewaySubnet must be."""

from __future__ import annotations

from typing import Final

GATEWAY_SUBNET: Final = "GatewaySubnet"
"""The name by which Azure knows where gateways go, spelt just so."""

GATEWAY_SUBNET_LONGEST_PREFIX: Final = 27
"""A VPN gateway beside an ExpressRoute gateway takes a /27 or larger."""

LONGEST_PREFIX: Final = 29
"""The smallest subnet."""

RESERVED_FIRST: Final = 4
"""So many addresses at a subnet's begin are Azure's (the network, the router, two for DNS), and the last one is."""
