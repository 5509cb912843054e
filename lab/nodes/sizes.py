"""What the size of an Azure gateway lets through: a bucket for the whole of it, and one for each tunnel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dataplane.ipsec.transforms import TransformType, encryption
from lab.model.connection import ConnectionEnd
from lab.model.resources import Gateway
from lab.model.topology import Topology
from lab.nodes.bucket import Bucket, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """One direction of a gateway's traffic; a node that is no gateway of Azure's has no size."""

    gateway: Gateway | None
    whole: Bucket | None

    @classmethod
    def of(cls, topology: Topology, node: str) -> Self:
        """The sizes of the gateway whose work a node does."""
        gateway = topology.resources.vpn_gateway_at(node)
        return cls(gateway=gateway, whole=Bucket.of_mbps(gateway.mbps) if gateway and gateway.mbps else None)

    def of_tunnel(self, end: ConnectionEnd) -> int:
        """What a tunnel carries, in Mb/s, by the cipher that it offers first; 0: any amount."""
        if self.gateway is None:
            return 0
        cipher = encryption(end.policy.esp[0].of(TransformType.ENCR)[0])
        with_aead, without = self.gateway.tunnel_mbps
        return with_aead if cipher.icv_octets else without

    def limit(self, end: ConnectionEnd) -> Limit | None:
        """The limit of one tunnel; None where there is none."""
        own = self.of_tunnel(end)
        buckets = [*([self.whole] if self.whole else []), *([Bucket.of_mbps(own)] if own else [])]
        return Limit(buckets) if buckets else None
