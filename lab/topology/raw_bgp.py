"""What may be written about BGP in a topology file."""

from __future__ import annotations

from pydantic import Field

from lab.topology.written import Texts, Written


class RawNeighbor(Written):
    """A BGP session of a node."""

    node: str = Field(examples=["node: msee1"])
    segment: str | None = Field(default=None, examples=["segment: ce--msee1"])
    password: str | None = Field(default=None, examples=["password: https://VAULT.vault.azure.net/secrets/SECRET"])
    bfd: bool | None = Field(default=None, examples=["bfd: true"])
    preference: int | None = Field(default=None, examples=["preference: 200"])
    advertise: Texts | None = Field(default=None, examples=["advertise: [192.168.1.0/24]"])
    tunnel: str | None = Field(default=None, examples=["tunnel: tunnel1"])
    via: str | None = Field(default=None, examples=["via: 203.0.113.2"])
    host_route: str = Field(default="bird", examples=["host_route: bird"])


class RawBgp(Written):
    """A node's BGP speaker."""

    asn: int = Field(examples=["asn: 65001"])
    router_id: str | None = Field(default=None, examples=["router_id: 192.168.1.1"])
    peering_address: str | None = Field(default=None, examples=["peering_address: 10.0.1.30"])
    advertise: Texts = Field(default=[], examples=["advertise: [192.168.0.0/16]"])
    neighbors: list[RawNeighbor | None] = Field(default=[], examples=["neighbors: [{node: msee1}]"])
