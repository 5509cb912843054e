"""Two peers have one IKE SA, whoever began (RFC 7296 2.4, 2.8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    IkeSaDeleted,
)
from dataplane.ike.policy import Peer
from tests.exchange.ike.pair import (
    LEFT_PEER,
    Node,
    Pair,
)


def test_initial_contact_clears_the_old_ike_sa() -> None:
    """a lost its memory; b drops what it had, without a word."""
    pair = Pair.established()
    old = pair.b.child.spi_in
    pair.a = Node("a", LEFT_PEER, "again")
    pair.now = pair.a.now = pair.b.now = 10.0
    pair.a.initiate()
    pair.run()
    assert pair.b.last(IkeSaDeleted).cause is Cause.INITIAL_CONTACT
    assert pair.b.told(ChildSaDeleted)[-1].spi_in == old
    assert pair.b.living_spis() == {pair.b.child.spi_in}
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.b.sending_spi() == pair.b.child.spi_out


def test_initial_contact_is_not_sent_by_who_knows_better() -> None:
    pair = Pair.established()
    peer: Peer = pair.a.peer
    pair.a.engine._call(peer, 0.0)
    pair.a.settle()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    pair.flow("--> IKE_AUTH { IDi, IDr, AUTH, SA, TSi, TSr }")
    pair.run()
    assert pair.a.ike.id == pair.b.ike.id  # unique all the same: one of both was closed
    assert pair.a.living_spis() == {pair.a.child.spi_in}
    assert pair.a.child.keys_in == pair.b.child.keys_out


@pytest.mark.parametrize("nonces", [(1, 2, 3, 4), (4, 1, 3, 2), (3, 2, 1, 4), (2, 3, 4, 1)])
@pytest.mark.parametrize("order", ["-->", "<--"])
def test_both_begin_at_once(nonces: tuple[int, int, int, int], order: str) -> None:
    pair = Pair()
    pair.a.dice.next_nonces.extend(nonces[:2])
    pair.b.dice.next_nonces.extend(nonces[2:])
    pair.a.initiate()
    pair.b.initiate()
    first = pair.hold(f"{order} IKE_SA_INIT ...")
    pair.flow(f"{'-->' if order == '<--' else '<--'} IKE_SA_INIT ...")
    pair.flow(f"{order} IKE_SA_INIT ...", first)
    pair.run()
    assert pair.a.ike.id == pair.b.ike.id
    assert pair.a.child.keys_in == pair.b.child.keys_out
    for node in (pair.a, pair.b):
        assert len(node.sas) == 1
        assert node.living_spis() == {node.child.spi_in}
        assert node.sending_spi() == node.child.spi_out
    assert {event.cause for event in pair.a.told(IkeSaDeleted)} == {Cause.REDUNDANT}


def test_not_unique_if_the_policy_says_so() -> None:
    left = replace(LEFT_PEER, unique=False)
    pair = Pair(left)
    pair.a.initiate()
    pair.b.initiate()
    pair.run()
    assert len(pair.a.sas) == len(pair.b.sas) == 2
