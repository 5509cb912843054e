"""What happens to an IKE SA when nothing arrives: lifetimes, silence, and work that others should have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause
from dataplane.ike.host import Datagram
from dataplane.ike.machine import ChildState, IkeState
from dataplane.ike.tasks.informational import DeleteChild, DeleteIke, Liveness
from dataplane.ike.tasks.rekey_child import RekeyChild
from dataplane.ike.tasks.rekey_ike import RekeyIke
from dataplane.wire.udp import KEEPALIVE, NATT_PORT

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

KEEPALIVE_SECONDS: Final = 20.0  # RFC 3948 4
_OFTEN_ENOUGH: Final = 5  # transmissions of a request before silence alone says that the peer is dead


def next_timeout(sa: IkeSa) -> float | None:
    """When `handle` has something to do; None: never, unless something arrives."""
    if sa.state is IkeState.DELETED:
        return sa.linger_until
    times = [
        sa.give_up_at,
        sa.expire_at,
        sa.abandon_at,
        sa.children.next_timeout(),
        _dead_at(sa),
        _liveness_at(sa),
        _keepalive_at(sa),
    ]
    if sa.state is IkeState.ESTABLISHED:
        times.append(sa.rekey_at)
    outstanding = sa.channel.window.outstanding
    if outstanding is not None:
        times.append(outstanding.due)
    elif not sa.is_setting_up:
        times += [queued.at for queued in sa.queue]
    return min((time for time in times if time is not None), default=None)


def handle(sa: IkeSa, now: float) -> None:
    """Do what is due."""
    if sa.give_up_at is not None and sa.give_up_at <= now:
        cause, detail = sa.hint or (Cause.PEER_DEAD, f"no answer from {sa.remote}")
        sa.end(cause, detail, now)
        return
    dead_at = _dead_at(sa)
    if dead_at is not None and dead_at <= now:
        sa.end(Cause.PEER_DEAD, f"nothing heard from {sa.remote} for {now - sa.heard_at:.0f} s", now)
        return
    sa.retransmit(now)
    if sa.state is IkeState.DELETED or sa.is_setting_up:
        return
    _handle_lifetime(sa, now)
    for child in sa.children:
        _handle_child(sa, child, now)
    liveness_at = _liveness_at(sa)
    if liveness_at is not None and liveness_at <= now:
        sa.enqueue(Liveness())
    keepalive_at = _keepalive_at(sa)
    if keepalive_at is not None and keepalive_at <= now:
        sa.outbox.append(Datagram(KEEPALIVE, sa.local, sa.remote))
        sa.said_at = now
    sa.run(now)


def _handle_lifetime(sa: IkeSa, now: float) -> None:
    if sa.expire_at is not None and sa.expire_at <= now:
        sa.expire_at = None
        sa.enqueue(DeleteIke(Cause.LIFETIME), first=True)
    elif sa.abandon_at is not None and sa.abandon_at <= now:
        sa.abandon_at = None
        sa.enqueue(DeleteIke(Cause.REDUNDANT if sa.successor is None else Cause.REKEYED), first=True)
    elif sa.rekey_at is not None and sa.rekey_at <= now and sa.state is IkeState.ESTABLISHED:
        sa.rekey_at = None
        sa.enqueue(RekeyIke())


def _handle_child(sa: IkeSa, child: ChildSa, now: float) -> None:
    if child.hard_at <= now and child.state is not ChildState.DELETING:
        child.hard_at = float("inf")
        cause = Cause.LIFETIME if child.successor is None else Cause.REKEYED
        sa.enqueue(DeleteChild(child, cause), first=True)
    elif child.abandon_at is not None and child.abandon_at <= now and child.state is not ChildState.DELETING:
        child.abandon_at = None
        sa.enqueue(DeleteChild(child, Cause.REDUNDANT if child.successor is None else Cause.REKEYED), first=True)
    elif child.soft_at <= now and child.state is ChildState.INSTALLED:
        child.soft_at = float("inf")
        sa.enqueue(RekeyChild(child))


def _liveness_at(sa: IkeSa) -> float | None:
    """When the peer has been silent for too long (RFC 7296 2.4); an open request asks already."""
    if sa.peer.dpd_seconds is None or sa.state is not IkeState.ESTABLISHED or sa.active is not None or sa.queue:
        return None
    return sa.heard_at + sa.peer.dpd_seconds


def _dead_at(sa: IkeSa) -> float | None:
    """When a peer that does not answer an open request has been silent for too long."""
    outstanding = sa.channel.window.outstanding
    if sa.peer.dead_seconds is None or sa.is_setting_up or outstanding is None or outstanding.sent < _OFTEN_ENOUGH:
        return None
    return sa.heard_at + sa.peer.dead_seconds


def _keepalive_at(sa: IkeSa) -> float | None:
    """When the NAT that this side is behind might forget it."""
    if not sa.nat.local or sa.local.port != NATT_PORT or sa.is_setting_up:
        return None
    return sa.said_at + KEEPALIVE_SECONDS
