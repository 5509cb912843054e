"""What must be seen on a segment."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netaddr import IPAddress


class Layer(enum.StrEnum):
    """A layer of protection that a segment can carry."""

    MACSEC = "macsec"
    IPSEC = "ipsec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The layers that must protect every frame of a segment, outermost first; none of them means clear.

    `integrity_only` says that MACsec without confidentiality is what was asked for: such frames are then not clear.
    `routing_between` are the addresses of the link's ends between which BGP and BFD may be outside of the layers: the
    hops of a path speak them with each other, whatever is protected from end to end.
    """

    layers: tuple[Layer, ...]
    integrity_only: bool = False
    routing_between: tuple[tuple[IPAddress, IPAddress], ...] = ()

    @property
    def is_clear(self) -> bool:
        """Whether the segment is meant to be read by anybody."""
        return not self.layers

    def __str__(self) -> str:
        if self.is_clear:
            return "clear"
        integrity = " (integrity only)" if self.integrity_only else ""
        return "+".join(self.layers) + integrity + (" (but for routing)" if self.routing_between else "")
