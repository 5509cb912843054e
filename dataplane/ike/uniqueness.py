"""One IKE SA with a peer, one child for the same traffic: what to do about two that were made at the same time.

The standard has a rule for SAs that replace the same one: that whose exchange had the lowest of all nonces goes, and
whoever made it deletes it (RFC 7296 2.8.1, 2.8.2). Both sides can apply it to SAs that replace nothing, too, if an SA
inherits its rank and its maker from the one that it replaces. Then the highest of all is in danger on neither side,
whatever is under way: a rank is never lost, and nobody deletes an SA but for one of higher rank.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause
from dataplane.ike.machine import ChildInput, ChildState, IkeState
from dataplane.ike.tasks.informational import DeleteChild, DeleteIke

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

ABANDON_SECONDS: Final = 60.0


def settle(sas: Iterable[IkeSa], now: float) -> None:
    """Of IKE SAs with the same peer, and of children of one IKE SA for the same traffic, let all but one go."""
    highest: dict[str, IkeSa] = {}
    for sa in sas:
        if not sa.is_current or not sa.peer.unique or _is_undecided(sa):
            continue
        _settle_children(sa, now)
        other = highest.setdefault(sa.peer.name, sa)
        if other is not sa:
            loser, keeper = sorted((sa, other), key=lambda each: (each.rank, each.lowest_nonce))
            highest[sa.peer.name] = keeper
            _condemn_ike(loser, keeper, now)


def _is_undecided(sa: IkeSa) -> bool:
    """Whether it may be the successor of one that is being replaced by both sides at once."""
    return sa.predecessor is not None and sa.predecessor.state is IkeState.COLLIDED and sa.predecessor.successor is sa


def _condemn_ike(loser: IkeSa, keeper: IkeSa, now: float) -> None:
    if loser.state is not IkeState.ESTABLISHED:
        return  # something is under way: look again when that is over
    keeper.children.reassert()
    loser.abandon_at = now + ABANDON_SECONDS  # if the peer, whose task it is, has not deleted it by then
    if loser.is_ours:
        loser.enqueue(DeleteIke(Cause.REDUNDANT), first=True)
        loser.run(now)


def _settle_children(sa: IkeSa, now: float) -> None:
    current = [child for child in sa.children if child.is_current]
    if len(current) < 2:
        return
    for child in current:
        if child.state is ChildState.INSTALLED and child.abandon_at is None and _has_higher_twin(child, current):
            child.abandon_at = now + ABANDON_SECONDS
            if child.is_ours:
                sa.enqueue(DeleteChild(child, Cause.REDUNDANT), first=True)
                sa.run(now)


def _has_higher_twin(child: ChildSa, others: Iterable[ChildSa]) -> bool:
    mine = (child.rank, child.lowest_nonce)
    return any(child.same_traffic(other) and (other.rank, other.lowest_nonce) > mine for other in others)


def supersede(loser: ChildSa, now: float) -> None:
    """Of two successors of one child, this one lost; the peer is to delete it, and if it does not, we shall."""
    loser.apply(ChildInput.SUPERSEDED)
    loser.abandon_at = now + ABANDON_SECONDS


def begin_anew(sa: IkeSa, now: float) -> None:
    """The peer says that it knows of no other IKE SA with us: drop those there are, without a word (RFC 7296 2.4).

    That is not to be believed of one that was being set up while this one was: the peer cannot have known yet.
    """
    for other in sa.host.established(sa.peer):
        if other is not sa and not _cross(sa, other):
            other.end(Cause.INITIAL_CONTACT, "", now)


def _cross(a: IkeSa, b: IkeSa) -> bool:
    """Whether both were being set up at some time, so that neither side can have known of the other one."""
    return (b.established_at is None or a.created_at < b.established_at) and (
        a.established_at is None or b.created_at < a.established_at
    )
