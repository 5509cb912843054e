"""Both replace the IKE SA at once, or one deletes what the other replaces (RFC 7296 2.8.2, 2.25.2)."""

from __future__ import annotations

from dataclasses import replace

from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    IkeKeysDerived,
    IkeSaDeleted,
    IkeSaEstablished,
)
from dataplane.ike.machine import IkeState
from dataplane.ike.policy import IkePolicy
from tests.exchange.ike.pair import LEFT_PEER, Pair, ike_proposal, mirrored
from tests.exchange.ike.test_child_collisions import LOWEST, roll
from tests.exchange.ike.test_child_rekey import BOTH, CHILD, DELETE, EMPTY
from tests.exchange.ike.test_child_rekey import REKEY as REKEY_CHILD
from tests.exchange.ike.test_ike_rekey import BUSY, INVALID_KE, REKEY, REKEYED


def both_requests(pair: Pair, nonces: tuple[int, int, int, int]) -> None:
    roll(pair, nonces)
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    for node in (pair.a, pair.b):
        assert node.ike_states() == [IkeState.COLLIDED, IkeState.ESTABLISHED]
        assert [len(sa.children) for sa in node.sas] == [1, 0]  # nobody inherits before it is settled


def one_is_left(pair: Pair, *, made_by_a: bool) -> None:
    a, b = pair.a, pair.b
    assert pair.silent()
    assert [sa.id for sa in a.sas] == [sa.id for sa in b.sas]
    assert (a.ike.is_initiator, b.ike.is_initiator) == (made_by_a, not made_by_a)
    assert a.child.keys_in == b.child.keys_out
    for node in (a, b):
        assert node.ike_states() == [IkeState.ESTABLISHED]
        assert len(node.ike.children) == 1
        assert not node.told(ChildSaDeleted)
        assert len(node.told(IkeSaEstablished)) == len(node.told(IkeSaDeleted)) + 1
        assert len(node.told(IkeKeysDerived)) == len(node.told(IkeSaEstablished))
    a.dpd()
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"<-- {EMPTY}")
    b.rekey_child()
    pair.run()
    assert a.child.keys_in == b.child.keys_out


@LOWEST
def test_rekeys_collide(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = Pair.established()
    both_requests(pair, nonces)
    pair.flow(f"<-- {REKEYED}")
    pair.flow(f"--> {REKEYED}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"<-- {EMPTY}")
    assert {event.cause for event in pair.a.told(IkeSaDeleted)} == {Cause.REKEYED, Cause.REDUNDANT}
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_ke_invalid_collision(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20, 19),))))
    pair = Pair.established(left, right)
    pair.a.dice.next_nonces.extend((0x00 if not a_loses else 0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((0x00 if a_loses else 0xFF, nonces[1], nonces[2]))
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    invalid = pair.hold(f"<-- {INVALID_KE}")
    pair.flow(f"--> {INVALID_KE}")
    pair.flow(f"<-- {INVALID_KE}", invalid)
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_ke_invalid_and_delayed_retry(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20, 19),))))
    pair = Pair.established(left, right)
    pair.a.dice.next_nonces.extend((0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((0xFF, nonces[1], nonces[2]))
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    invalid = pair.hold(f"<-- {INVALID_KE}")
    pair.flow(f"--> {INVALID_KE}")
    pair.flow(f"<-- {INVALID_KE}", invalid)
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEYED}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {DELETE}")
    pair.a.receive(pair.hold(f"<-- {BUSY}"))  # of no interest: the SA it came on is gone
    pair.flow(f"--> {EMPTY}")
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_response(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = Pair.established()
    both_requests(pair, nonces)
    late = pair.hold(f"<-- {REKEYED}")
    pair.flow(f"--> {REKEYED}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    if not a_loses:
        pair.flow(f"<-- {REKEYED}", late)
        pair.flow(f"--> {DELETE}")
        pair.flow(f"<-- {EMPTY}")
        one_is_left(pair, made_by_a=True)
        return
    # b closed the old SA, so its answer finds nobody: a never learns of the SA that it made, and b ends it in time.
    pair.a.receive(late)
    assert pair.a.ike_states() == [IkeState.ESTABLISHED]
    assert pair.a.ike.id in {sa.id for sa in pair.b.sas}
    assert len(pair.b.sas) == 2
    pair.wait(60, deliver=True)
    pair.wait(200, deliver=True)
    assert pair.a.ike_states() == pair.b.ike_states() == [IkeState.ESTABLISHED]
    assert pair.a.ike.id == pair.b.ike.id
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert not pair.a.told(ChildSaDeleted) + pair.b.told(ChildSaDeleted)


@LOWEST
def test_delayed_response_while_b_goes_on(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b, who knows how it ended, replaces the child on the SA that lives; a, who does not, learns it from that."""
    pair = Pair.established()
    both_requests(pair, nonces)
    late = pair.hold(f"<-- {REKEYED}")
    pair.flow(f"--> {REKEYED}")
    if not a_loses:
        return  # then b goes on with an SA that a does not know yet
    delete = pair.hold(f"<-- {DELETE}")
    pair.b.rekey_child()
    pair.flow(f"<-- {REKEY_CHILD}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {REKEYED}", late)
    pair.flow(f"<-- {DELETE}", delete)
    pair.run()
    assert pair.a.ike.id == pair.b.ike.id
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert len(pair.a.told(ChildSaDeleted)) == 1


@LOWEST
def test_dropped_request(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b never hears of a's request; a forgets it when b closes the old SA."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEYED}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    pair.b.receive(late)
    pair.b.outbox.clear()  # INVALID_IKE_SPI, which is not authenticated and so of no effect
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_request(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """a's request finds the old SA being closed."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEYED}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {DELETE}")
    pair.a.receive(pair.hold(f"<-- {BUSY}"))
    pair.flow(f"--> {EMPTY}")
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_request_and_delete(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """The refusal arrives before the delete: a does not try again."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEYED}")
    delete = pair.hold(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {BUSY}")
    assert pair.a.ike_states() == [IkeState.REKEYED, IkeState.ESTABLISHED]
    pair.flow(f"<-- {DELETE}", delete)
    pair.flow(f"--> {EMPTY}")
    one_is_left(pair, made_by_a=False)


@BOTH
def test_delete_crosses_rekey(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_ike()
    pair.b.delete()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    pair.a.receive(pair.hold(f"<-- {BUSY}"))
    pair.flow(f"--> {EMPTY}")
    for node in (pair.a, pair.b):
        assert not node.sas
        assert not node.living_spis()
    assert pair.a.last(IkeSaDeleted).cause is Cause.CLOSED_BY_PEER
    assert pair.b.last(IkeSaDeleted).cause is Cause.CLOSED_HERE


@BOTH
def test_delete_crosses_rekey_and_is_delayed(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_ike()
    pair.b.delete()
    late = pair.hold(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {BUSY}")
    assert pair.a.ike_states() == [IkeState.ESTABLISHED]
    assert pair.a.ike.rekey_at is not None
    assert pair.a.ike.rekey_at <= 10  # to be tried again
    pair.flow(f"<-- {DELETE}", late)
    pair.flow(f"--> {EMPTY}")
    assert not pair.a.sas + pair.b.sas
    assert pair.silent()


@BOTH
def test_delete_crosses_rekey_and_is_lost(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_ike()
    pair.b.delete()
    pair.drop(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {BUSY}")
    pair.wait(1)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    assert not pair.a.sas + pair.b.sas
    pair.wait(60, deliver=True)
    assert not pair.a.sas + pair.b.sas


@BOTH
def test_delete_crosses_rekey_that_is_lost(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    pair.a.rekey_ike()
    pair.b.delete()
    pair.drop(f"--> {REKEY}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    assert not pair.a.sas + pair.b.sas
    assert not pair.a.living_spis() | pair.b.living_spis()
    pair.wait(60, deliver=True)
    assert not pair.a.sas + pair.b.sas


@BOTH
def test_delete_of_the_old_ike_sa_never_comes(swap: bool) -> None:
    """a made the successor and forgets to delete what it replaced: b does it in the end."""
    pair = Pair.established(swap=swap)
    pair.a.rekey_ike()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {REKEYED}")
    pair.a.outbox.clear()
    old = next(sa for sa in pair.a.sas if sa.state is IkeState.DELETING)
    old.active = old.channel.window.outstanding = None
    pair.wait(59, deliver=True)
    assert IkeState.REKEYED in pair.b.ike_states()
    pair.wait(2, deliver=True)
    assert pair.b.ike_states() == [IkeState.ESTABLISHED]
    assert pair.a.ike.id == pair.b.ike.id
    assert pair.a.child.keys_in == pair.b.child.keys_out


@LOWEST
def test_second_try_collides_with_a_first(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """a's group was refused; b begins while a tries again, with a group that a likes at once."""
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20, 19),))))
    pair = Pair.established(left, right)
    pair.a.dice.next_nonces.extend((0x00 if not a_loses else 0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((nonces[1], nonces[2]))
    pair.a.rekey_ike()
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {INVALID_KE}")
    retry = pair.hold(f"--> {REKEY}")
    pair.a.ike.peer = replace(left, ike=IkePolicy(proposals=(ike_proposal(20),)))
    pair.b.rekey_ike()
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", retry)
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_lost_answers(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """Both answers are lost; repeated, they are the same, and so is how it ends."""
    pair = Pair.established()
    both_requests(pair, nonces)
    pair.drop(f"<-- {REKEYED}")
    pair.drop(f"--> {REKEYED}")
    pair.wait(1)
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)
