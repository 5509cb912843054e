"""The IKE SAs of one engine, found by their SPIs, and what they ask of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.ike.child import ChildSa
from dataplane.ike.events import Event, IkeSaId
from dataplane.ike.host import Datagram
from dataplane.ike.machine import IkeState
from dataplane.ike.nat import Endpoint
from dataplane.ike.policy import Mode, Peer
from dataplane.ike.sa import IkeSa
from dataplane.wire.ike_header import NO_SPI

FIRST_CHILD_SPI: Final = 256  # RFC 4303 2.1: smaller ones are reserved


@final
class Registry:
    """A Host for IKE SAs; `random(n)` gives n octets that nobody can foresee."""

    def __init__(self, peers: Iterable[Peer], random: Callable[[int], bytes]) -> None:
        self.random = random
        self.peer_of = {peer.name: peer for peer in peers}
        self.events: deque[Event] = deque()
        self._sas: dict[bytes, IkeSa] = {}
        self._first_requests: dict[tuple[Endpoint, bytes], IkeSa] = {}

    def __iter__(self) -> Iterator[IkeSa]:
        return iter(tuple(self._sas.values()))

    # ---- for IKE SAs: see Host ----

    def emit(self, event: Event) -> None:
        """Keep an event for the driver."""
        self.events.append(event)

    def new_ike_spi(self) -> bytes:
        """An SPI for an IKE SA."""
        while (spi := self.random(8)) == NO_SPI or spi in self._sas:
            pass
        return spi

    def new_child_spi(self) -> bytes:
        """An inbound SPI for a child."""
        while int.from_bytes(spi := self.random(4), "big") < FIRST_CHILD_SPI or self.child(spi) is not None:
            pass
        return spi

    def adopt(self, sa: IkeSa) -> None:
        """Take in an IKE SA."""
        self._sas[sa.spi] = sa

    def peers(self, local: Endpoint, remote: Endpoint) -> tuple[Peer, ...]:
        """The peers that may call from `remote` to `local`, those with that very address first."""
        fitting = [
            peer
            for peer in self.peer_of.values()
            if peer.mode is not Mode.INITIATOR and peer.local == local.address and peer.remote in (None, remote.address)
        ]
        return tuple(sorted(fitting, key=lambda peer: peer.remote is None))

    def established(self, peer: Peer) -> tuple[IkeSa, ...]:
        """The IKE SAs that carry a peer's children."""
        return tuple(sa for sa in self if sa.peer.name == peer.name and sa.is_current)

    # ---- for the engine ----

    def remember_request(self, source: Endpoint, sa: IkeSa) -> None:
        """An IKE SA began with a request from there: should that come again, it gets the same answer."""
        self._first_requests[source, sa.channel.spi_i] = sa

    def begun_by(self, source: Endpoint, spi_i: bytes, request: bytes) -> IkeSa | None:
        """The IKE SA that began with that very request."""
        sa = self._first_requests.get((source, spi_i))
        known = sa is not None and sa.handshake is not None and sa.handshake.request == request
        return sa if known else None

    def by_spi(self, spi: bytes) -> IkeSa | None:
        """The IKE SA with that SPI on this side."""
        return self._sas.get(spi)

    def ike(self, ike: IkeSaId) -> IkeSa:
        """The IKE SA with both these SPIs.

        Raises:
            LocalError: there is none.
        """
        for sa in self:
            if sa.id == ike and sa.state is not IkeState.DELETED:
                return sa
        raise LocalError(f"there is no IKE SA {ike}")

    def child(self, spi_in: bytes) -> tuple[IkeSa, ChildSa] | None:
        """The child with that inbound SPI, and its IKE SA."""
        for sa in self._sas.values():
            child = sa.children.by_inbound(spi_in)
            if child is not None:
                return sa, child
        return None

    def sweep(self, now: float) -> list[Datagram]:
        """What all IKE SAs have to send; those that are over are forgotten."""
        datagrams: list[Datagram] = []
        for sa in self:
            datagrams += sa.outbox
            sa.outbox.clear()
            if sa.state is IkeState.DELETED and sa.linger_until <= now:
                del self._sas[sa.spi]
        if len(self._first_requests) > len(self._sas):
            living = {key: sa for key, sa in self._first_requests.items() if self._sas.get(sa.spi) is sa}
            self._first_requests = living
        return datagrams
