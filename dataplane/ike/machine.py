"""The legal transitions of IKE SAs and of their children, as tables; nothing else is in this file but their look-up.

Each pair (state, input) gives a verdict and the next state. A pair that is missing cannot happen; asking for it is a
mistake of this package. Every input that a peer can cause stands in every state. The answers to crossing requests are
those of RFC 7296 2.25.1 and 2.25.2.
"""

from __future__ import annotations

import enum
from typing import Final

from dataplane.errors import LocalError


class Verdict(enum.Enum):
    """What to do about an input."""

    DO = "do"
    SKIP = "skip"
    TEMPORARY_FAILURE = "temporary failure"


class IkeState(enum.Enum):
    """An IKE SA's state."""

    NEW = "new"
    CONNECTING = "connecting"  # our IKE_SA_INIT request is out
    HALF_OPEN = "half-open"  # we answered IKE_SA_INIT; who is there is not known yet
    AUTHENTICATING = "authenticating"  # our IKE_AUTH request is out
    ESTABLISHED = "established"
    REKEYING = "rekeying"  # our request to replace it is out
    COLLIDED = "collided"  # so it is, and we answered the peer's as well
    REKEYED = "rekeyed"  # a successor has its children; whoever made that one deletes this
    DELETING = "deleting"  # our request to delete it is out
    DELETED = "deleted"


class IkeInput(enum.Enum):
    """What can happen to an IKE SA; PEER_ are requests that arrive."""

    INITIATE = "initiate"
    INIT_ANSWERED = "IKE_SA_INIT answered"
    AUTH_ANSWERED = "IKE_AUTH answered"
    REKEY = "rekey"
    REKEY_WON = "our successor lives"
    REKEY_LOST = "the peer's successor lives"
    REKEY_FAILED = "our rekey was refused"
    DELETE = "delete"
    FAIL = "fail"
    PEER_INIT = "peer: IKE_SA_INIT"
    PEER_AUTH = "peer: IKE_AUTH"
    PEER_CREATE_CHILD = "peer: create child"
    PEER_REKEY_CHILD = "peer: rekey child"
    PEER_REKEY = "peer: rekey"
    PEER_REKEY_WHILE_BUSY = "peer: rekey while a child is being made, replaced or closed here"
    PEER_INFORM = "peer: informational"
    PEER_DELETE = "peer: delete"


class ChildState(enum.Enum):
    """A child SA's state."""

    INSTALLED = "installed"
    REKEYING = "rekeying"  # our request to replace it is out
    COLLIDED = "collided"  # so it is, and we answered the peer's as well
    REKEYED = "rekeyed"  # a successor lives; whoever made that one deletes this
    DELETING = "deleting"  # our request to delete it is out
    DELETED = "deleted"


class ChildInput(enum.Enum):
    """What can happen to a child SA; PEER_ are requests that arrive."""

    REKEY = "rekey"
    REKEY_WON = "our successor lives"
    REKEY_LOST = "the peer's successor lives"
    REKEY_FAILED = "our rekey was refused"
    SUPERSEDED = "it lost against another successor"
    DELETE = "delete"
    DELETED = "our delete was answered"
    PEER_REKEY = "peer: rekey"
    PEER_DELETE = "peer: delete"


_DO, _SKIP, _WAIT = Verdict.DO, Verdict.SKIP, Verdict.TEMPORARY_FAILURE
_S, _I = IkeState, IkeInput

IKE_TRANSITIONS: Final[dict[tuple[IkeState, IkeInput], tuple[Verdict, IkeState]]] = {
    (_S.NEW, _I.INITIATE): (_DO, _S.CONNECTING),
    (_S.NEW, _I.FAIL): (_DO, _S.DELETED),
    (_S.NEW, _I.PEER_INIT): (_DO, _S.HALF_OPEN),
    (_S.NEW, _I.PEER_AUTH): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_CREATE_CHILD): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_REKEY_CHILD): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_REKEY): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_REKEY_WHILE_BUSY): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_INFORM): (_SKIP, _S.NEW),
    (_S.NEW, _I.PEER_DELETE): (_SKIP, _S.NEW),

    (_S.CONNECTING, _I.INITIATE): (_DO, _S.CONNECTING),
    (_S.CONNECTING, _I.INIT_ANSWERED): (_DO, _S.AUTHENTICATING),
    (_S.CONNECTING, _I.FAIL): (_DO, _S.DELETED),
    (_S.CONNECTING, _I.PEER_INIT): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_AUTH): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_CREATE_CHILD): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_REKEY_CHILD): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_REKEY): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_REKEY_WHILE_BUSY): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_INFORM): (_SKIP, _S.CONNECTING),
    (_S.CONNECTING, _I.PEER_DELETE): (_SKIP, _S.CONNECTING),

    (_S.HALF_OPEN, _I.FAIL): (_DO, _S.DELETED),
    (_S.HALF_OPEN, _I.PEER_INIT): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_AUTH): (_DO, _S.ESTABLISHED),
    (_S.HALF_OPEN, _I.PEER_CREATE_CHILD): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_REKEY_CHILD): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_REKEY): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_REKEY_WHILE_BUSY): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_INFORM): (_SKIP, _S.HALF_OPEN),
    (_S.HALF_OPEN, _I.PEER_DELETE): (_SKIP, _S.HALF_OPEN),

    (_S.AUTHENTICATING, _I.AUTH_ANSWERED): (_DO, _S.ESTABLISHED),
    (_S.AUTHENTICATING, _I.FAIL): (_DO, _S.DELETED),
    (_S.AUTHENTICATING, _I.PEER_INIT): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_AUTH): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_CREATE_CHILD): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_REKEY_CHILD): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_REKEY): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_REKEY_WHILE_BUSY): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_INFORM): (_SKIP, _S.AUTHENTICATING),
    (_S.AUTHENTICATING, _I.PEER_DELETE): (_SKIP, _S.AUTHENTICATING),

    (_S.ESTABLISHED, _I.REKEY): (_DO, _S.REKEYING),
    (_S.ESTABLISHED, _I.DELETE): (_DO, _S.DELETING),
    (_S.ESTABLISHED, _I.FAIL): (_DO, _S.DELETED),
    (_S.ESTABLISHED, _I.PEER_INIT): (_SKIP, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_AUTH): (_SKIP, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_CREATE_CHILD): (_DO, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_REKEY_CHILD): (_DO, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_REKEY): (_DO, _S.REKEYED),
    (_S.ESTABLISHED, _I.PEER_REKEY_WHILE_BUSY): (_WAIT, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_INFORM): (_DO, _S.ESTABLISHED),
    (_S.ESTABLISHED, _I.PEER_DELETE): (_DO, _S.DELETED),

    (_S.REKEYING, _I.REKEY): (_DO, _S.REKEYING),  # once more, with the group that the peer wants
    (_S.REKEYING, _I.REKEY_WON): (_DO, _S.REKEYED),
    (_S.REKEYING, _I.REKEY_FAILED): (_DO, _S.ESTABLISHED),
    (_S.REKEYING, _I.FAIL): (_DO, _S.DELETED),
    (_S.REKEYING, _I.PEER_INIT): (_SKIP, _S.REKEYING),
    (_S.REKEYING, _I.PEER_AUTH): (_SKIP, _S.REKEYING),
    (_S.REKEYING, _I.PEER_CREATE_CHILD): (_WAIT, _S.REKEYING),
    (_S.REKEYING, _I.PEER_REKEY_CHILD): (_WAIT, _S.REKEYING),
    (_S.REKEYING, _I.PEER_REKEY): (_DO, _S.COLLIDED),
    (_S.REKEYING, _I.PEER_REKEY_WHILE_BUSY): (_WAIT, _S.REKEYING),
    (_S.REKEYING, _I.PEER_INFORM): (_DO, _S.REKEYING),
    (_S.REKEYING, _I.PEER_DELETE): (_DO, _S.DELETED),

    (_S.COLLIDED, _I.REKEY_WON): (_DO, _S.REKEYED),
    (_S.COLLIDED, _I.REKEY_LOST): (_DO, _S.REKEYED),
    (_S.COLLIDED, _I.REKEY_FAILED): (_DO, _S.REKEYED),
    (_S.COLLIDED, _I.FAIL): (_DO, _S.DELETED),
    (_S.COLLIDED, _I.PEER_INIT): (_SKIP, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_AUTH): (_SKIP, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_CREATE_CHILD): (_WAIT, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_REKEY_CHILD): (_WAIT, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_REKEY): (_WAIT, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_REKEY_WHILE_BUSY): (_WAIT, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_INFORM): (_DO, _S.COLLIDED),
    (_S.COLLIDED, _I.PEER_DELETE): (_DO, _S.DELETED),

    (_S.REKEYED, _I.REKEY): (_SKIP, _S.REKEYED),
    (_S.REKEYED, _I.DELETE): (_DO, _S.DELETING),
    (_S.REKEYED, _I.FAIL): (_DO, _S.DELETED),
    (_S.REKEYED, _I.PEER_INIT): (_SKIP, _S.REKEYED),
    (_S.REKEYED, _I.PEER_AUTH): (_SKIP, _S.REKEYED),
    (_S.REKEYED, _I.PEER_CREATE_CHILD): (_WAIT, _S.REKEYED),
    (_S.REKEYED, _I.PEER_REKEY_CHILD): (_WAIT, _S.REKEYED),
    (_S.REKEYED, _I.PEER_REKEY): (_WAIT, _S.REKEYED),
    (_S.REKEYED, _I.PEER_REKEY_WHILE_BUSY): (_WAIT, _S.REKEYED),
    (_S.REKEYED, _I.PEER_INFORM): (_DO, _S.REKEYED),
    (_S.REKEYED, _I.PEER_DELETE): (_DO, _S.DELETED),

    (_S.DELETING, _I.FAIL): (_DO, _S.DELETED),
    (_S.DELETING, _I.PEER_INIT): (_SKIP, _S.DELETING),
    (_S.DELETING, _I.PEER_AUTH): (_SKIP, _S.DELETING),
    (_S.DELETING, _I.PEER_CREATE_CHILD): (_WAIT, _S.DELETING),
    (_S.DELETING, _I.PEER_REKEY_CHILD): (_WAIT, _S.DELETING),
    (_S.DELETING, _I.PEER_REKEY): (_WAIT, _S.DELETING),
    (_S.DELETING, _I.PEER_REKEY_WHILE_BUSY): (_WAIT, _S.DELETING),
    (_S.DELETING, _I.PEER_INFORM): (_DO, _S.DELETING),
    (_S.DELETING, _I.PEER_DELETE): (_DO, _S.DELETED),

    (_S.DELETED, _I.REKEY): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.REKEY_WON): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.REKEY_LOST): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.REKEY_FAILED): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.DELETE): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.FAIL): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_INIT): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_AUTH): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_CREATE_CHILD): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_REKEY_CHILD): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_REKEY): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_REKEY_WHILE_BUSY): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_INFORM): (_SKIP, _S.DELETED),
    (_S.DELETED, _I.PEER_DELETE): (_SKIP, _S.DELETED),
}  # fmt: skip

_C, _N = ChildState, ChildInput

CHILD_TRANSITIONS: Final[dict[tuple[ChildState, ChildInput], tuple[Verdict, ChildState]]] = {
    (_C.INSTALLED, _N.REKEY): (_DO, _C.REKEYING),
    (_C.INSTALLED, _N.SUPERSEDED): (_DO, _C.REKEYED),
    (_C.INSTALLED, _N.DELETE): (_DO, _C.DELETING),
    (_C.INSTALLED, _N.PEER_REKEY): (_DO, _C.REKEYED),
    (_C.INSTALLED, _N.PEER_DELETE): (_DO, _C.DELETED),

    (_C.REKEYING, _N.REKEY): (_DO, _C.REKEYING),  # once more, with the group that the peer wants
    (_C.REKEYING, _N.REKEY_WON): (_DO, _C.REKEYED),
    (_C.REKEYING, _N.REKEY_FAILED): (_DO, _C.INSTALLED),
    (_C.REKEYING, _N.PEER_REKEY): (_DO, _C.COLLIDED),
    (_C.REKEYING, _N.PEER_DELETE): (_DO, _C.DELETED),

    (_C.COLLIDED, _N.REKEY_WON): (_DO, _C.REKEYED),
    (_C.COLLIDED, _N.REKEY_LOST): (_DO, _C.REKEYED),
    (_C.COLLIDED, _N.REKEY_FAILED): (_DO, _C.REKEYED),
    (_C.COLLIDED, _N.PEER_REKEY): (_WAIT, _C.COLLIDED),
    (_C.COLLIDED, _N.PEER_DELETE): (_DO, _C.DELETED),

    (_C.REKEYED, _N.REKEY): (_SKIP, _C.REKEYED),
    (_C.REKEYED, _N.SUPERSEDED): (_SKIP, _C.REKEYED),
    (_C.REKEYED, _N.DELETE): (_DO, _C.DELETING),
    (_C.REKEYED, _N.PEER_REKEY): (_WAIT, _C.REKEYED),
    (_C.REKEYED, _N.PEER_DELETE): (_DO, _C.DELETED),

    (_C.DELETING, _N.REKEY): (_SKIP, _C.DELETING),
    (_C.DELETING, _N.SUPERSEDED): (_SKIP, _C.DELETING),
    (_C.DELETING, _N.DELETE): (_SKIP, _C.DELETING),
    (_C.DELETING, _N.DELETED): (_DO, _C.DELETED),
    (_C.DELETING, _N.PEER_REKEY): (_WAIT, _C.DELETING),
    # RFC 7296 1.4.1: both closed it at once; the response does not name it, ours ends with the peer's response.
    (_C.DELETING, _N.PEER_DELETE): (_SKIP, _C.DELETING),

    (_C.DELETED, _N.REKEY): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.REKEY_WON): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.REKEY_LOST): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.REKEY_FAILED): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.SUPERSEDED): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.DELETE): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.DELETED): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.PEER_REKEY): (_SKIP, _C.DELETED),
    (_C.DELETED, _N.PEER_DELETE): (_SKIP, _C.DELETED),
}  # fmt: skip


def ike_transition(state: IkeState, event: IkeInput) -> tuple[Verdict, IkeState]:
    """The verdict on an input to an IKE SA, and the state after it.

    Raises:
        LocalError: the pair cannot happen.
    """
    try:
        return IKE_TRANSITIONS[state, event]
    except KeyError:
        raise LocalError(f"an IKE SA that is {state.value} cannot meet: {event.value}") from None


def child_transition(state: ChildState, event: ChildInput) -> tuple[Verdict, ChildState]:
    """The verdict on an input to a child SA, and the state after it.

    Raises:
        LocalError: the pair cannot happen.
    """
    try:
        return CHILD_TRANSITIONS[state, event]
    except KeyError:
        raise LocalError(f"a child SA that is {state.value} cannot meet: {event.value}") from None
