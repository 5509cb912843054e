"""Replacing a child, by either side: the regular course and its failures (RFC 7296 1.3.3, 2.8, 2.25.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished, ChildSaFailed
from dataplane.ike.machine import ChildState
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.traffic_selectors import TrafficSelectorsInitiator, TrafficSelectorsResponder
from tests.exchange.ike.pair import LEFT_PEER, Pair, child_policy, mirrored

REKEY = "CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KE, TSi, TSr }"
REKEY_NO_PFS = "CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr }"
CHILD = "CREATE_CHILD_SA { SA, Nr, KE, TSi, TSr }"
CHILD_NO_PFS = "CREATE_CHILD_SA { SA, Nr, TSi, TSr }"
DELETE = "INFORMATIONAL { D }"
EMPTY = "INFORMATIONAL { }"

BOTH = pytest.mark.parametrize("swap", [False, True], ids=["by the initiator", "by the responder"])


@BOTH
def test_regular(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    a, b = pair.a, pair.b
    old_a, old_b = a.child, b.child
    a.rekey_child()
    assert a.states() == {old_a.spi_in: ChildState.REKEYING}

    request = pair.flow(f"--> {REKEY}")
    rekey = request.notify(NotifyType.REKEY_SA)
    assert rekey is not None
    assert (rekey.protocol, rekey.spi) == (3, old_a.spi_in)  # the sender's inbound SPI
    new_b = b.child
    assert b.states() == {old_b.spi_in: ChildState.REKEYED, new_b.spi_in: ChildState.INSTALLED}
    assert b.sending_spi() == old_b.spi_out  # not before the peer is known to have its half

    pair.flow(f"<-- {CHILD}")
    new_a = a.child
    assert a.states() == {old_a.spi_in: ChildState.DELETING, new_a.spi_in: ChildState.INSTALLED}
    assert a.sending_spi() == new_a.spi_out == new_b.spi_in

    pair.flow(f"--> {DELETE}")
    assert b.states() == {new_b.spi_in: ChildState.INSTALLED}
    assert b.sending_spi() == new_b.spi_out
    pair.flow(f"<-- {DELETE}")
    assert a.states() == {new_a.spi_in: ChildState.INSTALLED}
    assert pair.silent()
    for node in (a, b):
        assert node.last(ChildSaDeleted).cause is Cause.REKEYED
        assert node.last(ChildSaEstablished).replaces is not None
        assert not node.failures()
    assert new_a.keys_in == new_b.keys_out
    assert new_a.keys_out == new_b.keys_in
    assert new_a.keys_in != old_a.keys_in


def test_without_pfs() -> None:
    pair = Pair.established(replace(LEFT_PEER, children=(child_policy(),)))
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY_NO_PFS}")
    pair.flow(f"<-- {CHILD_NO_PFS}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.child.ke is None


def test_twice_and_by_turns() -> None:
    pair = Pair.established()
    seen = {pair.a.child.spi_in}
    for node in (pair.a, pair.b, pair.b, pair.a):
        node.rekey_child()
        pair.run()
        seen.add(pair.a.child.spi_in)
        assert pair.a.living_spis() == {pair.a.child.spi_in}
        assert pair.b.living_spis() == {pair.b.child.spi_in}
    assert len(seen) == 5


@BOTH
def test_ke_invalid(swap: bool) -> None:
    left = replace(LEFT_PEER, children=(child_policy(19, 20),))
    right = mirrored(replace(LEFT_PEER, children=(child_policy(20, 19),)))
    pair = Pair.established(left, right, swap=swap)
    a, b = pair.a, pair.b
    a.rekey_child()
    old_b = b.child.spi_in

    pair.flow(f"--> {REKEY}")
    assert b.states() == {old_b: ChildState.INSTALLED}
    refusal = pair.flow("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }").notify(NotifyType.INVALID_KE_PAYLOAD)
    assert refusal is not None
    assert refusal.data == b"\0\x14"
    assert list(a.states().values()) == [ChildState.REKEYING]

    again = pair.flow(f"--> {REKEY}")
    assert again.message_id == pair.a.ike.channel.window.next_id  # a new exchange, a new ID
    pair.flow(f"<-- {CHILD}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    assert a.child.ke is not None
    assert a.child.ke.id == 20
    assert not a.failures() + b.failures()


def test_ke_invalid_for_a_group_that_was_not_offered() -> None:
    left = replace(LEFT_PEER, children=(child_policy(19),))
    pair = Pair.established(left)
    pair.a.rekey_child()
    pair.b.child.policy = replace(pair.b.child.policy, proposals=child_policy(20).proposals)
    pair.flow(f"--> {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { N(NO_PROPOSAL_CHOSEN) }")
    assert pair.b.last(ChildSaFailed).cause is Cause.PFS_MISMATCH
    assert pair.a.last(ChildSaFailed).cause is Cause.PFS_MISMATCH
    assert pair.a.child.state is ChildState.INSTALLED


@pytest.mark.parametrize(("ours", "theirs"), [((), (19,)), ((19,), ()), ((19,), (20,))], ids=str)
def test_pfs_mismatch_shows_at_the_first_rekey(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    left = replace(LEFT_PEER, children=(child_policy(*ours),))
    right = mirrored(replace(LEFT_PEER, children=(child_policy(*theirs),)))
    pair = Pair.established(left, right)
    pair.a.rekey_child()
    pair.run()
    for node in (pair.a, pair.b):
        failure = node.last(ChildSaFailed)
        assert failure.cause is Cause.PFS_MISMATCH
        assert failure.rekeyed == node.child.spi_in
        assert node.child.state is ChildState.INSTALLED
    # It is tried again, and when the lifetime is over the child goes.
    pair.wait(3600, deliver=True)
    assert not pair.a.living_spis() | pair.b.living_spis()
    assert any(event.cause is Cause.LIFETIME for event in pair.a.told(ChildSaDeleted) + pair.b.told(ChildSaDeleted))


def test_narrowed_selectors_are_kept() -> None:
    left = replace(LEFT_PEER, children=(child_policy(19, local="0.0.0.0/0", remote="0.0.0.0/0"),))
    pair = Pair.established(left, mirrored(LEFT_PEER))
    narrow = (pair.a.child.local_selectors, pair.a.child.remote_selectors)
    pair.a.rekey_child()
    request = pair.flow(f"--> {REKEY}")
    assert request.one(TrafficSelectorsInitiator).selectors == narrow[0]
    assert request.one(TrafficSelectorsResponder).selectors == narrow[1]
    pair.run()
    assert (pair.a.child.local_selectors, pair.a.child.remote_selectors) == narrow


def test_responder_switches_when_traffic_comes() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {CHILD}")
    old = next(child for child in pair.b.children if child.state is ChildState.REKEYED)
    assert pair.b.sending_spi() == old.spi_out
    pair.b.engine.traffic_seen(old.spi_in, 0.0)
    pair.b.settle()
    assert pair.b.sending_spi() == old.spi_out
    pair.b.engine.traffic_seen(pair.b.child.spi_in, 0.0)
    pair.b.settle()
    assert pair.b.sending_spi() == pair.b.child.spi_out
    pair.run()
    assert pair.b.sending_spi() == pair.b.child.spi_out


def test_responder_ignores_soft_expire() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {CHILD}")
    old = next(child for child in pair.b.children if child.state is ChildState.REKEYED)
    pair.b.rekey_child(old)
    assert not pair.b.outbox
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    assert len(pair.a.children) == len(pair.b.children) == 1
    assert pair.silent()


def test_responder_handles_hard_expire() -> None:
    """Both delete the old child at once: neither answer names it (1.4.1)."""
    pair = Pair.established()
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {CHILD}")
    old = next(child for child in pair.b.children if child.state is ChildState.REKEYED)
    pair.b.delete_child(old)
    assert old.state is ChildState.DELETING
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    pair.flow(f"--> {EMPTY}")
    for node in (pair.a, pair.b):
        assert node.living_spis() == {node.child.spi_in}
        assert node.sending_spi() == node.child.spi_out
    assert pair.silent()


def test_responder_waits_for_a_delete_that_never_comes() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.drop(f"<-- {CHILD}")
    pair.a.ike.channel.window.outstanding = None  # it forgets what it asked for: a broken peer
    pair.a.ike.active = None
    pair.wait(59, deliver=True)
    pair.wait(2)
    assert [child.state for child in pair.b.children] == [ChildState.DELETING, ChildState.INSTALLED]


def test_responder_deletes_the_new_child() -> None:
    pair = Pair.established()
    a, b = pair.a, pair.b
    a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {CHILD}")
    b.delete_child(b.child)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.run()
    assert not a.living_spis() | b.living_spis()
    assert not a.children + b.children
    assert pair.silent()


def test_responder_lost_the_child() -> None:
    pair = Pair.established()
    a, b = pair.a, pair.b
    a.rekey_child()
    b.lose_child()
    pair.flow(f"--> {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { N(CHILD_SA_NOT_FOUND) }")
    assert a.last(ChildSaDeleted).cause is Cause.CHILD_SA_NOT_FOUND
    pair.flow("--> CREATE_CHILD_SA { SA, Ni, KE, TSi, TSr }")
    pair.flow(f"<-- {CHILD}")
    assert a.child.keys_in == b.child.keys_out
    assert pair.silent()


def test_responder_deletes_the_old_child_before_its_answer_arrives() -> None:
    """Wrong of the responder, and seen in the wild: the rekey has to survive it."""
    pair = Pair.established()
    a, b = pair.a, pair.b
    a.rekey_child()
    pair.flow(f"--> {REKEY}")
    late = pair.hold(f"<-- {CHILD}")
    old = next(child for child in b.children if child.state is ChildState.REKEYED)
    b.delete_child(old)
    pair.flow(f"<-- {DELETE}")
    assert not a.children
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {CHILD}", late)
    assert a.child.keys_in == b.child.keys_out
    assert a.sending_spi() == a.child.spi_out
    assert b.sending_spi() == b.child.spi_out
    assert pair.silent()


def test_peer_is_busy_and_asked_again() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    pair.b.delete_child()
    pair.flow(f"--> {REKEY}")
    held = pair.hold(f"<-- {DELETE}")
    pair.flow("<-- CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }")
    assert pair.a.child.state is ChildState.INSTALLED
    assert pair.silent()
    pair.wait(10)
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}", held)
    assert not pair.a.failures()


def test_soft_limit_rekeys_and_hard_limit_is_not_reached() -> None:
    pair = Pair.established()
    pair.wait(3600 * 3, deliver=True)
    for node in (pair.a, pair.b):
        assert len(node.told(ChildSaEstablished)) >= 4
        assert {event.cause for event in node.told(ChildSaDeleted)} <= {Cause.REKEYED, Cause.REDUNDANT}
        assert node.living_spis() == {node.child.spi_in}
        assert not node.failures()
