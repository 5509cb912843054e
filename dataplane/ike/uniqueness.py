"""One IKE SA with a peer, one child for the same traffic: what to do about two that were made at the same time.

The standard has a rule for SAs that replace the same one: the SA whose exchange had the lowest of all nonces goes, and
whoever made it deletes it (RFC 7296 2.8.1, 2.8.2). Both sides can apply it to SAs that replace nothing, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause
from dataplane.ike.machine import ChildInput, ChildState
from dataplane.ike.tasks.informational import DeleteChild, DeleteIke

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

ABANDON_SECONDS: Final = 60.0


def settle_twins(sa: IkeSa, child: ChildSa, now: float) -> None:
    """If a new child has a twin, let one of them go."""
    twin = sa.children.twin(child) if sa.peer.unique else None
    if twin is None:
        return
    loser, keeper = (child, twin) if child.lowest_nonce < twin.lowest_nonce else (twin, child)
    loser.successor = keeper
    if loser.is_initiator:
        sa.enqueue(DeleteChild(loser, Cause.REDUNDANT), first=True)
    elif loser.state is ChildState.INSTALLED:
        supersede(loser, now)


def supersede(loser: ChildSa, now: float) -> None:
    """The peer is to delete this one; if it does not, we shall."""
    loser.apply(ChildInput.SUPERSEDED)
    loser.abandon_at = now + ABANDON_SECONDS


def settle_ike_sas(sa: IkeSa, now: float, *, initial_contact: bool) -> None:
    """If there are other IKE SAs with the peer of a new one, let all but one go.

    With `initial_contact` the peer knows of no other (RFC 7296 2.4): they are dropped without a word. That is not to be
    believed of one that was being set up while this one was: the peer cannot have known yet.
    """
    for other in sa.host.established(sa.peer):
        if other is sa:
            continue
        if initial_contact and not _cross(sa, other):
            other.end(Cause.INITIAL_CONTACT, "", now)
        elif sa.peer.unique:
            loser, keeper = (sa, other) if sa.lowest_nonce < other.lowest_nonce else (other, sa)
            keeper.children.reassert()
            if loser.is_initiator:
                loser.enqueue(DeleteIke(Cause.REDUNDANT), first=True)
                loser.run(now)
            else:
                loser.abandon_at = now + ABANDON_SECONDS


def _cross(a: IkeSa, b: IkeSa) -> bool:
    """Whether both were being set up at some time, so that neither side can have known of the other one."""
    return (b.established_at is None or a.created_at < b.established_at) and (
        a.established_at is None or b.created_at < a.established_at
    )
