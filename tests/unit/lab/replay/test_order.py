"""What an attack may be told, and what is said when it is told something else."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import InputError
from lab.model.impairment import WireDirection
from lab.replay.order import WAITS, AttackKind, AttackOrder, How


@pytest.mark.parametrize("kind", AttackKind)
def test_an_order_survives_json(kind: AttackKind) -> None:
    order = AttackOrder(
        kind=kind,
        directions=(WireDirection.B_TO_A,),
        seed=5,
        share=1.0 if kind is AttackKind.INJECT_CLEAR else 0.25,
        count=3,
        duration=1.5,
        wait=0.2 if kind in WAITS else None,
        how=How.DROP if kind is AttackKind.DOWNGRADE else How.REWRITE,
    )
    assert AttackOrder.from_fields(order.as_fields()) == order
    assert AttackOrder.from_fields({"kind": str(kind)}) == AttackOrder(kind=kind)
    assert AttackOrder(kind=kind).pause == WAITS.get(kind, 0.0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "no attack: 'kind'"),
        ({"kind": "steal"}, "'steal' is not a valid AttackKind; kinds are replay, tamper"),
        ({"kind": "drop", "share": 0}, "more than 0% and at most 100%, not 0%"),
        ({"kind": "drop", "share": 1.5}, "at most 100%, not 150%"),
        ({"kind": "drop", "share": "x"}, "no attack"),
        ({"kind": "drop", "count": 0}, "a count is 1 or more, not 0"),
        ({"kind": "drop", "duration": 0}, "a duration is more than 0 s, not 0 s"),
        ({"kind": "drop", "wait": 1}, "drop waits for nothing; replay, delay, inject-clear do"),
        ({"kind": "replay", "wait": 100}, "a wait is 1ms to 60s"),
        ({"kind": "inject-clear", "share": 0.5}, "no percentage"),
        ({"kind": "drop", "how": "drop"}, "only downgrade has a choice how, not drop"),
        ({"kind": "drop", "directions": ["up"]}, "'up' is not a valid WireDirection"),
        ({"kind": "drop", "directions": []}, "an attack needs a direction"),
    ],
)
def test_what_is_no_attack_is_said_to_be_none(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        AttackOrder.from_fields(fields)
