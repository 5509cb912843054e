"""VPN gateway SKUs: how many tunnels, how much traffic in all and by each tunnel, and what each can do.

Throughput of a tunnel depends on the algorithms: GCMAES256, AES256 with SHA256, DES3 with SHA256. The figures are the
vendor's, of Generation 1 for VpnGw1 to 3 and of Generation 2 from VpnGw4 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """A size of gateway. Throughputs are in Mb/s; `open_to_new` says whether one can still be made."""

    name: str
    tunnels: int
    aggregate_mbps: int
    gcm_mbps: int
    cbc_mbps: int
    des_mbps: int
    bgp: bool = True
    open_to_new: bool = True

    @property
    def zone_redundant(self) -> bool:
        """Whether it is one of those with AZ, which alone can have a private address for tunnels."""
        return self.name.endswith("AZ")

    def tunnel_mbps(self, encryption: str) -> int:
        """What one tunnel with this ESP encryption carries, by Azure's name of it."""
        if encryption.startswith("GCMAES"):
            return self.gcm_mbps
        return self.des_mbps if encryption.startswith("DES") else self.cbc_mbps


_FIGURES: Final = {
    # tunnels, aggregate, then one tunnel with GCMAES256, AES256 + SHA256, DES3 + SHA256
    "VpnGw1": (30, 650, 650, 500, 130),
    "VpnGw2": (30, 1000, 1000, 650, 140),
    "VpnGw3": (30, 1250, 1250, 700, 140),
    "VpnGw4": (100, 5000, 2300, 700, 140),
    "VpnGw5": (100, 10000, 2300, 700, 140),
}


def _skus() -> dict[str, Sku]:
    skus = {
        "Basic": Sku(name="Basic", tunnels=10, aggregate_mbps=100, gcm_mbps=100, cbc_mbps=100, des_mbps=100, bgp=False)
    }
    for name, (tunnels, aggregate, gcm, cbc, des) in _FIGURES.items():
        for suffix in ("", "AZ"):
            skus[name + suffix] = Sku(
                name=name + suffix,
                tunnels=tunnels,
                aggregate_mbps=aggregate,
                gcm_mbps=gcm,
                cbc_mbps=cbc,
                des_mbps=des,
                open_to_new=suffix == "AZ",
            )
    return skus


SKUS: Final = _skus()
VPN_TYPES: Final = ("RouteBased", "PolicyBased")
