"""IKE_SA_INIT, the initiator's side: keys with somebody, of whom nothing is known yet (RFC 7296 1.2, 2.6, 2.23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from dataplane.crypto.keyexchange import KeyExchange, generate
from dataplane.ike.events import Cause, PeerHint
from dataplane.ike.handshake import Handshake
from dataplane.ike.keymat import Freshness, ike_keys, skeyseed
from dataplane.ike.machine import IkeInput
from dataplane.ike.message import Message
from dataplane.ike.nat import Endpoint, NatDetection, detect, nat_notifies
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import Childless
from dataplane.ike.rules import ExchangeType
from dataplane.ike.suite import IkeSuite
from dataplane.ike.tasks.ike_auth import IkeAuth
from dataplane.ike.tasks.negotiation import (
    NONCE_OCTETS,
    cause_of,
    check_group,
    chosen_of,
    first_group,
    numbered,
    shared_secret,
    text_of,
    wanted_group,
)
from dataplane.ike.tasks.task import Outcome, Refusal, Task
from dataplane.ipsec.proposals import Proposal
from dataplane.wire.ike_header import NO_SPI
from dataplane.wire.udp import NATT_PORT, NON_ESP_MARKER

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

MOST_RETRIES: Final = 8
HINT_SECONDS: Final = 5.0
_PRETENDED_OCTETS: Final = 20


class IkeSaInit(Task):
    """Propose, exchange public values and nonces; bring a cookie or another group if the responder asks for it."""

    exchange: ClassVar[ExchangeType] = ExchangeType.IKE_SA_INIT
    moves_to_successor: ClassVar[bool] = False

    def __init__(self) -> None:
        self._offered: tuple[Proposal, ...] = ()
        self._nonce = b""
        self._cookie = b""
        self._exchange: KeyExchange | None = None
        self._pretend = b""
        self._retries = 0

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """[N(COOKIE)], SA, KEi, Ni, and what this side can do. Tried again, SPI and nonce are the same (2.6)."""
        sa.apply(IkeInput.INITIATE)
        if self._exchange is None:
            self._offered = numbered(sa.peer.ike.proposals)
            group = first_group(self._offered)
            assert group is not None, "a policy for IKE has groups"
            self._nonce = sa.host.random(NONCE_OCTETS)
            self._exchange = generate(group, sa.host.random)
            self._pretend = sa.host.random(_PRETENDED_OCTETS) if sa.peer.encapsulate else b""
        cookie = (Notify(notify_type=NotifyType.COOKIE, data=self._cookie),) if self._cookie else ()
        return (
            *cookie,
            SecurityAssociation(proposals=self._offered),
            KeyExchangePayload(group=self._exchange.group, public=self._exchange.public),
            NoncePayload(nonce=self._nonce),
            *nat_notifies(sa.channel.spi_i, NO_SPI, sa.local, sa.remote, pretend=self._pretend),
            *abilities(sa, answers=False),
        )

    def process(self, sa: IkeSa, message: Message, now: float) -> Outcome:
        """Take the keys and go on to IKE_AUTH, try again, or take a refusal for what it is: a hint."""
        if message.first(SecurityAssociation) is None:
            return self._try_again(sa, message, now)
        try:
            self._agree(sa, message)
        except Refusal as refusal:
            return self._hint(sa, refusal.cause, refusal.detail, now)
        return Outcome.DONE

    def _agree(self, sa: IkeSa, message: Message) -> None:
        chosen = chosen_of(message, self._offered)
        payload = check_group(chosen, message)
        if payload is None or self._exchange is None or payload.group != self._exchange.group:
            detail = "the answer's group is not the one of our public value"
            raise Refusal(Notify(notify_type=NotifyType.INVALID_SYNTAX), Cause.INVALID_SYNTAX, detail)
        if message.spi_r == NO_SPI:
            detail = "the answer bears no SPI"
            raise Refusal(Notify(notify_type=NotifyType.INVALID_SYNTAX), Cause.INVALID_SYNTAX, detail)
        shared = shared_secret(self._exchange, payload.public)
        request = sa.channel.window.outstanding
        assert request is not None, "a response follows a request"
        sa.channel.spi_r = message.spi_r
        handshake = Handshake(
            ni=self._nonce,
            nr=message.one(NoncePayload).nonce,
            request=request.datagrams[0],
            response=message.raw,
            use_ppk=sa.peer.ppk is not None and message.notify(NotifyType.USE_PPK) is not None,
            childless=message.notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None,
        )
        learn_abilities(sa, message, sa.remote, sa.local)
        take_first_keys(sa, IkeSuite.of(chosen), handshake, shared)
        if sa.nat:  # RFC 7296 2.23: from IKE_AUTH on, everything goes by port 4500
            sa.local = Endpoint(sa.local.address, NATT_PORT)
            sa.remote = Endpoint(sa.remote.address, NATT_PORT)
        sa.enqueue(IkeAuth(handshake), first=True)
        sa.apply(IkeInput.INIT_ANSWERED)

    def _try_again(self, sa: IkeSa, message: Message, now: float) -> Outcome:
        cookie = message.notify(NotifyType.COOKIE)
        wanted = message.notify(NotifyType.INVALID_KE_PAYLOAD)
        self._retries += 1
        if cookie is not None and self._retries <= MOST_RETRIES:
            self._cookie = cookie.data
        elif wanted is not None and self._retries <= MOST_RETRIES:
            tried = None if self._exchange is None else self._exchange.group
            group = wanted_group(wanted, self._offered, tried)
            if group is None:
                detail = f"the peer wants group {wanted.data.hex()}; tried was {tried}"
                return self._hint(sa, Cause.NO_PROPOSAL_CHOSEN, detail, now)
            self._exchange = generate(group, sa.host.random)
        else:
            error = message.error
            if error is None:
                return Outcome.IGNORED
            detail = f"the peer answered {error.name}; offered was {text_of(self._offered)}"
            return self._hint(sa, cause_of(error), detail, now)
        sa.enqueue(self, first=True)
        return Outcome.AGAIN

    def _hint(self, sa: IkeSa, cause: Cause, detail: str, now: float) -> Outcome:
        """A refusal that anybody could have sent: wait a little for a better answer (RFC 7296 2.21.1)."""
        if sa.hint is None:
            sa.hint = (cause, detail)
            sa.give_up_at = now + HINT_SECONDS
            sa.host.emit(PeerHint(peer=sa.peer.name, cause=cause, detail=detail))
        return Outcome.IGNORED


def abilities(sa: IkeSa, *, answers: bool) -> tuple[Notify, ...]:
    """What this side can do, told in IKE_SA_INIT."""
    found = []
    if sa.peer.fragment_octets is not None:  # RFC 7383 2.3
        found.append(Notify(notify_type=NotifyType.IKEV2_FRAGMENTATION_SUPPORTED))
    if sa.peer.ppk is not None:  # RFC 8784 3
        found.append(Notify(notify_type=NotifyType.USE_PPK))
    if answers and sa.peer.childless is not Childless.NEVER:  # RFC 6023 3
        found.append(Notify(notify_type=NotifyType.CHILDLESS_IKEV2_SUPPORTED))
    return tuple(found)


def learn_abilities(sa: IkeSa, message: Message, source: Endpoint, destination: Endpoint) -> None:
    """What the peer can do, and whether there is a NAT on the way."""
    if sa.peer.fragment_octets is not None and message.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None:
        sa.channel.fragment_octets = sa.peer.fragment_octets - len(NON_ESP_MARKER)
    found = detect(message.all(Notify), message.spi_i, message.spi_r, source=source, destination=destination)
    if found is not None:
        sa.nat = NatDetection(local=found.local or sa.peer.encapsulate, remote=found.remote)


def take_first_keys(sa: IkeSa, suite: IkeSuite, handshake: Handshake, shared: bytes) -> None:
    """Derive the keys of a first IKE SA. With a PPK they are not final yet."""
    fresh = Freshness(ni=handshake.ni, nr=handshake.nr, spi_i=sa.channel.spi_i, spi_r=sa.channel.spi_r)
    sa.handshake = handshake
    sa.lowest_nonce = sa.rank = min(handshake.ni, handshake.nr)
    sa.take_keys(suite, ike_keys(suite, skeyseed(suite.make_prf(), fresh, shared), fresh))
