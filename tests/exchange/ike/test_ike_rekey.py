"""Replacing the IKE SA, by either side and by both at once (RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    IkeKeysDerived,
    IkeRekeyFailed,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaRekeyed,
)
from dataplane.ike.machine import IkeState
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import IkePolicy, Lifetime
from tests.exchange.ike.pair import LEFT_PEER, Pair, ike_proposal, mirrored
from tests.exchange.ike.test_child_rekey import BOTH, DELETE, EMPTY
from tests.exchange.ike.test_child_rekey import REKEY as REKEY_CHILD

REKEY = "CREATE_CHILD_SA { SA, Ni, KE }"
REKEYED = "CREATE_CHILD_SA { SA, Nr, KE }"
BUSY = "CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }"
INVALID_KE = "CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }"


@BOTH
def test_regular(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    a, b = pair.a, pair.b
    old, child = a.ike.id, a.child.spi_in
    a.rekey_ike()
    assert a.ike_states() == [IkeState.REKEYING]

    request = pair.flow(f"--> {REKEY}")
    offered = request.one(SecurityAssociation).proposals[0]
    assert len(offered.spi) == 8  # the new SPIs live in the SA payload
    assert b.ike_states() == [IkeState.REKEYED, IkeState.ESTABLISHED]
    assert [len(sa.children) for sa in b.sas] == [0, 1]

    pair.flow(f"<-- {REKEYED}")
    assert a.ike_states() == [IkeState.DELETING, IkeState.ESTABLISHED]
    assert [len(sa.children) for sa in a.sas] == [0, 1]
    assert a.ike.is_initiator
    assert a.ike.id.spi_i == offered.spi
    assert a.ike.id == b.ike.id

    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert a.ike_states() == b.ike_states() == [IkeState.ESTABLISHED]
    assert pair.silent()
    for node in (a, b):
        assert node.last(IkeSaRekeyed).old == old
        assert node.last(IkeSaRekeyed).new == node.ike.id
        assert node.last(IkeSaDeleted).cause is Cause.REKEYED
        assert not node.told(ChildSaDeleted)
        assert node.last(IkeSaEstablished).rekeyed == old
    assert a.child.spi_in == child

    # Message IDs begin at 0 both ways, and the I flag is the new initiator's.
    b.dpd()
    assert pair.flow(f"<-- {EMPTY}").message_id == 0
    answer = pair.flow(f"--> {EMPTY}")
    assert (answer.message_id, answer.is_initiator) == (0, True)
    a.rekey_child()
    assert pair.flow(f"--> {REKEY_CHILD}").message_id == 0
    pair.run()
    assert a.child.keys_in == b.child.keys_out


def test_again_and_again_by_turns() -> None:
    pair = Pair.established()
    for node in (pair.a, pair.b, pair.b, pair.a):
        node.rekey_ike()
        pair.run()
        node.rekey_child()
        pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert len(pair.a.told(IkeKeysDerived)) == 5


@BOTH
def test_ke_invalid(swap: bool) -> None:
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20, 19),))))
    pair = Pair.established(left, right, swap=swap)
    pair.a.rekey_ike()
    pair.flow(f"--> {REKEY}")
    assert pair.b.ike_states() == [IkeState.ESTABLISHED]
    pair.flow(f"<-- {INVALID_KE}")
    assert pair.a.ike_states() == [IkeState.REKEYING]
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {REKEYED}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert pair.a.ike.suite is not None
    assert pair.a.ike.suite.ke.id == 20


def test_no_proposal_chosen_keeps_the_ike_sa() -> None:
    pair = Pair.established()
    pair.b.ike.peer = replace(pair.b.peer, ike=IkePolicy(proposals=(ike_proposal(20),)))
    pair.a.rekey_ike()
    pair.flow(f"--> {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { N(NO_PROPOSAL_CHOSEN) }")
    assert pair.a.last(IkeRekeyFailed).cause is Cause.NO_PROPOSAL_CHOSEN
    assert pair.b.last(IkeRekeyFailed).cause is Cause.NO_PROPOSAL_CHOSEN
    assert pair.a.ike.state is IkeState.ESTABLISHED
    assert pair.a.child.keys_in == pair.b.child.keys_out


@pytest.mark.parametrize("crosses", ["create", "rekey", "delete"])
def test_rekey_while_a_child_is_busy(crosses: str) -> None:
    """RFC 7296 2.25.1: TEMPORARY_FAILURE, and both get what they wanted in the end."""
    pair = Pair.established()
    a, b = pair.a, pair.b
    if crosses == "create":
        a.delete_child()
        pair.run()
        a.initiate()
    elif crosses == "rekey":
        a.rekey_child()
    else:
        a.delete_child()
    b.rekey_ike()
    pair.flow("<-- CREATE_CHILD_SA { SA, Ni, KE }")
    assert pair.open(a.outbox[-1]).error is not None
    answer = a.outbox.pop()
    b.receive(answer)
    pair.wait(30, deliver=True)
    assert len(a.sas) == len(b.sas) == 1
    assert a.ike.predecessor is not None
    assert len(a.living_spis()) == len(b.living_spis()) == (0 if crosses == "delete" else 1)


@pytest.mark.parametrize("crosses", ["create", "rekey", "delete"])
def test_child_exchanges_while_the_ike_sa_is_rekeyed(crosses: str) -> None:
    """RFC 7296 2.25.2: TEMPORARY_FAILURE to what makes children, the usual answer to what closes them."""
    pair = Pair.established()
    a, b = pair.a, pair.b
    if crosses == "create":
        b.delete_child()
        pair.run()
        b.initiate()
    elif crosses == "rekey":
        b.rekey_child()
    else:
        b.delete_child()
    a.rekey_ike()
    pair.flow("<-- ...")
    answer = pair.open(a.outbox[-1])
    assert (answer.error is not None) == (crosses != "delete")
    b.receive(a.outbox.pop())
    pair.wait(30, deliver=True)
    assert len(a.sas) == len(b.sas) == 1
    assert len(a.living_spis()) == len(b.living_spis()) == (0 if crosses == "delete" else 1)


def test_work_that_waits_goes_to_the_successor() -> None:
    pair = Pair.established()
    pair.a.rekey_ike()
    pair.a.rekey_child()
    old = pair.a.child.spi_in
    pair.run()
    assert pair.a.child.spi_in != old
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert len(pair.a.sas) == 1


def test_closing_goes_to_the_successor_too() -> None:
    pair = Pair.established()
    pair.b.rekey_ike()
    pair.a.dpd()
    pair.a.delete()  # waits behind the sign of life
    pair.flow(f"<-- {REKEY}")
    pair.run()
    assert not pair.a.sas + pair.b.sas
    assert not pair.a.living_spis() | pair.b.living_spis()


def test_lifetime_of_the_ike_sa() -> None:
    pair = Pair.established()
    pair.wait(3 * 28_800, deliver=True)
    assert len(pair.a.told(IkeSaRekeyed)) >= 3
    assert pair.a.ike.id == pair.b.ike.id
    assert {event.cause for event in pair.a.told(IkeSaDeleted)} <= {Cause.REKEYED, Cause.REDUNDANT}
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_an_ike_sa_that_cannot_be_replaced_ends_with_its_lifetime() -> None:
    """The peer refuses every rekey; before the end it is tried again, then everything goes."""
    short = IkePolicy(proposals=(ike_proposal(19),), lifetime=Lifetime(seconds=600))
    pair = Pair.established(replace(LEFT_PEER, ike=short), mirrored(LEFT_PEER))
    pair.b.ike.peer = replace(pair.b.peer, ike=IkePolicy(proposals=(ike_proposal(20),)))
    pair.wait(599, deliver=True)
    assert len(pair.a.told(IkeRekeyFailed)) >= 2
    assert pair.a.ike.state is IkeState.ESTABLISHED
    pair.wait(2, deliver=True)
    assert pair.a.last(IkeSaDeleted).cause is Cause.LIFETIME
    assert pair.b.last(IkeSaDeleted).cause is Cause.CLOSED_BY_PEER
    assert not pair.a.living_spis() | pair.b.living_spis()
