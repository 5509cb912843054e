"""The security association database (RFC 4301 4.4.2): which SAs there are, which of them send, when they end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.esp.events import Direction, EventQueue, SaHardExpired, SaSoftExpired
from dataplane.esp.lifetime import Cause
from dataplane.esp.sa import LEAST_SPI, InboundSa, OutboundSa


@final
class Sad:
    """Inbound SAs by SPI; outbound SAs by tunnel, in the order in which they are to be used.

    An inbound SA accepts packets from when it is added until it is removed, so that at a rekey old and new overlap. An
    outbound SA sends once it is in use: the latest put to use whose selectors hold a packet. `generation` changes
    whenever an answer may have become another one.
    """

    __slots__ = ("_deadline", "_events", "_given_spis", "_inbound", "_outbound", "_waiting", "generation")

    def __init__(self, events: EventQueue) -> None:
        self._events: Final = events
        self._inbound: Final[dict[int, InboundSa]] = {}
        self._outbound: Final[dict[str, list[OutboundSa]]] = {}
        self._waiting: Final[dict[tuple[str, int], OutboundSa]] = {}
        self._given_spis: Final[set[int]] = set()
        self._deadline: float | None = None
        self.generation = 0

    def new_spi(self, random: Callable[[int], bytes]) -> int:
        """An inbound SPI that is neither in use nor was given before and not yet removed."""
        while True:
            spi = int.from_bytes(random(4), "big")
            if spi >= LEAST_SPI and spi not in self._inbound and spi not in self._given_spis:
                self._given_spis.add(spi)
                return spi

    def add_inbound(self, sa: InboundSa) -> None:
        """Accept packets of an SA from now on.

        Raises:
            LocalError: its SPI is in use.
        """
        spi = sa.parameters.spi
        if spi in self._inbound:
            raise LocalError(f"inbound SPI {spi:#x} is in use")
        self._inbound[spi] = sa
        self._changed()

    def add_outbound(self, sa: OutboundSa, *, use: bool = True) -> None:
        """Add an SA, and with `use` send on it from now on, rather than on those before it.

        Raises:
            LocalError: the tunnel has an outbound SA of this SPI.
        """
        tunnel, spi = sa.tunnel.name, sa.parameters.spi
        if (tunnel, spi) in self._waiting or any(each.parameters.spi == spi for each in self.outbound(tunnel)):
            raise LocalError(f"outbound SPI {spi:#x} of {tunnel} is in use")
        if use:
            self._outbound.setdefault(tunnel, []).insert(0, sa)
        else:
            self._waiting[tunnel, spi] = sa
        self._changed()

    def use_outbound(self, tunnel: str, spi: int) -> None:
        """Send on this SA from now on, rather than on those before it (RFC 7296 2.8).

        Raises:
            LocalError: there is none.
        """
        self.add_outbound(self.remove_outbound(tunnel, spi))

    def remove_inbound(self, spi: int) -> InboundSa:
        """Accept no more packets of this SA, which is given back.

        Raises:
            LocalError: there is none.
        """
        if spi not in self._inbound:
            raise LocalError(f"there is no inbound SA of SPI {spi:#x}")
        self._given_spis.discard(spi)
        self._changed()
        return self._inbound.pop(spi)

    def remove_outbound(self, tunnel: str, spi: int) -> OutboundSa:
        """Send no more on this SA, which is given back.

        Raises:
            LocalError: there is none.
        """
        self._changed()
        waiting = self._waiting.pop((tunnel, spi), None)
        if waiting is not None:
            return waiting
        for index, sa in enumerate(self.outbound(tunnel)):
            if sa.parameters.spi == spi:
                return self._outbound[tunnel].pop(index)
        raise LocalError(f"{tunnel} has no outbound SA of SPI {spi:#x}")

    def inbound(self, spi: int) -> InboundSa | None:
        """The inbound SA of an SPI."""
        return self._inbound.get(spi)

    def outbound(self, tunnel: str) -> tuple[OutboundSa, ...]:
        """The outbound SAs of a tunnel that are in use, the preferred one first."""
        return tuple(self._outbound.get(tunnel, ()))

    def __iter__(self) -> Iterator[InboundSa | OutboundSa]:
        """All SAs, inbound ones first, those that wait last."""
        yield from self._inbound.values()
        for sas in self._outbound.values():
            yield from sas
        yield from self._waiting.values()

    @property
    def deadline(self) -> float:
        """When the next limit in seconds comes; infinite when none does."""
        if self._deadline is None:
            self._deadline = min((sa.age.deadline for sa in self), default=math.inf)
        return self._deadline

    def look_at(self, sa: InboundSa | OutboundSa, now: float) -> None:
        """Tell if an SA has reached a limit; remove it if that is a hard one."""
        cause = sa.age.hard(now)
        if cause is not None:
            self.expire(sa, cause)
            return
        cause = sa.age.soft(now)
        if cause is not None:
            self._events.tell(
                SaSoftExpired(direction=_direction(sa), tunnel=sa.tunnel.name, spi=sa.parameters.spi, cause=cause)
            )
            self._changed()

    def expire(self, sa: InboundSa | OutboundSa, cause: Cause) -> None:
        """Remove an SA that has come to its end, and tell (RFC 4301 4.4.2.1)."""
        spi = sa.parameters.spi
        if isinstance(sa, InboundSa):
            self.remove_inbound(spi)
        else:
            self.remove_outbound(sa.tunnel.name, spi)
        self._events.tell(SaHardExpired(direction=_direction(sa), tunnel=sa.tunnel.name, spi=spi, cause=cause))

    def look_at_all(self, now: float) -> None:
        """Look at every SA."""
        for sa in list(self):
            self.look_at(sa, now)

    def _changed(self) -> None:
        self.generation += 1
        self._deadline = None


def _direction(sa: InboundSa | OutboundSa) -> Direction:
    return Direction.INBOUND if isinstance(sa, InboundSa) else Direction.OUTBOUND
