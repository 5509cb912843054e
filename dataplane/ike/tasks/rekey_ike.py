"""CREATE_CHILD_SA that replaces the IKE SA, and what happens when both sides do it at once (RFC 7296 1.3.2, 2.18)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from dataplane.crypto.keyexchange import KeyExchange, generate
from dataplane.ike.events import Cause, IkeRekeyFailed
from dataplane.ike.keymat import Freshness, ike_keys, rekeyed_skeyseed
from dataplane.ike.machine import IkeInput, IkeState, Verdict
from dataplane.ike.message import Message
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.rules import ExchangeType
from dataplane.ike.suite import IkeSuite
from dataplane.ike.tasks.informational import DeleteIke
from dataplane.ike.tasks.negotiation import (
    NONCE_OCTETS,
    agree,
    answer_exchange,
    cause_of,
    check_group,
    chosen_of,
    first_group,
    numbered,
    shared_secret,
    text_of,
    wanted_group,
)
from dataplane.ike.tasks.rekey_child import BUSY_SECONDS, RETRY_SECONDS, later
from dataplane.ike.tasks.task import Answer, Refusal, Task
from dataplane.ike.uniqueness import ABANDON_SECONDS
from dataplane.ipsec.proposals import Proposal

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


class RekeyIke(Task):
    """Replace the IKE SA. `rival` is the successor that the peer's request made, if that came meanwhile."""

    exchange: ClassVar[ExchangeType] = ExchangeType.CREATE_CHILD_SA
    moves_to_successor: ClassVar[bool] = False

    def __init__(self) -> None:
        self.rival: IkeSa | None = None
        self._group: int | None = None
        self._offered: tuple[Proposal, ...] = ()
        self._nonce = b""
        self._spi = b""
        self._exchange: KeyExchange | None = None
        self._tries = 0

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """SA with our new SPI, Ni, KEi; nothing if it was replaced or closed already."""
        if sa.apply(IkeInput.REKEY) is Verdict.SKIP:
            return None
        self._spi = sa.host.new_ike_spi()
        self._offered = numbered(sa.peer.ike.proposals, self._spi)
        group = self._group or first_group(self._offered)
        assert group is not None, "a policy for IKE has groups"
        self._nonce = sa.host.random(NONCE_OCTETS)
        self._exchange = generate(group, sa.host.random)
        return (
            SecurityAssociation(proposals=self._offered),
            NoncePayload(nonce=self._nonce),
            KeyExchangePayload(group=group, public=self._exchange.public),
        )

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Take in the successor and settle who replaces whom, or keep the IKE SA."""
        error = message.error
        if error is None:
            try:
                new = self._make(sa, message, now)
            except Refusal as refusal:
                self._fail(sa, refusal.cause, refusal.detail, now)
            else:
                self._succeed(sa, new, now)
        elif error.notify_type == NotifyType.INVALID_KE_PAYLOAD:
            self._try_group(sa, error, now)
        elif error.notify_type == NotifyType.TEMPORARY_FAILURE:
            self._keep(sa, now, later(sa, now, BUSY_SECONDS))
        else:
            detail = f"the peer answered {error.name}; offered was {text_of(self._offered)}"
            self._fail(sa, cause_of(error), detail, now)

    def abandon(self, sa: IkeSa, cause: Cause, detail: str) -> None:
        """The IKE SA ended first; if the peer made a successor, that lives."""
        if self.rival is not None and self.rival.state is not IkeState.DELETED:
            sa.hand_over(self.rival)

    def _make(self, sa: IkeSa, message: Message, now: float) -> IkeSa:
        chosen = chosen_of(message, self._offered)
        if len(chosen.spi) != 8 or chosen.spi == bytes(8):
            raise _syntax("the peer answered the rekey of the IKE SA without an SPI")
        payload = check_group(chosen, message)
        assert self._exchange is not None, "a response follows a request"
        if payload is None or payload.group != self._exchange.group:
            raise _syntax("the peer answered with another group")
        shared = shared_secret(self._exchange, payload.public)
        fresh = Freshness(ni=self._nonce, nr=message.one(NoncePayload).nonce, spi_i=self._spi, spi_r=chosen.spi)
        return make_successor(sa, chosen, fresh, shared, is_initiator=True, now=now)

    def _succeed(self, sa: IkeSa, new: IkeSa, now: float) -> None:
        rival = self.rival
        if rival is not None and new.lowest_nonce < rival.lowest_nonce:  # RFC 7296 2.8.2: ours goes
            sa.apply(IkeInput.REKEY_LOST)
            sa.abandon_at = now + ABANDON_SECONDS
            sa.hand_over(rival)
            new.enqueue(DeleteIke(Cause.REDUNDANT), first=True)
            new.run(now)
            return
        sa.apply(IkeInput.REKEY_WON)
        if rival is not None:
            rival.abandon_at = now + ABANDON_SECONDS
        sa.hand_over(new)
        sa.enqueue(DeleteIke(Cause.REKEYED), first=True)
        new.run(now)

    def _try_group(self, sa: IkeSa, error: Notify, now: float) -> None:
        assert self._exchange is not None, "a response follows a request"
        tried = self._exchange.group
        group = wanted_group(error, self._offered, tried)
        self._tries += 1
        if group is None or self._tries > len(self._offered) + 2:
            detail = f"the peer wants group {error.data.hex()}, tried was {tried}"
            self._fail(sa, Cause.NO_PROPOSAL_CHOSEN, detail, now)
        elif self.rival is not None:
            self._keep(sa, now, now)  # the peer's successor is the only one there is
        else:
            self._group = group
            sa.enqueue(self, first=True)

    def _keep(self, sa: IkeSa, now: float, retry_at: float) -> None:
        """It did not work: the IKE SA lives on, or the peer's successor does."""
        sa.apply(IkeInput.REKEY_FAILED)
        sa.rekey_at = retry_at
        if self.rival is not None and sa.state is IkeState.REKEYED:
            sa.abandon_at = now + ABANDON_SECONDS
            sa.hand_over(self.rival)
            self.rival.run(now)

    def _fail(self, sa: IkeSa, cause: Cause, detail: str, now: float) -> None:
        self._keep(sa, now, later(sa, now, RETRY_SECONDS))
        sa.host.emit(IkeRekeyFailed(peer=sa.peer.name, ike=sa.id, cause=cause, detail=detail))


class AnswerRekeyIke(Answer):
    """The peer replaces the IKE SA."""

    def __init__(self) -> None:
        self._payloads: tuple[Payload, ...] = ()

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Make the successor, or refuse."""
        try:
            self._agree(sa, message, now)
        except Refusal as refusal:
            self._payloads = (refusal.notify,)
            if refusal.notify.notify_type != NotifyType.INVALID_KE_PAYLOAD:
                sa.host.emit(IkeRekeyFailed(peer=sa.peer.name, ike=sa.id, cause=refusal.cause, detail=refusal.detail))

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """SA with our new SPI, Nr, KEr, or the refusal."""
        return self._payloads

    def _agree(self, sa: IkeSa, message: Message, now: float) -> None:
        chosen = agree(message.one(SecurityAssociation).proposals, sa.peer.ike.proposals)
        if len(chosen.spi) != 8 or chosen.spi == bytes(8):
            raise _syntax("the peer asked for the rekey of the IKE SA without an SPI")
        shared, ke = answer_exchange(check_group(chosen, message), sa.host.random)
        spi = sa.host.new_ike_spi()
        nonce = sa.host.random(NONCE_OCTETS)
        fresh = Freshness(ni=message.one(NoncePayload).nonce, nr=nonce, spi_i=chosen.spi, spi_r=spi)
        new = make_successor(sa, chosen, fresh, shared, is_initiator=False, now=now)
        self._payloads = (SecurityAssociation(proposals=(replace(chosen, spi=spi),)), NoncePayload(nonce=nonce), *ke)
        sa.apply(IkeInput.PEER_REKEY)
        sa.successor = new
        if sa.state is IkeState.COLLIDED:
            task = sa.active
            assert isinstance(task, RekeyIke), "an IKE SA that is being rekeyed has its task open"
            task.rival = new
        else:
            sa.abandon_at = now + ABANDON_SECONDS
            sa.hand_over(new)


def make_successor(
    sa: IkeSa, chosen: Proposal, fresh: Freshness, shared: bytes, *, is_initiator: bool, now: float
) -> IkeSa:
    """The IKE SA that a rekey agreed on, with its keys (RFC 7296 2.18); children it has none yet."""
    assert sa.suite is not None, "an IKE SA is rekeyed under keys"
    assert sa.keys is not None, "an IKE SA is rekeyed under keys"
    suite = IkeSuite.of(chosen)
    seed = rekeyed_skeyseed(sa.suite.make_prf(), sa.keys.d, fresh, shared)
    new = sa.make_successor(is_initiator=is_initiator, spi_i=fresh.spi_i, spi_r=fresh.spi_r, now=now)
    new.lowest_nonce = min(fresh.ni, fresh.nr)
    new.take_keys(suite, ike_keys(suite, seed, fresh))
    new.announce_keys()
    sa.host.adopt(new)
    new.establish(sa.peer.ike.lifetime.draw(sa.host.random), now)
    return new


def _syntax(detail: str) -> Refusal:
    return Refusal(Notify(notify_type=NotifyType.INVALID_SYNTAX), Cause.INVALID_SYNTAX, detail)
