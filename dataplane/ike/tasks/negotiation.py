"""What both ends of an exchange agree on: proposals, groups, public values. Disagreement is a Refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from dataplane.crypto.keyexchange import KeyExchange, generate
from dataplane.errors import WireError
from dataplane.ike.events import Cause
from dataplane.ike.message import Message
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.tasks.task import Refusal
from dataplane.ipsec.proposals import Proposal, choose, is_choice
from dataplane.ipsec.transforms import TransformType

NONCE_OCTETS = 32  # at least 16, and half the key of the longest PRF (RFC 7296 2.10)

_CAUSES = {
    NotifyType.INVALID_SYNTAX: Cause.INVALID_SYNTAX,
    NotifyType.NO_PROPOSAL_CHOSEN: Cause.NO_PROPOSAL_CHOSEN,
    NotifyType.AUTHENTICATION_FAILED: Cause.AUTHENTICATION_FAILED,
    NotifyType.SINGLE_PAIR_REQUIRED: Cause.TS_UNACCEPTABLE,
    NotifyType.NO_ADDITIONAL_SAS: Cause.NO_ADDITIONAL_SAS,
    NotifyType.TS_UNACCEPTABLE: Cause.TS_UNACCEPTABLE,
    NotifyType.TEMPORARY_FAILURE: Cause.TEMPORARY_FAILURE,
    NotifyType.CHILD_SA_NOT_FOUND: Cause.CHILD_SA_NOT_FOUND,
}


def cause_of(error: Notify) -> Cause:
    """What the peer's refusal means to people."""
    known = error.notify_type in set(NotifyType)
    return _CAUSES.get(NotifyType(error.notify_type), Cause.REFUSED) if known else Cause.REFUSED


def text_of(proposals: Iterable[Proposal]) -> str:
    """Proposals for people to read."""
    return " or ".join(str(proposal) for proposal in proposals)


def numbered(proposals: Iterable[Proposal], spi: bytes = b"") -> tuple[Proposal, ...]:
    """Proposals as they are offered: counted from 1, with our SPI."""
    return tuple(replace(proposal, number=number, spi=spi) for number, proposal in enumerate(proposals, 1))


def first_group(proposals: Iterable[Proposal]) -> int | None:
    """The group that the first proposal prefers; None without a key exchange."""
    first = next(iter(proposals))
    return next((each.id for each in first.of(TransformType.KE) if each.id != 0), None)


def agree(offered: tuple[Proposal, ...], acceptable: tuple[Proposal, ...]) -> Proposal:
    """The responder's choice.

    Raises:
        Refusal: NO_PROPOSAL_CHOSEN, with the reason: PFS, if all would fit but the key exchange.
    """
    chosen = choose(offered, acceptable)
    if chosen is not None:
        return chosen
    notify = Notify(notify_type=NotifyType.NO_PROPOSAL_CHOSEN)
    detail = f"offered {text_of(offered)}; wanted {text_of(acceptable)}"
    apart_from_ke = choose(
        (each.without(TransformType.KE) for each in offered), (each.without(TransformType.KE) for each in acceptable)
    )
    if apart_from_ke is not None and acceptable[0].protocol.name == "ESP":
        raise Refusal(notify, Cause.PFS_MISMATCH, detail)
    raise Refusal(notify, Cause.NO_PROPOSAL_CHOSEN, detail)


def chosen_of(message: Message, offered: tuple[Proposal, ...]) -> Proposal:
    """What the responder chose out of our offer.

    Raises:
        Refusal: it chose what was not offered, or more than one.
    """
    payload = message.first(SecurityAssociation)
    answer = () if payload is None else payload.proposals
    if len(answer) != 1 or not is_choice(answer[0], offered):
        notify = Notify(notify_type=NotifyType.NO_PROPOSAL_CHOSEN)
        detail = f"the peer chose {text_of(answer) or 'nothing'}, offered was {text_of(offered)}"
        raise Refusal(notify, Cause.INVALID_SYNTAX, detail)
    return answer[0]


def group_of(chosen: Proposal) -> int | None:
    """The group of a chosen proposal; None without a key exchange."""
    return next((each.id for each in chosen.of(TransformType.KE) if each.id != 0), None)


def check_group(chosen: Proposal, message: Message) -> KeyExchangePayload | None:
    """The KE payload that goes with the chosen proposal; None when neither is there.

    Raises:
        Refusal: INVALID_KE_PAYLOAD, naming the right group (RFC 7296 1.2, 1.3.1).
    """
    group = group_of(chosen)
    payload = message.first(KeyExchangePayload)
    if group is None:
        return None  # RFC 7296 1.3.1: a KE payload without a group in the choice is ignored
    if payload is None or payload.group != group:
        notify = Notify(notify_type=NotifyType.INVALID_KE_PAYLOAD, data=group.to_bytes(2, "big"))
        sent = "none" if payload is None else payload.group
        raise Refusal(notify, Cause.NO_PROPOSAL_CHOSEN, f"group {group} is wanted, the KE payload is of {sent}")
    return payload


def wanted_group(error: Notify, offered: Iterable[Proposal], tried: int | None) -> int | None:
    """The group of an INVALID_KE_PAYLOAD, if it is one that we offered and did not just try (RFC 7296 1.2)."""
    if len(error.data) != 2:
        return None
    group = int.from_bytes(error.data, "big")
    known = any(each.id == group for proposal in offered for each in proposal.of(TransformType.KE))
    return group if known and group not in (0, tried) else None


def shared_secret(exchange: KeyExchange, public: bytes) -> bytes:
    """g^ir.

    Raises:
        Refusal: the peer's public value must not be used (RFC 6989 2).
    """
    try:
        return exchange.shared(public)
    except WireError as error:
        raise Refusal(Notify(notify_type=NotifyType.INVALID_SYNTAX), Cause.INVALID_SYNTAX, str(error)) from None


def answer_exchange(
    payload: KeyExchangePayload | None, random: Callable[[int], bytes]
) -> tuple[bytes, tuple[KeyExchangePayload, ...]]:
    """The responder's part: g^ir, and the KE payload to send; both empty without a key exchange.

    Raises:
        Refusal: as for `shared_secret`.
    """
    if payload is None:
        return b"", ()
    exchange = generate(payload.group, random)
    shared = shared_secret(exchange, payload.public)
    return shared, (KeyExchangePayload(group=payload.group, public=exchange.public),)
