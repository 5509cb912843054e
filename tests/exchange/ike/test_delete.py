"""Closing children and IKE SAs, by one side and by both at once (RFC 7296 1.4.1, 2.25)."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError
from dataplane.ike.events import Cause, ChildSaDeleted, IkeSaDeleted
from dataplane.ike.machine import ChildState
from dataplane.ike.payloads.delete import DeletePayload
from dataplane.ike.tasks.informational import DeleteUnborn
from tests.exchange.ike.pair import Pair
from tests.exchange.ike.test_child_rekey import BOTH, DELETE, EMPTY

BUSY = "CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }"
REKEY_IKE = "CREATE_CHILD_SA { SA, Ni, KE }"


@BOTH
def test_child(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    a, b = pair.a, pair.b
    spi_a, spi_b = a.child.spi_in, b.child.spi_in
    a.delete_child()
    request = pair.flow(f"--> {DELETE}")
    assert request.one(DeletePayload).spis == (spi_a,)  # each names its own inbound SPI
    answer = pair.flow(f"<-- {DELETE}")
    assert answer.one(DeletePayload).spis == (spi_b,)
    assert (a.last(ChildSaDeleted).cause, b.last(ChildSaDeleted).cause) == (Cause.CLOSED_HERE, Cause.CLOSED_BY_PEER)
    assert len(a.sas) == len(b.sas) == 1  # the IKE SA stays
    with pytest.raises(LocalError):
        a.engine.delete_child(spi_a, 0.0)


def test_child_by_both() -> None:
    pair = Pair.established()
    pair.a.delete_child()
    pair.b.delete_child()
    first = pair.hold(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}", first)
    pair.flow(f"<-- {EMPTY}")
    pair.flow(f"--> {EMPTY}")
    assert not pair.a.children + pair.b.children
    assert pair.silent()


def test_child_by_both_with_a_lost_request() -> None:
    """b's delete runs its course; when a's arrives after all, the child is not known any more."""
    pair = Pair.established()
    pair.a.delete_child()
    pair.b.delete_child()
    late = pair.hold(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"--> {DELETE}", late)
    pair.flow(f"<-- {EMPTY}")
    assert not pair.a.children + pair.b.children
    assert pair.silent()


@BOTH
def test_child_crosses_ike_rekey(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.delete_child()
    pair.b.rekey_ike()
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {REKEY_IKE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {BUSY}")
    assert not pair.a.children + pair.b.children
    pair.wait(20, deliver=True)
    assert pair.a.ike.predecessor is not None


@BOTH
def test_child_crosses_ike_delete(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.delete_child()
    pair.b.delete()
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.a.receive(pair.b.outbox.popleft())
    pair.flow(f"--> {EMPTY}")
    assert not pair.a.sas + pair.b.sas
    assert not pair.a.living_spis() | pair.b.living_spis()


@BOTH
def test_ike(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.delete()
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert not pair.a.sas + pair.b.sas
    for node, cause in ((pair.a, Cause.CLOSED_HERE), (pair.b, Cause.CLOSED_BY_PEER)):
        assert node.last(IkeSaDeleted).cause is cause
        assert node.last(ChildSaDeleted).cause is Cause.IKE_SA_GONE
        assert isinstance(node.events[-1], IkeSaDeleted)  # children are told of first


def test_ike_by_both() -> None:
    pair = Pair.established()
    pair.a.delete()
    pair.b.delete()
    first = pair.hold(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}", first)
    pair.run()
    assert not pair.a.sas + pair.b.sas
    for node in (pair.a, pair.b):
        assert len(node.told(IkeSaDeleted)) == 1
        assert len(node.told(ChildSaDeleted)) == 1


def test_lost_answer_to_the_delete_of_an_ike_sa() -> None:
    """Who was asked is done, but lingers to say so again."""
    pair = Pair.established()
    pair.a.delete()
    pair.flow(f"--> {DELETE}")
    answer = pair.drop(f"<-- {EMPTY}")
    assert not pair.b.sas
    pair.wait(1)
    pair.flow(f"--> {DELETE}")
    assert pair.b.outbox[0] == answer
    pair.flow(f"<-- {EMPTY}")
    assert not pair.a.sas
    pair.wait(31)
    assert pair.b.engine.next_timeout() is None


def test_delete_while_connecting() -> None:
    pair = Pair()
    pair.a.initiate()
    pair.a.delete()
    assert not pair.a.sas
    pair.flow("--> IKE_SA_INIT ...")
    pair.a.receive(pair.b.outbox.popleft())
    assert pair.a.engine.discarded["unknown IKE SPI"] == 1
    pair.wait(31)
    assert not pair.b.sas


def test_delete_while_authenticating() -> None:
    """The peer may believe in it already: it is closed in an orderly way."""
    pair = Pair()
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    pair.a.delete()
    pair.flow("--> IKE_AUTH ...")
    pair.flow("<-- IKE_AUTH ...")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert not pair.a.sas + pair.b.sas


def test_unknown_spis_are_nobodys() -> None:
    pair = Pair.established()
    pair.a.ike.enqueue(DeleteUnborn(b"\x12\x34\x56\x78"))
    pair.a.ike.run(0.0)
    pair.a.settle()
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert pair.b.child.state is ChildState.INSTALLED
