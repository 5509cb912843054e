"""IKE_SA_INIT requests of strangers: what is answered without keeping anything, and who is let in (RFC 7296 2.6).

A flood of requests from addresses that are not the sender's costs a hash each, and no memory: above a number of IKE SAs
that are half open, only those get in that bring back a cookie; above another number, nobody does for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

from dataplane.errors import WireError
from dataplane.ike.cookies import CookieJar
from dataplane.ike.events import Cause
from dataplane.ike.handshake import Handshake
from dataplane.ike.host import Host
from dataplane.ike.machine import IkeInput
from dataplane.ike.message import Message, links_of
from dataplane.ike.nat import Endpoint, nat_notifies
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import Payload, PayloadType
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import Peer
from dataplane.ike.rules import Direction, check
from dataplane.ike.sa import IkeSa
from dataplane.ike.suite import IkeSuite
from dataplane.ike.tasks.ike_sa_init import abilities, learn_abilities, take_first_keys
from dataplane.ike.tasks.negotiation import NONCE_OCTETS, agree, answer_exchange, check_group
from dataplane.ike.tasks.task import Refusal
from dataplane.ipsec.proposals import Proposal
from dataplane.wire.ike_header import NO_SPI, IkeHeader

_PRETENDED_OCTETS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How many IKE SAs may be half open: before cookies are asked for, and at all; and for how many seconds."""

    cookies: int = 16
    most: int = 256
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A request that was not let in.

    `answer` is what to send back, if anything; `reason` is what to count it under. If it was refused as one of a peer
    that is known here, `peer` is set, and `cause` and `detail` say what the two policies disagree about.
    """

    reason: str
    answer: bytes = b""
    peer: str = ""
    cause: Cause = Cause.REFUSED
    detail: str = ""


@final
class FrontDoor:
    """Where IKE SAs begin that others want."""

    def __init__(self, host: Host, thresholds: Thresholds) -> None:
        self._host = host
        self._jar = CookieJar(host.random)
        self.thresholds = thresholds

    def knock(
        self, octets: bytes, source: Endpoint, destination: Endpoint, half_open: int, now: float
    ) -> IkeSa | Turned:
        """A new IKE SA, half open, whose handshake holds the answer to send; or what to tell the stranger.

        `half_open` is how many such IKE SAs there are.
        """
        message = _read(octets)
        if isinstance(message, Turned):
            return message
        nonce = message.one(NoncePayload).nonce
        if half_open >= self.thresholds.cookies and not self._brings_cookie(message, nonce, source, now):
            cookie = Notify(notify_type=NotifyType.COOKIE, data=self._jar.cookie(nonce, source, message.spi_i, now))
            return Turned(reason="asked for a cookie", answer=_response(message, cookie))
        if half_open >= self.thresholds.most:
            return Turned(reason="too many IKE SAs are half open")
        peers = self._host.peers(destination, source)
        if not peers:
            refusal = Notify(notify_type=NotifyType.NO_PROPOSAL_CHOSEN)
            return Turned(reason="nobody is expected there", answer=_response(message, refusal))
        try:
            peer, chosen = _choose(peers, message)
            return self._admit(peer, chosen, message, source, destination, now)
        except Refusal as refused:
            return _refused(message, peers[0], refused)

    def _brings_cookie(self, message: Message, nonce: bytes, source: Endpoint, now: float) -> bool:
        cookie = message.notify(NotifyType.COOKIE)
        return cookie is not None and self._jar.accepts(cookie.data, nonce, source, message.spi_i, now)

    def _admit(
        self, peer: Peer, chosen: Proposal, message: Message, source: Endpoint, destination: Endpoint, now: float
    ) -> IkeSa:
        payload = check_group(chosen, message)
        shared, ke = answer_exchange(payload, self._host.random)
        sa = IkeSa(
            self._host,
            peer,
            is_initiator=False,
            spi_i=message.spi_i,
            spi_r=self._host.new_ike_spi(),
            local=destination,
            remote=source,
            now=now,
        )
        sa.remote_id = None
        sa.apply(IkeInput.PEER_INIT)
        sa.give_up_at = now + self.thresholds.seconds
        sa.hint = (Cause.PEER_DEAD, f"{source} did not go on after IKE_SA_INIT")
        learn_abilities(sa, message, source, destination)
        nonce = self._host.random(NONCE_OCTETS)
        answer = self._answer(sa, chosen, ke, nonce)
        (response,) = sa.channel.respond(message, answer)
        handshake = Handshake(
            ni=message.one(NoncePayload).nonce,
            nr=nonce,
            request=message.raw,
            response=response,
            use_ppk=peer.ppk is not None and message.notify(NotifyType.USE_PPK) is not None,
            childless=True,
        )
        take_first_keys(sa, IkeSuite.of(chosen), handshake, shared)
        return sa

    def _answer(
        self, sa: IkeSa, chosen: Proposal, ke: tuple[KeyExchangePayload, ...], nonce: bytes
    ) -> tuple[Payload, ...]:
        pretend = self._host.random(_PRETENDED_OCTETS) if sa.peer.encapsulate else b""
        return (
            SecurityAssociation(proposals=(chosen,)),
            *ke,
            NoncePayload(nonce=nonce),
            *nat_notifies(sa.channel.spi_i, sa.channel.spi_r, sa.local, sa.remote, pretend=pretend),
            *abilities(sa, answers=True),
        )


def _choose(peers: tuple[Peer, ...], message: Message) -> tuple[Peer, Proposal]:
    """The first peer whose policy meets the offer; the reason of the first is given if none does."""
    offered = message.one(SecurityAssociation).proposals
    problem: Refusal | None = None
    for peer in peers:
        try:
            return peer, agree(offered, peer.ike.proposals)
        except Refusal as refusal:
            problem = problem or refusal
    assert problem is not None, "there is at least one peer"
    raise problem


def _read(octets: bytes) -> Message | Turned:
    header = IkeHeader.parse(octets)
    try:
        links = links_of(header, octets)
        message = Message.of(header, parse_payloads(links), octets)
    except WireError:
        return Turned(reason="malformed")
    sealed = bool(links) and links[-1].payload_type in (PayloadType.SK, PayloadType.SKF)
    violation = check(header.exchange_type, Direction.REQUEST, message.payloads, () if sealed else None)
    if violation is not None:
        return Turned(reason="malformed", answer=_response(message, violation.notify))
    return message


def _response(message: Message, notify: Notify) -> bytes:
    return replace(message, is_initiator=False, is_response=True, spi_r=NO_SPI, payloads=(notify,), raw=b"").emit()


def _refused(message: Message, peer: Peer, refusal: Refusal) -> Turned:
    answer = _response(message, refusal.notify)
    if refusal.notify.notify_type == NotifyType.INVALID_KE_PAYLOAD:  # an ordinary second try will follow
        return Turned(reason="asked for another group", answer=answer)
    return Turned(reason=refusal.cause.value, answer=answer, peer=peer.name, cause=refusal.cause, detail=refusal.detail)
