"""The resolved topology's own few verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.model.expectation import Expectation, Layer
from lab.model.link import Tag, TagKind
from lab.model.roles import Role
from lab.model.secret import SecretReference
from lab.topology.load import load

DIRECT = load(Path(__file__).parents[4] / "topologies" / "expressroute-direct.yaml")


def test_look_ups() -> None:
    assert DIRECT.node("ce").role is Role.CE
    link = DIRECT.link("ce--msee1")
    assert link.end("ce") is link.a
    assert link.other_end("ce") is link.b
    assert link.other_end("msee1") is link.a
    assert [segment.segment for segment, _ in DIRECT.interfaces("ce")] == ["vpn-device--ce", "ce--msee1", "ce--msee2"]
    assert all(end.node == "ce" for _, end in DIRECT.interfaces("ce"))


def test_what_is_not_there() -> None:
    for look_up in (DIRECT.node, DIRECT.link, DIRECT.link("ce--msee1").end):
        with pytest.raises(KeyError):
            look_up("nowhere")


@pytest.mark.parametrize(
    ("expectation", "text"),
    [
        (Expectation(layers=()), "clear"),
        (Expectation(layers=(Layer.MACSEC, Layer.IPSEC)), "macsec+ipsec"),
        (Expectation(layers=(Layer.MACSEC,), integrity_only=True), "macsec (integrity only)"),
    ],
)
def test_expectations_say_what_they_expect(expectation: Expectation, text: str) -> None:
    assert str(expectation) == text
    assert expectation.is_clear == (text == "clear")


def test_tags_are_outermost_first() -> None:
    assert Tag().vids == ()
    assert Tag(kind=TagKind.DOT1Q, c_vid=5).octets == 4
    assert Tag(kind=TagKind.QINQ, s_vid=5, c_vid=6).vids == (5, 6)


def test_ends_of_a_path_do_not_forward() -> None:
    assert {role for role in Role if role.is_end} == {Role.ONPREM, Role.WORKLOAD, Role.HOST}
    assert all(role.is_end != role.forwards for role in Role)


def test_a_reference_is_its_url() -> None:
    bare = SecretReference(vault="kv-lab", secret="sak")
    assert str(bare) == "https://kv-lab.vault.azure.net/secrets/sak"
    pinned = SecretReference(vault="kv-lab", secret="sak", version="0" * 32)
    assert str(pinned) == f"{bare}/{'0' * 32}"
