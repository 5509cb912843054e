"""What an IKE SA asks of the engine it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from dataplane.ike.events import Event
from dataplane.ike.nat import Endpoint

if TYPE_CHECKING:
    from dataplane.ike.policy import Peer
    from dataplane.ike.sa import IkeSa


class Datagram(NamedTuple):
    """A UDP payload and where it goes, or came from. On port 4500 the marker of four zeros is part of it."""

    octets: bytes
    source: Endpoint
    destination: Endpoint


class Host(Protocol):
    """The engine, as its IKE SAs see it."""

    def random(self, count: int) -> bytes:
        """Octets that nobody can foresee."""
        ...

    def emit(self, event: Event) -> None:
        """Tell the driver."""
        ...

    def new_ike_spi(self) -> bytes:
        """An SPI for an IKE SA, unlike all others here."""
        ...

    def new_child_spi(self) -> bytes:
        """An inbound SPI for a child, unlike all others here; 256 at least (RFC 4303 2.1)."""
        ...

    def adopt(self, sa: IkeSa) -> None:
        """Take in an IKE SA that another one made."""
        ...

    def peers(self, local: Endpoint, remote: Endpoint) -> tuple[Peer, ...]:
        """The peers that may call from `remote` to `local`, those with that very address first."""
        ...

    def established(self, peer: Peer) -> tuple[IkeSa, ...]:
        """The IKE SAs with a peer that carry its children, or soon will."""
        ...
