"""CREATE_CHILD_SA that replaces a child, and what happens when both sides do it at once (RFC 7296 1.3.3, 2.8, 2.25)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause, ChildSaFailed
from dataplane.ike.keymat import Freshness
from dataplane.ike.machine import ChildInput, ChildState, Verdict
from dataplane.ike.message import Message
from dataplane.ike.payloads.delete import PROTOCOL_ESP
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.rules import ExchangeType
from dataplane.ike.tasks.child_offer import ChildOffer, answer, offer, settle
from dataplane.ike.tasks.create_child import CreateChild
from dataplane.ike.tasks.informational import DeleteChild, DeleteUnborn, settle_predecessor
from dataplane.ike.tasks.negotiation import NONCE_OCTETS, cause_of, text_of, wanted_group
from dataplane.ike.tasks.task import Answer, Refusal, Task
from dataplane.ike.uniqueness import ABANDON_SECONDS, supersede

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

BUSY_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 30.0
_SPREAD: Final = 1 << 8


def later(sa: IkeSa, now: float, seconds: float) -> float:
    """A time after `seconds` and up to as many again: two sides that failed together do not try together."""
    return now + seconds * (1 + sa.host.random(1)[0] / _SPREAD)


class RekeyChild(Task):
    """Replace a child. `rival` is the child of the peer's request to replace the same one, if that came meanwhile."""

    exchange: ClassVar[ExchangeType] = ExchangeType.CREATE_CHILD_SA
    is_about_children: ClassVar[bool] = True

    def __init__(self, child: ChildSa) -> None:
        self.child = child
        self.rival: ChildSa | None = None
        self.offer: ChildOffer | None = None
        self._group: int | None = None if child.ke is None else child.ke.id
        self._tries = 0

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """N(REKEY_SA) with our inbound SPI, SA, Ni, [KEi], TSi, TSr; nothing if it was replaced or closed already."""
        if self.child.apply(ChildInput.REKEY) is Verdict.SKIP:
            return None
        self.offer = offer(sa, self.child.policy, self._group, self.child)
        rekey = Notify(notify_type=NotifyType.REKEY_SA, protocol=PROTOCOL_ESP, spi=self.child.spi_in)
        return (rekey, *self.offer.payloads)

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Install the successor and settle who replaces whom, or keep the child."""
        assert self.offer is not None, "a response follows a request"
        error = message.error
        if error is None:
            try:
                fresh = Freshness(ni=self.offer.nonce, nr=message.one(NoncePayload).nonce)
                new = settle(sa, self.offer, message, fresh, now)
            except Refusal as refusal:
                sa.enqueue(DeleteUnborn(self.offer.spi_in), first=True)
                self._fail(sa, refusal.cause, refusal.detail, now)
            else:
                self._succeed(sa, new, now)
        elif error.notify_type == NotifyType.INVALID_KE_PAYLOAD:
            self._try_group(sa, error, now)
        elif error.notify_type == NotifyType.CHILD_SA_NOT_FOUND:
            self._forget(sa, now)
        elif error.notify_type == NotifyType.TEMPORARY_FAILURE:
            self._keep(now, later(sa, now, BUSY_SECONDS))
        else:
            self._explain(sa, error, now)
        sa.early_deletes.clear()

    def _succeed(self, sa: IkeSa, new: ChildSa, now: float) -> None:
        old, rival = self.child, self.rival
        new.succeed(old)
        if rival is not None and new.lowest_nonce < rival.lowest_nonce:  # RFC 7296 2.8.1: ours goes
            old.apply(ChildInput.REKEY_LOST)
            old.abandon_at = now + ABANDON_SECONDS
            sa.children.install(new, old)
            sa.enqueue(DeleteChild(new, Cause.REDUNDANT), first=True)
        else:
            old.apply(ChildInput.REKEY_WON)
            old.successor = new
            if rival is not None and rival.state is ChildState.INSTALLED:
                supersede(rival, now)
            new.sends = True
            sa.children.install(new, old)
            sa.enqueue(DeleteChild(old, Cause.REKEYED), first=True)
        if new.spi_out in sa.early_deletes:
            # The peer closed it before we heard that it was made. It counts the old one as replaced: that goes too.
            sa.children.remove(new, Cause.CLOSED_BY_PEER, "before its making was answered")

    def _forget(self, sa: IkeSa, now: float) -> None:
        """The peer does not know the child: it replaced or closed it, or lost it (RFC 7296 2.25)."""
        known_why = self.rival is not None or self.child.state is ChildState.DELETED
        self._keep(now, now)
        if not known_why:
            sa.children.remove(self.child, Cause.CHILD_SA_NOT_FOUND)
            sa.enqueue(CreateChild(self.child.policy))

    def _try_group(self, sa: IkeSa, error: Notify, now: float) -> None:
        assert self.offer is not None, "a response follows a request"
        tried = None if self.offer.exchange is None else self.offer.exchange.group
        group = wanted_group(error, self.offer.proposals, tried)
        self._tries += 1
        if group is None or self._tries > len(self.offer.proposals) + 2:
            detail = f"the peer wants group {error.data.hex()}, tried was {tried}"
            self._fail(sa, Cause.PFS_MISMATCH, detail, now)
        elif self.rival is not None or self.child.state is ChildState.DELETED:
            self._keep(now, now)  # the peer's successor is the only one there is
        else:
            self._group = group
            sa.enqueue(self, first=True)

    def _explain(self, sa: IkeSa, error: Notify, now: float) -> None:
        assert self.offer is not None, "a response follows a request"
        cause = cause_of(error)
        detail = f"the peer answered {error.name}; offered was {text_of(self.offer.proposals)}"
        if cause is Cause.NO_PROPOSAL_CHOSEN and self.child.ke is None:
            # The same transforms were agreed on in IKE_AUTH, where no key exchange is negotiated.
            cause = Cause.PFS_MISMATCH
        self._fail(sa, cause, detail, now)

    def _keep(self, now: float, retry_at: float) -> None:
        """It did not work: the child lives on, or the peer's successor does."""
        self.child.soft_at = retry_at
        self.child.apply(ChildInput.REKEY_FAILED)
        if self.child.state is ChildState.REKEYED:
            self.child.abandon_at = now + ABANDON_SECONDS

    def _fail(self, sa: IkeSa, cause: Cause, detail: str, now: float) -> None:
        self._keep(now, later(sa, now, RETRY_SECONDS))
        sa.host.emit(
            ChildSaFailed(
                peer=sa.peer.name,
                child=self.child.policy.name,
                rekeyed=self.child.spi_in,
                cause=cause,
                detail=detail,
            )
        )


class AnswerRekeyChild(Answer):
    """The peer replaces a child."""

    def __init__(self) -> None:
        self._payloads: tuple[Payload, ...] = ()

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Agree on the successor and install it, beside the old one, or refuse."""
        settle_predecessor(sa)
        rekey = message.notify(NotifyType.REKEY_SA)
        assert rekey is not None, "the dispatcher saw it"
        old = sa.children.by_outbound(rekey.spi)
        if old is None and sa.active is not None and sa.active.is_about_children:
            # It may be the very child that our open request makes, whose answer is late: the peer is to ask again then.
            self._payloads = (Notify(notify_type=NotifyType.TEMPORARY_FAILURE),)
            return
        if old is None:  # RFC 7296 2.25
            self._payloads = (
                Notify(notify_type=NotifyType.CHILD_SA_NOT_FOUND, protocol=rekey.protocol, spi=rekey.spi),
            )
            return
        if old.verdict(ChildInput.PEER_REKEY) is not Verdict.DO:
            self._payloads = (Notify(notify_type=NotifyType.TEMPORARY_FAILURE),)
            return
        fresh = Freshness(ni=message.one(NoncePayload).nonce, nr=sa.host.random(NONCE_OCTETS))
        try:
            new, self._payloads = answer(sa, (old.policy,), message, fresh, in_auth=False, now=now)
        except Refusal as refusal:
            self._refuse(sa, old, refusal)
        else:
            self._install(sa, old, new, now)

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """SA, Nr, [KEr], TSi, TSr, or the refusal."""
        return self._payloads

    def _install(self, sa: IkeSa, old: ChildSa, new: ChildSa, now: float) -> None:
        # The peer may not have its half yet: the old one goes on sending until the peer uses the new one, or closes
        # the old one (RFC 7296 2.8).
        new.succeed(old)
        sa.children.install(new, old)
        old.apply(ChildInput.PEER_REKEY)
        old.successor = new
        if old.state is ChildState.COLLIDED:
            task = sa.active
            assert isinstance(task, RekeyChild), "a child that is being rekeyed has its task open"
            task.rival = new
        else:
            old.abandon_at = now + ABANDON_SECONDS

    def _refuse(self, sa: IkeSa, old: ChildSa, refusal: Refusal) -> None:
        self._payloads = (refusal.notify,)
        if refusal.notify.notify_type != NotifyType.INVALID_KE_PAYLOAD:
            sa.host.emit(
                ChildSaFailed(
                    peer=sa.peer.name,
                    child=old.policy.name,
                    rekeyed=old.spi_in,
                    cause=refusal.cause,
                    detail=refusal.detail,
                )
            )
