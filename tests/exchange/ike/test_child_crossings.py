"""Deletes, and the IKE SA's own affairs, that cross the rekey of a child (RFC 7296 2.25.1, 2.25.2)."""

from __future__ import annotations

from dataclasses import replace

from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished
from dataplane.ike.host import Datagram
from dataplane.ike.machine import ChildState
from tests.exchange.ike.pair import LEFT_PEER, Pair, child_policy, mirrored
from tests.exchange.ike.test_child_collisions import BUSY, LOWEST, UNKNOWN, both_requests, in_state, one_is_left, roll
from tests.exchange.ike.test_child_rekey import BOTH, CHILD, DELETE, EMPTY, REKEY


@BOTH
def test_delete_crosses_rekey(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete_child()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    assert not pair.a.children
    pair.flow(f"<-- {BUSY}")
    pair.flow(f"--> {DELETE}")
    assert not pair.b.children
    assert pair.silent()
    pair.wait(44)  # nothing is tried again
    assert pair.silent()


@BOTH
def test_delete_is_delayed(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete_child()
    pair.flow(f"--> {REKEY}")
    late = pair.hold(f"<-- {DELETE}")
    pair.flow(f"<-- {BUSY}")
    assert pair.a.child.state is ChildState.INSTALLED
    assert pair.a.child.soft_at <= 10  # it will be tried again, should the delete not come
    pair.flow(f"<-- {DELETE}", late)
    assert not pair.a.children
    pair.flow(f"--> {DELETE}")
    pair.wait(30)
    assert pair.silent()


@BOTH
def test_rekey_is_delayed(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {UNKNOWN}")
    assert not pair.a.children + pair.b.children
    assert pair.silent()


@BOTH
def test_new_child_is_deleted_before_the_answer_arrives(swap: bool) -> None:
    """a hears of the delete before it hears of the child."""
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    late = pair.hold(f"<-- {CHILD}")
    pair.b.delete_child(in_state(pair.b, ChildState.INSTALLED)[0])
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"<-- {CHILD}", late)
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    assert pair.silent()
    for node in (pair.a, pair.b):
        assert not node.children
        assert not node.living_spis()
        assert len(node.told(ChildSaEstablished)) == 2  # keys that were made are told, however short their life


@LOWEST
def test_collision_and_wrong_deletes_of_the_old_child(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b deletes the old child as soon as it has answered, collision or not."""
    pair = Pair.established()
    both_requests(pair, nonces)
    late = pair.hold(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    if a_loses:  # b's first delete is the old child's anyway
        pair.flow(f"<-- {DELETE}")
        pair.flow(f"--> {DELETE}")
    else:
        pair.flow(f"<-- {DELETE}")
        pair.flow(f"--> {DELETE}")
        pair.b.delete_child(in_state(pair.b, ChildState.REKEYED)[0])
        pair.flow(f"<-- {DELETE}")
        pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {CHILD}", late)
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


@BOTH
def test_delete_crosses_rekey_and_is_lost(swap: bool) -> None:
    """b's delete is lost; a's rekey is refused meanwhile, and not tried again once the delete comes after all."""
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete_child()
    pair.drop(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {BUSY}")
    pair.wait(1)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    assert not pair.a.children + pair.b.children
    pair.wait(40, deliver=True)
    assert not pair.a.children + pair.b.children
    assert not pair.a.failures() + pair.b.failures()


@BOTH
def test_delete_crosses_rekey_that_is_lost(swap: bool) -> None:
    """a's rekey is lost; when it comes after all, the child is gone, and a must not make another one."""
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete_child()
    pair.drop(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.wait(1)
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {UNKNOWN}")
    assert pair.silent()
    assert not pair.a.children + pair.b.children
    assert not pair.a.failures() + pair.b.failures()


@LOWEST
def test_second_try_collides_with_a_first(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """a's group was refused; b begins while a tries again, with a group that a likes at once."""
    left = replace(LEFT_PEER, children=(child_policy(19, 20),))
    right = mirrored(replace(LEFT_PEER, children=(child_policy(20, 19),)))
    pair = Pair.established(left, right)
    pair.b.child.policy = replace(pair.b.child.policy, proposals=right.children[0].proposals)
    pair.a.dice.next_nonces.extend((0x00 if not a_loses else 0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((0xFF, nonces[1], nonces[2]))  # the first is for an answer that is not given
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }")
    retry = pair.hold(f"--> {REKEY}")
    pair.a.child.policy = replace(pair.a.child.policy, proposals=child_policy(20).proposals)
    pair.b.rekey_child()
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", retry)
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {CHILD}")
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_delayed_request_and_lost_delete(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """a's request is refused, since b's rekey is done; b's delete of the old child is lost, and comes again."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.drop(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {BUSY}")
    pair.wait(1)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_lost_answers(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """Both answers are lost; repeated, they are the same, and so is how it ends."""
    pair = Pair.established()
    both_requests(pair, nonces)
    pair.drop(f"<-- {CHILD}")
    pair.drop(f"--> {CHILD}")
    pair.wait(1)
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


# ---- the IKE SA's own affairs cross a child's ----


@BOTH
def test_ike_rekey_crosses_child_rekey(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.rekey_ike()
    pair.flow(f"--> {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { SA, Ni, KE }")
    pair.flow(f"<-- {BUSY}")
    pair.flow(f"--> {BUSY}")
    assert pair.a.child.state is ChildState.INSTALLED
    assert pair.silent()
    pair.wait(30, deliver=True)  # both are tried again, at their own times
    for node in (pair.a, pair.b):
        assert len(node.told(ChildSaEstablished)) == 2
        assert len(node.sas) == 1
        assert node.sas[0].predecessor is not None
        assert not node.failures() or node.failures() == ["IkeSaDeleted: replaced by its successor"]


@BOTH
def test_ike_delete_crosses_child_rekey(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_child()
    pair.b.delete()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    assert not pair.a.sas
    late: Datagram = pair.hold(f"<-- {BUSY}")
    pair.a.receive(late)  # of no interest any more
    pair.flow(f"--> {EMPTY}")
    assert not pair.b.sas
    for node in (pair.a, pair.b):
        assert not node.living_spis()
        assert node.last(ChildSaDeleted).cause is Cause.IKE_SA_GONE
