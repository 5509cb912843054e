"""Which payloads an exchange may hold: a table and its look-up (RFC 7296 1.2 to 1.5 and 2.5, appendix C)."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dataplane.ike.payloads.kinds import UNDERSTOOD, Payload, PayloadType
from dataplane.ike.payloads.notify import Notify, NotifyType


class ExchangeType(enum.IntEnum):
    """The exchanges of IKEv2 (RFC 7296 3.1)."""

    IKE_SA_INIT = 34
    IKE_AUTH = 35
    CREATE_CHILD_SA = 36
    INFORMATIONAL = 37


class Direction(enum.Enum):
    """Which way a message goes within its exchange."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Rule:
    """How often a payload may occur in a message, and whether it must be inside SK."""

    payload_type: PayloadType
    minimum: int
    maximum: int
    encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Why a message is not legal, and the notification that says so to its sender."""

    notify: Notify
    reason: str


MANY: Final = 40  # the most payloads of one type that anybody needs; a bound, so that work on a message has one

_T = PayloadType
_NOTES: Final = ((_T.NOTIFY, 0, MANY), (_T.VENDOR, 0, MANY))
_CERTIFICATES: Final = ((_T.CERT, 0, MANY), (_T.CERTREQ, 0, MANY))


def _rules(encrypted: bool, *rows: tuple[PayloadType, int, int]) -> tuple[Rule, ...]:
    return tuple(Rule(kind, minimum, maximum, encrypted) for kind, minimum, maximum in rows)


RULES: Final[dict[tuple[ExchangeType, Direction], tuple[Rule, ...]]] = {
    (ExchangeType.IKE_SA_INIT, Direction.REQUEST): _rules(
        False, (_T.SA, 1, 1), (_T.KE, 1, 1), (_T.NONCE, 1, 1), *_NOTES
    ),
    (ExchangeType.IKE_SA_INIT, Direction.RESPONSE): _rules(
        False, (_T.SA, 1, 1), (_T.KE, 1, 1), (_T.NONCE, 1, 1), (_T.CERTREQ, 0, MANY), *_NOTES
    ),
    (ExchangeType.IKE_AUTH, Direction.REQUEST): _rules(
        True, (_T.IDI, 1, 1), (_T.IDR, 0, 1), (_T.AUTH, 0, 1), (_T.SA, 0, 1), (_T.TSI, 0, 1), (_T.TSR, 0, 1),
        (_T.CP, 0, 1), *_CERTIFICATES, *_NOTES,
    ),
    (ExchangeType.IKE_AUTH, Direction.RESPONSE): _rules(
        True, (_T.IDR, 1, 1), (_T.AUTH, 1, 1), (_T.SA, 0, 1), (_T.TSI, 0, 1), (_T.TSR, 0, 1),
        (_T.CP, 0, 1), (_T.EAP, 0, 1), *_CERTIFICATES, *_NOTES,
    ),
    (ExchangeType.CREATE_CHILD_SA, Direction.REQUEST): _rules(
        True, (_T.SA, 1, 1), (_T.NONCE, 1, 1), (_T.KE, 0, 1), (_T.TSI, 0, 1), (_T.TSR, 0, 1), (_T.CP, 0, 1), *_NOTES
    ),
    (ExchangeType.CREATE_CHILD_SA, Direction.RESPONSE): _rules(
        True, (_T.SA, 1, 1), (_T.NONCE, 1, 1), (_T.KE, 0, 1), (_T.TSI, 0, 1), (_T.TSR, 0, 1), (_T.CP, 0, 1), *_NOTES
    ),
    (ExchangeType.INFORMATIONAL, Direction.REQUEST): _rules(True, (_T.DELETE, 0, MANY), (_T.CP, 0, 1), *_NOTES),
    (ExchangeType.INFORMATIONAL, Direction.RESPONSE): _rules(True, (_T.DELETE, 0, MANY), (_T.CP, 0, 1), *_NOTES),
}  # fmt: skip


def check(
    exchange: int, direction: Direction, outside: Sequence[Payload], inside: Sequence[Payload] | None
) -> Violation | None:
    """Hold a message against the table.

    `outside` are the payloads before SK, or all of them; `inside` those of SK, or None for a message without SK. A
    response that carries an error, or asks for a cookie, need not carry what a success must.
    """
    if exchange not in set(ExchangeType):
        return _syntax(f"exchange type {exchange}")
    payloads = [*outside, *(inside or ())]
    unknown = next((p for p in payloads if p.payload_type not in UNDERSTOOD and p.critical), None)
    if unknown is not None:  # RFC 7296 2.5
        notify = Notify(notify_type=NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, data=bytes((unknown.payload_type,)))
        return Violation(notify=notify, reason=f"critical payload {unknown.payload_type} is not understood")
    rules = {int(rule.payload_type): rule for rule in RULES[ExchangeType(exchange), direction]}
    must_encrypt = any(rule.encrypted for rule in rules.values())
    if must_encrypt and (inside is None or outside):
        return _syntax("payloads outside SK" if outside else "no SK payload")
    if not must_encrypt and inside is not None:
        return _syntax("an SK payload before there are keys")
    return _counts(rules, payloads, lenient=direction is Direction.RESPONSE and _tells_why_not(payloads))


def _counts(rules: dict[int, Rule], payloads: Sequence[Payload], *, lenient: bool) -> Violation | None:
    counts = Counter(p.payload_type for p in payloads if p.payload_type in UNDERSTOOD)
    for kind, count in counts.items():
        most = rules[kind].maximum if kind in rules else 0
        if count > most:
            return _syntax(f"payload {PayloadType(kind).name} occurs {count} times, at most {most} are allowed")
    for kind, rule in rules.items():
        if counts[kind] < rule.minimum and not lenient:
            return _syntax(f"payload {PayloadType(kind).name} is missing")
    return None


def _tells_why_not(payloads: Sequence[Payload]) -> bool:
    notifies = [payload for payload in payloads if isinstance(payload, Notify)]
    return any(notify.is_error or notify.notify_type == NotifyType.COOKIE for notify in notifies)


def _syntax(reason: str) -> Violation:
    return Violation(notify=Notify(notify_type=NotifyType.INVALID_SYNTAX), reason=reason)
