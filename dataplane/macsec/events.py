"""What a SecY has to tell whoever manages its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PnThresholdReached:
    """The transmit SA of this AN needs a successor soon (802.1X-2020 9.8). Told once per SA."""

    an: int
    next_pn: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PnExhausted:
    """The transmit SA of this AN has used its last PN and sends no more (802.1AE-2018 10.5.2)."""

    an: int


SecyEvent: TypeAlias = PnThresholdReached | PnExhausted
