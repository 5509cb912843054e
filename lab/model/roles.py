"""What a node is on an ExpressRoute path."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """A node's part in the path; it decides what may be configured there and who owns it."""

    ONPREM = "onprem"
    VPN_DEVICE = "vpn-device"
    CE = "ce"
    PROVIDER = "provider"
    MSEE = "msee"
    VNET_GATEWAY = "vnet-gateway"
    WORKLOAD = "workload"
    HOST = "host"
    ROUTER = "router"

    @property
    def forwards(self) -> bool:
        """Whether the node passes packets on; the ends of a path do not."""
        return self not in (Role.ONPREM, Role.WORKLOAD, Role.HOST)

    @property
    def is_end(self) -> bool:
        """Whether traffic starts and ends here."""
        return not self.forwards
