"""What is asked of a lab about its wires and makes no sense is refused before anybody is bothered with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.errors import ExitCode
from lab.holder.adversaries import Adversaries
from lab.holder.control import Request, RequestError
from lab.holder.tampering import verbs
from lab.host.namespaces import Place
from tests.lab.topologies import chain

NOWHERE = Place(net=-1, uts=-1)


@dataclass
class Asked:
    """A request, and what was answered."""

    fields: dict[str, Any]
    replies: list[object] = field(default_factory=list)

    def text(self, name: str) -> str:
        return Request.text(self, name)  # type: ignore[arg-type]

    def reply(self, result: object, descriptors: object = ()) -> None:
        self.replies.append(result)

    def fail(self, message: str, code: ExitCode) -> None:
        self.replies.append((message, code))


@dataclass
class _Order:
    topology: object


def adversaries() -> Adversaries:
    places = {"n0": NOWHERE, "n1": NOWHERE}
    return Adversaries(_Order(chain(3)), None, None, NOWHERE, places)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verb", "fields", "said"),
    [
        ("impair", {}, "verb 'impair' needs the text field 'segment'"),
        ("impair", {"segment": "x"}, "there is no segment 'x'; there are n0--n1, n1--n2"),
        ("impair", {"segment": "n1--n2"}, "the lab is still being built"),
        ("impair", {"segment": "n0--n1", "a_to_b": {"latency": 1}}, "'latency': 1 is no impairment"),
        ("impair", {"segment": "n0--n1", "a_to_b": [1]}, r"\[1\] is no object"),
        ("impair", {"segment": "n0--n1", "seed": "x", "a_to_b": {}}, "a seed is a number, not 'x'"),
        ("attack", {"segment": "n0--n1"}, "verb 'attack' needs `order`"),
        ("stop-attacks", {"segment": "n0--n1"}, "there is no attack on n0--n1"),
        ("stop-attacks", {"segment": "n0--n1", "attack": "x"}, "an attack has a number"),
        ("stop-attacks", {"segment": "n0--n1", "own": True}, "the attack on n0--n1 has ended already"),
        ("wire", {"segment": "n0--n1", "node": "n2"}, "'n2' is no end of n0--n1; its ends are n0 and n1"),
        ("receivers", {"segment": 5}, "verb 'receivers' needs the text field 'segment'"),
    ],
)
def test_what_makes_no_sense(verb: str, fields: dict[str, Any], said: str) -> None:
    asked = Asked({"verb": verb, **fields})
    with pytest.raises(RequestError, match=f"^{said}"):
        verbs(adversaries())[verb](asked)  # type: ignore[arg-type]
    assert asked.replies == []


def test_a_wire_that_nobody_impairs_is_shown_without_a_man_in_the_middle() -> None:
    for verb in ("impair", "adversary"):
        asked = Asked({"verb": verb, "segment": "n0--n1", "a_to_b": {}})
        verbs(adversaries())[verb](asked)  # type: ignore[arg-type]
        assert asked.replies == [{"lanes": {}, "attacks": [], "ended": []}]
