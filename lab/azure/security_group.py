"""Network security groups: what a rule may say, and the rules that each group has without being told."""

from __future__ import annotations

from typing import Final

PRIORITIES: Final = (100, 4096)
DIRECTIONS: Final = ("Inbound", "Outbound")
ACCESSES: Final = ("Allow", "Deny")

PROTOCOLS: Final = {"*": None, "Tcp": 6, "Udp": 17, "Icmp": 1, "Esp": 50, "Ah": 51}
"""Azure's words, with the number of each in an IP header."""

WITH_PORTS: Final = ("Tcp", "Udp", "*")
"""The others have no ports."""

ANY: Final = "*"
VIRTUAL_NETWORK: Final = "VirtualNetwork"
INTERNET: Final = "Internet"
LOAD_BALANCER: Final = "AzureLoadBalancer"
TAGS: Final = (VIRTUAL_NETWORK, INTERNET, LOAD_BALANCER)
"""Service tags that mean something here: the network with all that is connected to it, and everything else."""

LOAD_BALANCER_ADDRESS: Final = "168.63.129.16/32"

# name, priority, direction, access, source, destination
DEFAULT_RULES: Final = (
    ("AllowVnetInBound", 65000, "Inbound", "Allow", VIRTUAL_NETWORK, VIRTUAL_NETWORK),
    ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", LOAD_BALANCER, ANY),
    ("DenyAllInBound", 65500, "Inbound", "Deny", ANY, ANY),
    ("AllowVnetOutBound", 65000, "Outbound", "Allow", VIRTUAL_NETWORK, VIRTUAL_NETWORK),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", ANY, INTERNET),
    ("DenyAllOutBound", 65500, "Outbound", "Deny", ANY, ANY),
)

NOT_AT_GATEWAYS: Final = "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet"
"""How Azure's API refuses one at a GatewaySubnet."""
