"""What must be seen on a segment."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Layer(enum.StrEnum):
    """A layer of protection that a segment can carry."""

    MACSEC = "macsec"
    IPSEC = "ipsec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The layers that must protect every frame of a segment, outermost first; none of them means clear.

    `integrity_only` says that MACsec without confidentiality is what was asked for: such frames are then not clear.
    """

    layers: tuple[Layer, ...]
    integrity_only: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether the segment is meant to be read by anybody."""
        return not self.layers

    def __str__(self) -> str:
        if self.is_clear:
            return "clear"
        return "+".join(self.layers) + (" (integrity only)" if self.integrity_only else "")
