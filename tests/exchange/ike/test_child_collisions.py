r"""Both sides replace a child at once (RFC 7296 2.8.1, 2.25.1).

a: rekey ----\      /---- rekey :b        each of the four nonces is the lowest once:
              \----/---->                 the SA it belongs to goes, deleted by whoever made it,
     <------------/ /----                 and the maker of the other one deletes the old SA.
          ----\    /
               \--/---->
     <-----------/
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished
from dataplane.ike.machine import ChildState
from tests.exchange.ike.pair import LEFT_PEER, Node, Pair, child_policy, mirrored
from tests.exchange.ike.test_child_rekey import CHILD, DELETE, EMPTY, REKEY

BUSY = "CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }"
UNKNOWN = "CREATE_CHILD_SA { N(CHILD_SA_NOT_FOUND) }"

# the nonces of a's request, b's request, b's answer, a's answer; whether a's SA goes
LOWEST = pytest.mark.parametrize(
    ("nonces", "a_loses"),
    [
        ((0x00, 0xFF, 0xFF, 0xFF), True),
        ((0xFF, 0x00, 0xFF, 0xFF), False),
        ((0xFF, 0xFF, 0x00, 0xFF), True),
        ((0xFF, 0xFF, 0xFF, 0x00), False),
    ],
    ids=["Ni of a", "Ni of b", "Nr of b", "Nr of a"],
)


def roll(pair: Pair, nonces: tuple[int, int, int, int]) -> None:
    pair.a.dice.next_nonces.extend((nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((nonces[1], nonces[2]))


def in_state(node: Node, state: ChildState) -> list[ChildSa]:
    return [child for child in node.children if child.state is state]


def both_requests(pair: Pair, nonces: tuple[int, int, int, int]) -> None:
    """Both ask, both requests arrive, both answers are on their way."""
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    for node in (pair.a, pair.b):
        assert [child.state for child in node.children] == [ChildState.COLLIDED, ChildState.INSTALLED]


def one_is_left(pair: Pair, *, made_by_a: bool) -> None:
    """Both have the same single child, and send on it."""
    a, b = pair.a, pair.b
    assert pair.silent()
    assert a.child.keys_in == b.child.keys_out
    assert a.child.keys_out == b.child.keys_in
    assert (a.child.is_initiator, b.child.is_initiator) == (made_by_a, not made_by_a)
    for node in (a, b):
        assert node.living_spis() == {node.child.spi_in}
        assert node.sending_spi() == node.child.spi_out
        assert len(node.told(ChildSaEstablished)) == len(node.told(ChildSaDeleted)) + 1
        assert not node.failures()


@LOWEST
def test_rekeys_collide(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = Pair.established()
    both_requests(pair, nonces)
    pair.flow(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    loser, winner = (pair.a, pair.b) if a_loses else (pair.b, pair.a)
    # Each knows at once; the winner sends on its new SA, the loser waits to see the peer there.
    assert winner.sending_spi() == winner.child.spi_out
    assert in_state(loser, ChildState.DELETING)[0].is_initiator
    assert loser.sending_spi() != winner.child.spi_in
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    one_is_left(pair, made_by_a=not a_loses)
    causes = {event.cause for event in pair.a.told(ChildSaDeleted)}
    assert causes == {Cause.REKEYED, Cause.REDUNDANT}


@LOWEST
def test_delayed_response(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b is done with its part, and has deleted what it has to, before a hears the answer to its request."""
    pair = Pair.established()
    both_requests(pair, nonces)
    late = pair.hold(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {CHILD}", late)
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_delayed_response_and_delete(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b even deletes the SA that is left before a hears the answer to its request: nothing is to remain."""
    pair = Pair.established()
    both_requests(pair, nonces)
    late = pair.hold(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.b.delete_child(pair.b.child)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE if a_loses else EMPTY}")  # a does not know its own SA yet
    pair.flow(f"<-- {CHILD}", late)
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {DELETE}")
    assert pair.silent()
    for node in (pair.a, pair.b):
        assert not node.children
        assert not node.living_spis()


@LOWEST
def test_delayed_request(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """b never knows that there was a collision; a's request finds the old SA about to go."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"<-- {BUSY}")
    pair.flow(f"--> {DELETE}")
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_request_refused_before_the_delete(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    delete = pair.hold(f"<-- {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {BUSY}")
    assert in_state(pair.a, ChildState.REKEYED)
    pair.flow(f"<-- {DELETE}", delete)
    pair.flow(f"--> {DELETE}")
    one_is_left(pair, made_by_a=False)
    pair.wait(30, deliver=True)  # nobody comes back to it
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_request_more(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """a's request finds no old SA any more."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {UNKNOWN}")
    one_is_left(pair, made_by_a=False)


@LOWEST
def test_delayed_request_more_and_delete(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    """And b has deleted its new SA, too: a must not make another one."""
    pair = Pair.established()
    roll(pair, nonces)
    pair.a.rekey_child()
    pair.b.rekey_child()
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.b.delete_child()
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {UNKNOWN}")
    assert pair.silent()
    assert not pair.a.living_spis() | pair.b.living_spis()


def test_dropped_request() -> None:
    """a's request is lost, b's rekey runs its course; a's retransmission is answered with CHILD_SA_NOT_FOUND."""
    pair = Pair.established()
    pair.a.rekey_child()
    pair.drop(f"--> {REKEY}")
    pair.b.rekey_child()
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    pair.wait(1)
    pair.flow(f"--> {REKEY}")
    pair.flow(f"<-- {UNKNOWN}")
    one_is_left(pair, made_by_a=False)


def test_loser_does_not_delete_its_sa() -> None:
    """The peer that lost is broken: in the end, its SA is deleted for it."""
    pair = Pair.established()
    both_requests(pair, (0x00, 0xFF, 0xFF, 0xFF))
    pair.flow(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    loser = in_state(pair.a, ChildState.DELETING)[0]
    pair.a.outbox.clear()
    pair.a.ike.active = pair.a.ike.channel.window.outstanding = None
    pair.a.ike.channel.window.next_id += 0
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {DELETE}")
    assert len(pair.b.children) == 2
    pair.wait(59, deliver=True)
    pair.wait(2)
    assert [child.state for child in pair.b.children if child.spi_out == loser.spi_in] == [ChildState.DELETING]


def conflicting() -> Pair:
    left = replace(LEFT_PEER, children=(child_policy(19, 20),))
    right = mirrored(replace(LEFT_PEER, children=(child_policy(20, 19),)))
    return Pair.established(left, right)


def refuse_both_groups(pair: Pair) -> None:
    """Each wants the group that the other one did not try."""
    pair.a.rekey_child()
    pair.b.rekey_child()
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    for node in (pair.a, pair.b):
        assert node.child.state is ChildState.REKEYING
    invalid = pair.hold("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }")
    pair.flow("--> CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }")
    pair.flow("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }", invalid)


@LOWEST
def test_ke_invalid(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = conflicting()
    # The nonces of the first tries must not matter.
    pair.a.dice.next_nonces.extend((0x00 if not a_loses else 0xFF, 0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((0x00 if a_loses else 0xFF, 0xFF, nonces[1], nonces[2]))
    refuse_both_groups(pair)
    first = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {REKEY}", first)
    pair.flow(f"<-- {CHILD}")
    pair.flow(f"--> {CHILD}")
    pair.run()
    one_is_left(pair, made_by_a=not a_loses)


@LOWEST
def test_ke_invalid_and_delayed_retry(nonces: tuple[int, int, int, int], a_loses: bool) -> None:
    pair = conflicting()
    pair.a.dice.next_nonces.extend((0xFF, 0xFF, nonces[0], nonces[3]))
    pair.b.dice.next_nonces.extend((0xFF, 0xFF, nonces[1], nonces[2]))
    refuse_both_groups(pair)
    late = pair.hold(f"--> {REKEY}")
    pair.flow(f"<-- {REKEY}")
    pair.flow(f"--> {CHILD}")
    pair.flow(f"--> {REKEY}", late)
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"<-- {BUSY}")
    pair.flow(f"--> {DELETE}")
    one_is_left(pair, made_by_a=False)


def test_ke_invalid_on_one_side_while_the_other_succeeds() -> None:
    """b's request arrives and is agreed to before a hears that its own group is wrong: a does not try again."""
    pair = conflicting()
    pair.a.rekey_child()
    pair.flow(f"--> {REKEY}")
    invalid = pair.hold("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }")
    pair.b.child.policy = child_policy(19, local="10.0.0.0/16", remote="192.168.0.0/16")
    pair.b.rekey_child()
    pair.flow(f"<-- {REKEY}")
    pair.flow("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }", invalid)
    pair.run()
    one_is_left(pair, made_by_a=False)
