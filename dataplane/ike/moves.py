"""Where a peer is: what came from elsewhere than before, and is authentic, may say that it has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.ike.events import PeerMoved
from dataplane.ike.machine import IkeState
from dataplane.ike.nat import Endpoint

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


def follow(sa: IkeSa, source: Endpoint, destination: Endpoint) -> None:
    """Something authentic came: the peer's address may change in set-up and, behind a NAT, later (RFC 7296 2.23)."""
    if sa.state is IkeState.HALF_OPEN:
        sa.local, sa.remote = destination, source
    elif sa.nat.remote and source != sa.remote:
        sa.local, sa.remote = destination, source
        spis = tuple(child.spi_out for child in sa.children)
        sa.host.emit(PeerMoved(peer=sa.peer.name, ike=sa.id, remote=source, spis_out=spis))
