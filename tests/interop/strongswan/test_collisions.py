"""Both sides at once: a charon that takes in each message 300 ms late, so that what the two begin together crosses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    ChildSaEstablished,
    IkeRekeyFailed,
    IkeSaDeleted,
    IkeSaEstablished,
)
from tests.interop.gateway import Gateway
from tests.interop.strongswan.rig import AZURE, MODERN, Policy, Rig
from tests.interop.world import Command

pytestmark = pytest.mark.interop

LOWEST, HIGHEST = 0x00, 0xFF
# The nonce of our request, then that of our answer: whoever made the exchange with the lowest of all four loses.
OUTCOME = pytest.mark.parametrize(
    "nonces", [(LOWEST, HIGHEST), (HIGHEST, LOWEST)], ids=["ours-goes", "strongswans-goes"]
)


@pytest.fixture(scope="module")
def slow(strongswan: None) -> Iterator[Rig]:
    with Rig({"receive_delay": 300, "retransmit_timeout": "4.0"}) as made:
        yield made


def together(slow: Rig, theirs: Callable[[], Command], ours: Callable[[], None]) -> None:
    """charon begins, and we do before we look at what it sent; ours reaches it while its own is open."""
    assert slow.gateway is not None
    command = theirs()
    command.result()
    ours()
    slow.gateway.speak()
    time.sleep(0.1)  # a charon takes in two messages that are close together in any order
    slow.gateway.rest(0.7)


def up(slow: Rig, policy: Policy) -> Gateway:
    gateway = slow.prepare(policy)
    slow.establish(gateway)
    slow.settled()
    return gateway


@OUTCOME
@pytest.mark.parametrize("policy", [AZURE, MODERN], ids=str)
def test_both_replace_the_child(slow: Rig, policy: Policy, nonces: tuple[int, int]) -> None:
    gateway = up(slow, policy)
    before = slow.charon.log().count("collision")
    pings = (slow.out.begin(60), slow.back.begin(60))
    gateway.nonces.next.extend(nonces)
    together(slow, slow.charon.rekey_child, gateway.rekey_child)
    slow.settled()
    assert slow.charon.log().count("collision") > before
    assert len(gateway.told(ChildSaEstablished)) == 3
    assert sorted(event.cause.name for event in gateway.told(ChildSaDeleted)) == ["REDUNDANT", "REKEYED"]
    assert gateway.child.is_initiator is (nonces[0] == HIGHEST)
    slow.all_arrive(*pings)
    slow.pings_both_ways()


@OUTCOME
@pytest.mark.parametrize("policy", [AZURE, MODERN], ids=str)
def test_both_replace_the_ike_sa(slow: Rig, policy: Policy, nonces: tuple[int, int]) -> None:
    gateway = up(slow, policy)
    before = slow.charon.log().count("collision")
    child = gateway.child.spi_in
    gateway.nonces.next.extend(nonces)
    together(slow, slow.charon.rekey_ike, gateway.rekey_ike)
    slow.settled()
    assert slow.charon.log().count("collision") > before
    assert len(gateway.told(IkeSaEstablished)) == 3
    assert sorted(event.cause.name for event in gateway.told(IkeSaDeleted)) == ["REDUNDANT", "REKEYED"]
    assert gateway.sa.is_initiator is (nonces[0] == HIGHEST)
    assert gateway.child.spi_in == child
    slow.pings_both_ways()
    slow.obey(slow.charon.rekey_child())  # the IKE SA that is left works both ways
    slow.settled()
    gateway.rekey_child()
    slow.settled()
    slow.pings_both_ways()


def test_child_and_ike_sa_are_replaced_at_once(slow: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """TEMPORARY_FAILURE from both; what each wanted is done later, and nothing breaks meanwhile."""
    monkeypatch.setattr("dataplane.ike.tasks.rekey_child.BUSY_SECONDS", 0.5)
    gateway = up(slow, AZURE)
    before = slow.charon.log().count("N(TEMP_FAIL)")
    together(slow, slow.charon.rekey_ike, gateway.rekey_child)
    assert slow.charon.log().count("N(TEMP_FAIL)") == before + 2  # one sent, one received
    slow.pings_both_ways()
    assert gateway.serve(lambda: len(gateway.told(ChildSaEstablished)) == 2), slow.story()
    slow.settled()
    slow.pings_both_ways()


def test_ike_sa_and_child_are_replaced_at_once(slow: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataplane.ike.tasks.rekey_ike.BUSY_SECONDS", 0.5)
    gateway = up(slow, AZURE)
    before = slow.charon.log().count("N(TEMP_FAIL)")
    together(slow, slow.charon.rekey_child, gateway.rekey_ike)
    assert slow.charon.log().count("N(TEMP_FAIL)") == before + 2
    assert gateway.serve(lambda: len(gateway.told(IkeSaEstablished)) == 2), slow.story()
    assert not gateway.told(IkeRekeyFailed)
    slow.settled()
    slow.pings_both_ways()


def test_one_closes_the_child_that_the_other_replaces(slow: Rig) -> None:
    gateway = up(slow, AZURE)

    def close() -> None:
        gateway.ike.delete_child(gateway.child.spi_in, gateway.now)

    together(slow, slow.charon.rekey_child, close)
    assert gateway.serve(lambda: not gateway.sa.children), slow.story()
    assert gateway.told(ChildSaDeleted)[-1].cause is Cause.CLOSED_HERE
    gateway.initiate()
    slow.settled()
    slow.pings_both_ways()


def test_both_close_the_child(slow: Rig) -> None:
    gateway = up(slow, AZURE)
    command = slow.charon.terminate_child()
    gateway.rest(0.1)
    slow.obey(command)
    assert gateway.serve(lambda: not gateway.sa.children and gateway.sa.active is None), slow.story()
    gateway.initiate()
    slow.settled()
    slow.pings_both_ways()
