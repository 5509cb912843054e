"""CREATE_CHILD_SA for a new child (RFC 7296 1.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause, ChildSaFailed
from dataplane.ike.keymat import Freshness
from dataplane.ike.message import Message
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.policy import ChildPolicy
from dataplane.ike.rules import ExchangeType
from dataplane.ike.tasks.child_offer import ChildOffer, answer, offer, settle
from dataplane.ike.tasks.informational import DeleteUnborn, settle_predecessor
from dataplane.ike.tasks.negotiation import NONCE_OCTETS, cause_of, wanted_group
from dataplane.ike.tasks.task import Answer, Refusal, Task

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

RETRY_SECONDS: Final = 10.0
MOST_RETRIES: Final = 12


class CreateChild(Task):
    """Ask for a new child; tries again with the group the peer wants, or later if it is busy."""

    exchange: ClassVar[ExchangeType] = ExchangeType.CREATE_CHILD_SA
    is_about_children: ClassVar[bool] = True

    def __init__(self, policy: ChildPolicy) -> None:
        self.policy = policy
        self.group: int | None = None
        self.retries = 0
        self.offer: ChildOffer | None = None

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """SA, Ni, [KEi], TSi, TSr; nothing if the child has come to be meanwhile."""
        if sa.peer.unique and any(child.policy.name == self.policy.name for child in sa.children if child.is_current):
            return None
        self.offer = offer(sa, self.policy, self.group, None)
        return self.offer.payloads

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Install the child, or tell why there is none."""
        assert self.offer is not None, "a response follows a request"
        error = message.error
        if error is None:
            try:
                fresh = Freshness(ni=self.offer.nonce, nr=message.one(NoncePayload).nonce)
                child = settle(sa, self.offer, message, fresh, now)
            except Refusal as refusal:
                sa.enqueue(DeleteUnborn(self.offer.spi_in), first=True)
                self._fail(sa, refusal.cause, refusal.detail)
            else:
                child.sends = True
                install_new(sa, child)
        elif error.notify_type == NotifyType.INVALID_KE_PAYLOAD:
            self._try_group(sa, message, now)
        elif error.notify_type == NotifyType.TEMPORARY_FAILURE and self.retries < MOST_RETRIES:
            self.retries += 1
            sa.enqueue(self, at=now + RETRY_SECONDS)
        else:
            cause = cause_of(error)
            self._fail(sa, cause, f"the peer answered {error.name}; offered was {self.offer.text(cause)}")
        sa.early_deletes.clear()

    def abandon(self, sa: IkeSa, cause: Cause, detail: str) -> None:
        """The IKE SA ended first."""
        self._fail(sa, Cause.IKE_SA_GONE, cause.value)

    def _try_group(self, sa: IkeSa, message: Message, now: float) -> None:
        assert self.offer is not None, "a response follows a request"
        error = message.notify(NotifyType.INVALID_KE_PAYLOAD)
        assert error is not None, "called for that notification"
        tried = None if self.offer.exchange is None else self.offer.exchange.group
        group = wanted_group(error, self.offer.proposals, tried)
        self.retries += 1
        if group is None or self.retries > MOST_RETRIES:
            self._fail(sa, Cause.NO_PROPOSAL_CHOSEN, f"the peer wants group {error.data.hex()}, tried was {tried}")
            return
        self.group = group
        sa.enqueue(self, first=True)

    def _fail(self, sa: IkeSa, cause: Cause, detail: str) -> None:
        sa.host.emit(ChildSaFailed(peer=sa.peer.name, child=self.policy.name, rekeyed=None, cause=cause, detail=detail))


class AnswerCreateChild(Answer):
    """The peer asks for a new child."""

    def __init__(self) -> None:
        self._payloads: tuple[Payload, ...] = ()

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Agree on it and install it, or refuse."""
        settle_predecessor(sa)
        fresh = Freshness(ni=message.one(NoncePayload).nonce, nr=sa.host.random(NONCE_OCTETS))
        try:
            child, self._payloads = answer(sa, sa.peer.children, message, fresh, in_auth=False, now=now)
        except Refusal as refusal:
            self._payloads = (refusal.notify,)
            if refusal.notify.notify_type != NotifyType.INVALID_KE_PAYLOAD:
                sa.host.emit(
                    ChildSaFailed(peer=sa.peer.name, child="", rekeyed=None, cause=refusal.cause, detail=refusal.detail)
                )
            return
        child.sends = True
        install_new(sa, child)

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """SA, Nr, [KEr], TSi, TSr, or the refusal."""
        return self._payloads


def install_new(sa: IkeSa, child: ChildSa) -> None:
    """Install a child that takes nobody's place; the peer may have closed it already."""
    sa.children.install(child)
    if child.spi_out in sa.early_deletes:
        sa.children.remove(child, Cause.CLOSED_BY_PEER, "before its making was answered")
