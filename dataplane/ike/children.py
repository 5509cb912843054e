"""The children of one IKE SA: found by their SPIs, installed, switched between, removed. The driver hears of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished, ChildSaSwitched
from dataplane.ike.machine import ChildState

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


@final
class Children:
    """The children of an IKE SA that are not deleted yet."""

    __slots__ = ("_all", "_sa")

    def __init__(self, sa: IkeSa) -> None:
        self._sa = sa
        self._all: list[ChildSa] = []

    def __iter__(self) -> Iterator[ChildSa]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def by_inbound(self, spi: bytes) -> ChildSa | None:
        """The child whose packets come here with that SPI."""
        return next((child for child in self._all if child.spi_in == spi), None)

    def by_outbound(self, spi: bytes) -> ChildSa | None:
        """The child whose packets go with that SPI: what the peer means when it names one (RFC 7296 1.3.3, 1.4.1)."""
        return next((child for child in self._all if child.spi_out == spi), None)

    def twin(self, child: ChildSa) -> ChildSa | None:
        """Another child for the same traffic that nothing is going to replace."""
        return next(
            (each for each in self._all if each is not child and each.is_current and each.same_traffic(child)), None
        )

    def install(self, child: ChildSa, replaced: ChildSa | None = None) -> None:
        """Take in a new child and tell the driver."""
        sa = self._sa
        self._all.append(child)
        if child.sends:
            self._quieten(child)
        sa.host.emit(
            ChildSaEstablished(
                peer=sa.peer.name,
                child=child.policy.name,
                ike=sa.id,
                spi_in=child.spi_in,
                spi_out=child.spi_out,
                suite=child.suite,
                keys_in=child.keys_in,
                keys_out=child.keys_out,
                ke=child.ke,
                local_selectors=child.local_selectors,
                remote_selectors=child.remote_selectors,
                limits=child.limits,
                local=sa.local,
                remote=sa.remote,
                encapsulated=bool(sa.nat),
                is_initiator=child.is_initiator,
                sends=child.sends,
                replaces=None if replaced is None else replaced.spi_in,
                objections=child.proposal.objections,
            )
        )

    def switch(self, child: ChildSa) -> None:
        """From now on, outgoing traffic goes into this child."""
        if not child.sends:
            child.sends = True
            self._quieten(child)
            self._tell_switched(child)

    def reassert(self) -> None:
        """Of several IKE SAs with the peer this one is kept: outgoing traffic goes into its children."""
        for child in self._all:
            if child.sends:
                self._tell_switched(child)

    def _tell_switched(self, child: ChildSa) -> None:
        self._sa.host.emit(
            ChildSaSwitched(
                peer=self._sa.peer.name, child=child.policy.name, spi_in=child.spi_in, spi_out=child.spi_out
            )
        )

    def remove(self, child: ChildSa, cause: Cause, detail: str = "") -> None:
        """Forget a child. Before, its outgoing traffic goes over to its successor or to another child for it."""
        child.state = ChildState.DELETED
        if child not in self._all:
            return
        self._all.remove(child)
        heir = child.successor if child.successor in self._all else self.twin(child)
        if child.sends and heir is not None:
            self.switch(heir)
        self._sa.host.emit(
            ChildSaDeleted(
                peer=self._sa.peer.name,
                child=child.policy.name,
                spi_in=child.spi_in,
                spi_out=child.spi_out,
                cause=cause,
                detail=detail,
            )
        )

    def move_to(self, other: Children) -> None:
        """Hand all over to a successor's children (RFC 7296 2.18)."""
        other._all += self._all
        self._all = []

    def next_timeout(self) -> float | None:
        """When something is due for one of them."""
        times = []
        for child in self._all:
            if child.state is ChildState.INSTALLED:
                times.append(child.soft_at)
            if child.state is not ChildState.DELETING:
                times.append(child.hard_at)
                times += [] if child.abandon_at is None else [child.abandon_at]
        return min(times, default=None)

    def _quieten(self, child: ChildSa) -> None:
        for other in self._all:
            if other is not child and other.same_traffic(child):
                other.sends = False
