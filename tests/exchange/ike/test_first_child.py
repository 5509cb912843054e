"""The child that comes with IKE_AUTH, several, and none (RFC 7296 2.9; RFC 6023)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from dataplane.errors import LocalError
from dataplane.ike.events import (
    Cause,
    ChildSaEstablished,
    ChildSaFailed,
    IkeSaFailed,
)
from dataplane.ike.machine import IkeState
from dataplane.ike.payloads.traffic_selectors import TrafficSelectorsInitiator, TrafficSelectorsResponder
from dataplane.ike.policy import Childless, ChildPolicy
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.transforms import encr
from tests.exchange.ike.pair import (
    LEFT_PEER,
    Pair,
    child_policy,
    esp_proposal,
    mirrored,
)
from tests.exchange.ike.test_setup import AUTH, AUTHENTICATED, connect


def test_no_common_child_proposal_leaves_the_ike_sa() -> None:
    right = mirrored(replace(LEFT_PEER, children=(
        replace(child_policy(19), proposals=(esp_proposal(cipher=encr("ENCR_AES_CBC", 256)),)),)))  # fmt: skip
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    pair.flow("<-- IKE_AUTH { IDr, AUTH, N(NO_PROPOSAL_CHOSEN) }")
    for node in (pair.a, pair.b):
        assert node.ike_states() == [IkeState.ESTABLISHED]
        assert node.last(ChildSaFailed).cause is Cause.NO_PROPOSAL_CHOSEN
        assert not node.children
    assert "ENCR_AES_CBC_256" in pair.b.last(ChildSaFailed).detail


def test_selectors_do_not_meet() -> None:
    right = mirrored(replace(LEFT_PEER, children=(child_policy(19, local="172.16.0.0/12"),)))
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    pair.flow("<-- IKE_AUTH { IDr, AUTH, N(TS_UNACCEPTABLE) }")
    for node in (pair.a, pair.b):
        assert node.ike_states() == [IkeState.ESTABLISHED]
        assert node.last(ChildSaFailed).cause is Cause.TS_UNACCEPTABLE
    assert "172.16.0.0/12" in pair.b.last(ChildSaFailed).detail


def test_narrowing() -> None:
    left = replace(LEFT_PEER, children=(child_policy(19, local="0.0.0.0/0", remote="0.0.0.0/0"),))
    right = mirrored(replace(LEFT_PEER, children=(child_policy(19, local="192.168.1.0/24", remote="10.0.0.0/16"),)))
    pair = Pair(left, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    answer = pair.flow(f"<-- {AUTHENTICATED}")
    assert answer.one(TrafficSelectorsInitiator).selectors == (TrafficSelector.of("192.168.1.0/24"),)
    assert answer.one(TrafficSelectorsResponder).selectors == (TrafficSelector.of("10.0.0.0/16"),)
    made = pair.a.last(ChildSaEstablished)
    assert made.local_selectors == (TrafficSelector.of("192.168.1.0/24"),)
    assert made.remote_selectors == (TrafficSelector.of(ip_network("10.0.0.0/16")),)


def policies(*pairs: tuple[str, str]) -> tuple[ChildPolicy, ...]:
    return tuple(child_policy(19, name=f"net{i}", local=a, remote=b) for i, (a, b) in enumerate(pairs))


def test_several_children() -> None:
    """Policy-based selectors: the first with IKE_AUTH, each other one with CREATE_CHILD_SA, with PFS."""
    pairs = (("192.168.1.0/24", "10.0.0.0/17"), ("192.168.1.0/24", "10.0.128.0/17"), ("192.168.2.0/24", "10.0.0.0/17"))
    pair = Pair.established(replace(LEFT_PEER, children=policies(*pairs)))
    made = {event.child: event for event in pair.b.told(ChildSaEstablished)}
    assert list(made) == ["net0", "net1", "net2"]
    assert [event.ke is not None for event in made.values()] == [False, True, True]
    for name, event in made.items():
        assert event.remote_selectors == (TrafficSelector.of(pairs[int(name[-1])][0]),)


def test_initiate_again_makes_what_is_missing_and_no_more() -> None:
    pair = Pair.established()
    pair.a.initiate()
    assert pair.silent()
    pair.a.delete_child()
    pair.run()
    pair.a.initiate("net")
    pair.flow("--> CREATE_CHILD_SA { SA, Ni, KE, TSi, TSr }")
    pair.flow("<-- CREATE_CHILD_SA { SA, Nr, KE, TSi, TSr }")
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.child.ke is not None
    with pytest.raises(LocalError):
        pair.a.initiate("no such child")


# ---- childless (RFC 6023) ----


def childless(left: Childless, right: Childless) -> Pair:
    return Pair(replace(LEFT_PEER, childless=left), replace(mirrored(LEFT_PEER), childless=right))


@pytest.mark.parametrize("wish", [Childless.PREFER, Childless.FORCE])
def test_childless(wish: Childless) -> None:
    pair = childless(wish, Childless.ALLOW)
    connect(pair)
    pair.flow("--> IKE_AUTH { IDi, N(INITIAL_CONTACT), IDr, AUTH }")
    pair.flow("<-- IKE_AUTH { IDr, AUTH }")
    assert not pair.b.children
    pair.flow("--> CREATE_CHILD_SA { SA, Ni, KE, TSi, TSr }")
    pair.flow("<-- CREATE_CHILD_SA { SA, Nr, KE, TSi, TSr }")
    assert pair.a.child.ke is not None
    assert pair.silent()


def test_childless_shows_a_pfs_mismatch_at_once() -> None:
    left = replace(LEFT_PEER, childless=Childless.PREFER)
    right = mirrored(replace(LEFT_PEER, children=(child_policy(20),)))
    pair = Pair(left, right)
    pair.a.initiate()
    pair.run()
    assert pair.b.last(ChildSaFailed).cause is Cause.PFS_MISMATCH


def test_childless_preferred_but_not_understood() -> None:
    pair = childless(Childless.PREFER, Childless.NEVER)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    pair.flow(f"<-- {AUTHENTICATED}")


def test_childless_forced_but_not_understood() -> None:
    pair = childless(Childless.FORCE, Childless.NEVER)
    connect(pair)
    assert pair.a.last(IkeSaFailed).cause is Cause.CHILDLESS_REFUSED
    assert pair.silent()


def test_childless_not_wanted() -> None:
    """An initiator that was not told that it may."""
    pair = childless(Childless.FORCE, Childless.ALLOW)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    pair.b.engine._registry.peer_of["left"] = replace(pair.b.peer, childless=Childless.NEVER)
    pair.flow("--> IKE_AUTH { IDi, N(INITIAL_CONTACT), IDr, AUTH }")
    pair.flow("<-- IKE_AUTH { N(INVALID_SYNTAX) }")
    assert pair.b.last(IkeSaFailed).cause is Cause.CHILDLESS_REFUSED
    assert pair.a.last(IkeSaFailed).cause is Cause.INVALID_SYNTAX
    assert not pair.a.sas + pair.b.sas


def test_child_collides_with_ike_rekey() -> None:
    pair = childless(Childless.FORCE, Childless.ALLOW)
    connect(pair)
    pair.flow("--> IKE_AUTH ...")
    pair.flow("<-- IKE_AUTH ...")
    pair.b.rekey_ike()
    pair.flow("--> CREATE_CHILD_SA { SA, Ni, KE, TSi, TSr }")
    pair.flow("<-- CREATE_CHILD_SA { SA, Ni, KE }")
    pair.flow("<-- CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }")
    pair.flow("--> CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }")
    assert pair.silent()
    pair.wait(30, deliver=True)
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.ike.predecessor is not None
