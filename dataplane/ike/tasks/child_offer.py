"""Negotiating a child: the offer and its settlement on one side, the answer on the other (RFC 7296 1.2, 1.3, 2.9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dataplane.crypto.keyexchange import KeyExchange, generate
from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause
from dataplane.ike.keymat import Freshness, child_keys
from dataplane.ike.message import Message
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.payloads.traffic_selectors import TrafficSelectorsInitiator, TrafficSelectorsResponder
from dataplane.ike.policy import ChildPolicy
from dataplane.ike.tasks.negotiation import (
    NONCE_OCTETS,
    agree,
    answer_exchange,
    check_group,
    chosen_of,
    first_group,
    group_of,
    numbered,
    shared_secret,
    text_of,
)
from dataplane.ike.tasks.task import Refusal
from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.selectors import TrafficSelector, covers, narrow
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import TransformType

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

Selectors = tuple[TrafficSelector, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOffer:
    """What this side offered for a child. Without a nonce, it is part of IKE_AUTH: no KE, and the nonces of before."""

    policy: ChildPolicy
    proposals: tuple[Proposal, ...]
    spi_in: bytes
    local: Selectors
    remote: Selectors
    nonce: bytes
    exchange: KeyExchange | None

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """SA, [Ni], [KEi], TSi, TSr."""
        nonce = (NoncePayload(nonce=self.nonce),) if self.nonce else ()
        ke = (
            ()
            if self.exchange is None
            else (KeyExchangePayload(group=self.exchange.group, public=self.exchange.public),)
        )
        return (
            SecurityAssociation(proposals=self.proposals),
            *nonce,
            *ke,
            TrafficSelectorsInitiator(selectors=self.local),
            TrafficSelectorsResponder(selectors=self.remote),
        )

    def text(self, cause: Cause) -> str:
        """What of it the peer did not take, for people to read."""
        if cause is Cause.TS_UNACCEPTABLE:
            return f"{_text(self.local)} to {_text(self.remote)}"
        return text_of(self.proposals)


def offer_in_auth(sa: IkeSa, policy: ChildPolicy) -> ChildOffer:
    """An offer within IKE_AUTH: without KE (RFC 7296 1.2)."""
    spi_in = sa.host.new_child_spi()
    plain = tuple(proposal.without(TransformType.KE) for proposal in policy.proposals)
    return ChildOffer(
        policy=policy,
        proposals=numbered(plain, spi_in),
        spi_in=spi_in,
        local=policy.local,
        remote=policy.remote,
        nonce=b"",
        exchange=None,
    )


def offer(sa: IkeSa, policy: ChildPolicy, group: int | None, replaced: ChildSa | None) -> ChildOffer:
    """An offer in CREATE_CHILD_SA; without `group`, with the policy's first. A rekey keeps its selectors (2.9.2)."""
    spi_in = sa.host.new_child_spi()
    proposals = numbered(policy.proposals, spi_in)
    chosen_group = first_group(proposals) if group is None else group
    return ChildOffer(
        policy=policy,
        proposals=proposals,
        spi_in=spi_in,
        local=policy.local if replaced is None else replaced.local_selectors,
        remote=policy.remote if replaced is None else replaced.remote_selectors,
        nonce=sa.host.random(NONCE_OCTETS),
        exchange=None if chosen_group is None else generate(chosen_group, sa.host.random),
    )


def settle(sa: IkeSa, mine: ChildOffer, message: Message, fresh: Freshness, now: float) -> ChildSa:
    """The child of an offer that the peer answered with SA and selectors.

    Raises:
        Refusal: the answer is none to this offer.
    """
    chosen = chosen_of(message, mine.proposals)
    tsi = message.first(TrafficSelectorsInitiator)
    tsr = message.first(TrafficSelectorsResponder)
    if tsi is None or tsr is None or not tsi.selectors or not tsr.selectors:
        raise _refusal(NotifyType.TS_UNACCEPTABLE, Cause.TS_UNACCEPTABLE, "the peer answered without selectors")
    if not covers(mine.local, tsi.selectors) or not covers(mine.remote, tsr.selectors):  # RFC 7296 2.9
        raise _refusal(NotifyType.TS_UNACCEPTABLE, Cause.TS_UNACCEPTABLE, "the peer chose selectors we did not offer")
    if int.from_bytes(chosen.spi, "big") < 256:  # RFC 4303 2.1
        raise _refusal(NotifyType.INVALID_SYNTAX, Cause.INVALID_SYNTAX, "the peer chose a reserved SPI")
    shared = b""
    if group_of(chosen) is not None:
        payload = check_group(chosen, message)
        assert payload is not None, "the check gives a payload for a group"
        if mine.exchange is None or mine.exchange.group != payload.group:
            raise _refusal(NotifyType.INVALID_SYNTAX, Cause.INVALID_SYNTAX, "the peer answered with another group")
        shared = shared_secret(mine.exchange, payload.public)
    pair = _Pair(spi_in=mine.spi_in, spi_out=chosen.spi, local=tsi.selectors, remote=tsr.selectors, is_initiator=True)
    return _make(sa, mine.policy, chosen, pair, fresh, shared, now)


def answer(
    sa: IkeSa, policies: tuple[ChildPolicy, ...], message: Message, fresh: Freshness, *, in_auth: bool, now: float
) -> tuple[ChildSa, tuple[Payload, ...]]:
    """The child that the peer asked for, and SA, [Nr], [KEr], TSi, TSr to tell it so.

    Raises:
        Refusal: selectors, proposals or groups do not meet.
    """
    policy, local, remote = _choose_policy(policies, message)
    acceptable = policy.acceptable
    if in_auth:
        acceptable = tuple(proposal.without(TransformType.KE) for proposal in acceptable)
    chosen = agree(message.one(SecurityAssociation).proposals, acceptable)
    if int.from_bytes(chosen.spi, "big") < 256:  # RFC 4303 2.1
        raise _refusal(NotifyType.INVALID_SYNTAX, Cause.INVALID_SYNTAX, "the peer offered a reserved SPI")
    shared, ke = answer_exchange(None if in_auth else check_group(chosen, message), sa.host.random)
    spi_in = sa.host.new_child_spi()
    pair = _Pair(spi_in=spi_in, spi_out=chosen.spi, local=local, remote=remote, is_initiator=False)
    child = _make(sa, policy, chosen, pair, fresh, shared, now)
    payloads: tuple[Payload, ...] = (
        SecurityAssociation(proposals=(replace(chosen, spi=spi_in),)),
        *(() if in_auth else (NoncePayload(nonce=fresh.nr),)),
        *ke,
        TrafficSelectorsInitiator(selectors=remote),
        TrafficSelectorsResponder(selectors=local),
    )
    return child, payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    spi_in: bytes
    spi_out: bytes
    local: Selectors
    remote: Selectors
    is_initiator: bool


def _choose_policy(policies: tuple[ChildPolicy, ...], message: Message) -> tuple[ChildPolicy, Selectors, Selectors]:
    """The policy whose selectors fit best: all that was proposed, or else the first that takes part of it."""
    tsi = message.first(TrafficSelectorsInitiator)
    tsr = message.first(TrafficSelectorsResponder)
    if tsi is None or tsr is None:
        raise _refusal(NotifyType.INVALID_SYNTAX, Cause.INVALID_SYNTAX, "a child was asked for without selectors")
    partial = None
    for policy in policies:
        local, remote = narrow(tsr.selectors, policy.local), narrow(tsi.selectors, policy.remote)
        if local and remote:
            if covers(local, tsr.selectors) and covers(remote, tsi.selectors):
                return policy, local, remote
            partial = partial or (policy, local, remote)
    if partial is None:
        asked = f"{_text(tsi.selectors)} to {_text(tsr.selectors)}"
        allowed = ", ".join(f"{_text(policy.remote)} to {_text(policy.local)}" for policy in policies) or "nothing"
        raise _refusal(
            NotifyType.TS_UNACCEPTABLE, Cause.TS_UNACCEPTABLE, f"the peer asked for {asked}; allowed is {allowed}"
        )
    return partial


def _make(
    sa: IkeSa, policy: ChildPolicy, chosen: Proposal, pair: _Pair, fresh: Freshness, shared: bytes, now: float
) -> ChildSa:
    assert sa.suite is not None, "children are negotiated under keys"
    assert sa.keys is not None, "children are negotiated under keys"
    suite = EspSuite.of(chosen)
    from_initiator, from_responder = child_keys(sa.suite.make_prf(), sa.keys.d, suite, fresh, shared)
    limits = policy.lifetime.draw(sa.host.random)
    return ChildSa(
        policy=policy,
        proposal=chosen,
        spi_in=pair.spi_in,
        spi_out=pair.spi_out,
        suite=suite,
        keys_in=from_responder if pair.is_initiator else from_initiator,
        keys_out=from_initiator if pair.is_initiator else from_responder,
        local_selectors=pair.local,
        remote_selectors=pair.remote,
        is_initiator=pair.is_initiator,
        lowest_nonce=min(fresh.ni, fresh.nr),
        rank=min(fresh.ni, fresh.nr),
        is_ours=pair.is_initiator,
        limits=limits,
        soft_at=now + limits.soft_seconds,
        hard_at=now + limits.hard_seconds,
    )


def _text(selectors: Selectors) -> str:
    return "+".join(map(str, selectors))


def _refusal(notify_type: NotifyType, cause: Cause, detail: str) -> Refusal:
    return Refusal(Notify(notify_type=notify_type), cause, detail)
