"""A bad wire for MKPDUs: loss, duplication, disorder, silence. Data is spared: a frame that is lost is our fault."""

from __future__ import annotations

import pytest

from dataplane.macsec.suites import GCM_AES_XPN_128
from dataplane.mka.events import EnableTransmitSa, SetControlledPort
from tests.exchange.mka.lan import Faults, Lan, cak, pair


def rough() -> Faults:
    return Faults(loss=0.3, duplication=0.3, lateness=0.3)


def secured_within(lan: Lan, seconds: int) -> bool:
    """Whether there is a second at the end of which everybody is secured."""
    for _ in range(seconds):
        lan.run(1)
        if lan.secured():
            return True
    return False


@pytest.mark.parametrize("seed", range(40))
def test_a_pair_converges_on_a_rough_wire(seed: int) -> None:
    lan = pair(seed, rough())
    assert secured_within(lan, 10)
    lan.run(60)
    assert lan.unready == []
    lan.faults = Faults()
    assert secured_within(lan, 10)


@pytest.mark.parametrize("seed", range(20))
def test_three_converge_on_a_rough_wire(seed: int) -> None:
    lan = Lan(seed, rough())
    for number in (1, 2, 3):
        lan.member(number, suite=GCM_AES_XPN_128).join(cak())
    assert secured_within(lan, 30)
    lan.run(60)
    assert lan.unready == []
    lan.faults = Faults()
    assert secured_within(lan, 20)


def test_a_pair_stays_secured_nearly_all_the_time_on_a_rough_wire() -> None:
    lan = pair(1, rough())
    secured = []
    lan.run(3600, lambda: secured.append(lan.secured()), every=1.0)
    assert sum(secured) / len(secured) > 0.95


@pytest.mark.parametrize("seed", range(10))
def test_rekeys_on_a_rough_wire_never_use_an_an_that_nobody_receives_with(seed: int) -> None:
    lan = pair(seed, rough())
    lan.run(12)
    for _ in range(20):
        lan.members[0].kay.rekey(lan.now)
        lan.members[0].work()
        lan.run(7)
    assert sum(isinstance(event, EnableTransmitSa) for event in lan.members[1].events) > 15
    assert lan.unready == []
    lan.faults = Faults()
    lan.run(10)
    assert lan.secured()


def test_the_cable_is_pulled_and_put_back() -> None:
    lan = pair()
    lan.run(10)
    before = {member.number: member.kay.status(lan.now).saks[0].identifier for member in lan.members}
    lan.faults.cut.add(1)
    lan.run(3.9)  # a life time after what was heard last, which may have been a hello time ago
    assert all(member.open for member in lan.members)
    lan.run(4.2)
    assert not any(member.open for member in lan.members)
    assert all(member.secy.transmit.encoding_sa is None for member in lan.members)
    assert all(member.secy.receive_channels() == () for member in lan.members)
    lan.run(60)
    lan.faults.cut.clear()
    lan.run(2.1)  # a hello time
    assert lan.secured()
    assert lan.unready == []
    for member in lan.members:
        assert member.kay.status(lan.now).saks[0].identifier != before[member.number]


@pytest.mark.parametrize("deaf", [0, 1], ids=["key-server-deaf", "other-deaf"])
def test_a_wire_that_works_one_way_only(deaf: int) -> None:
    lan = pair()
    lan.run(10)
    deaf_one = lan.members[deaf]
    lan.filter = lambda sender, receiver, frame: None if receiver is deaf_one else frame
    lan.run(20)
    assert not any(member.open for member in lan.members)
    troubles = [member.kay.status(lan.now).trouble for member in lan.members]
    assert {trouble.name for trouble in troubles if trouble is not None} == {"SILENCE", "NOT_HEARD"}
    lan.filter = lambda sender, receiver, frame: frame
    lan.run(2.1)
    assert lan.secured()
    assert lan.unready == []


def test_a_short_silence_goes_unnoticed() -> None:
    lan = pair()
    lan.run(10)
    lan.faults.cut.add(1)
    lan.run(3.9)
    lan.faults.cut.clear()
    lan.run(10)
    assert lan.secured()
    assert all(
        [event.enabled for event in member.events if isinstance(event, SetControlledPort)] == [True]
        for member in lan.members
    )


def test_a_restarted_member_is_back_at_once() -> None:
    lan = pair()
    lan.run(10)
    lan.members.pop(1)
    lan.seed += 1  # other entropy
    lan.run(1)
    lan.member(2).join(cak())
    lan.run(0.05)
    assert lan.secured()
    assert lan.unready == []


def test_a_wire_that_works_again_is_used_at_once() -> None:
    lan = pair()
    lan.run(10)
    lan.faults.cut.add(1)
    lan.run(30)
    lan.faults.cut.clear()
    for member in lan.members:
        member.kay.port_up(lan.now)
        member.work()
    lan.run(0.05)
    assert lan.secured()
    assert lan.unready == []
