"""The table of legal messages, walked: what must be there, then one too few, one too many, one that has no place."""

from __future__ import annotations

import pytest

from dataplane.ike.payloads.kinds import UNDERSTOOD, Payload, PayloadType
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.opaque import OpaquePayload
from dataplane.ike.rules import RULES, Direction, ExchangeType, Rule, check

KEYS = sorted(RULES, key=str)
EVERY = pytest.mark.parametrize(("exchange", "direction"), KEYS, ids=lambda part: part.name)
OUTER = {PayloadType.SK, PayloadType.SKF}


def least(exchange: ExchangeType, direction: Direction) -> list[Payload]:
    """The least that makes the message legal."""
    return [of(rule) for rule in RULES[exchange, direction] for _ in range(rule.minimum)]


def of(rule: Rule) -> Payload:
    return OpaquePayload(payload_type=rule.payload_type, body=b"")


def judge(exchange: int, direction: Direction, payloads: list[Payload]) -> str | None:
    """The name of the notification that refuses it; None if it is legal."""
    clear = exchange == ExchangeType.IKE_SA_INIT
    violation = check(exchange, direction, payloads if clear else [], None if clear else payloads)
    return None if violation is None else violation.notify.name


@EVERY
def test_each_count(exchange: ExchangeType, direction: Direction) -> None:
    payloads = least(exchange, direction)
    assert judge(exchange, direction, payloads) is None
    for rule in RULES[exchange, direction]:
        others = [each for each in payloads if each.payload_type != rule.payload_type]
        for count in (0, 1, rule.maximum, rule.maximum + 1):
            legal = rule.minimum <= count <= rule.maximum
            said = judge(exchange, direction, [*others, *[of(rule)] * count])
            assert said == (None if legal else "INVALID_SYNTAX"), (rule, count)


@EVERY
def test_what_has_no_place_is_refused(exchange: ExchangeType, direction: Direction) -> None:
    allowed = {rule.payload_type for rule in RULES[exchange, direction]}
    for kind in UNDERSTOOD - {int(each) for each in allowed} - OUTER:
        stranger = OpaquePayload(payload_type=kind, body=b"")
        assert judge(exchange, direction, [*least(exchange, direction), stranger]) == "INVALID_SYNTAX", kind


@EVERY
def test_unknown_payloads_matter_only_if_critical(exchange: ExchangeType, direction: Direction) -> None:
    for critical in (False, True):
        unknown = OpaquePayload(payload_type=200, body=b"", critical=critical)
        said = judge(exchange, direction, [unknown, *least(exchange, direction)])
        assert said == ("UNSUPPORTED_CRITICAL_PAYLOAD" if critical else None)


@EVERY
def test_protection(exchange: ExchangeType, direction: Direction) -> None:
    payloads = least(exchange, direction)
    if exchange is ExchangeType.IKE_SA_INIT:
        assert check(exchange, direction, [], payloads) is not None
    else:
        assert check(exchange, direction, payloads, None) is not None
        assert check(exchange, direction, [OpaquePayload(payload_type=200, body=b"")], payloads) is not None


@EVERY
def test_a_refusal_needs_not_carry_what_a_success_must(exchange: ExchangeType, direction: Direction) -> None:
    for kind in (NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.COOKIE):
        said = judge(exchange, direction, [Notify(notify_type=kind)])
        needs_nothing = not least(exchange, direction)
        assert (said is None) is (direction is Direction.RESPONSE or needs_nothing)


def test_other_exchanges_are_refused() -> None:
    assert judge(38, Direction.REQUEST, []) == "INVALID_SYNTAX"
