"""More than two members: a late joiner, leavers, a better key server, and the SSCIs that follow the membership."""

from __future__ import annotations

import pytest

from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, GCM_AES_XPN_128, CipherSuite
from dataplane.mka.events import CreateReceiveSa, CreateTransmitSa, MemberJoined, MemberLeft
from dataplane.mka.keys import number_sscis
from tests.exchange.mka.lan import Lan, cak
from tests.exchange.mka.test_rekey import Traffic


def three(**settings: CipherSuite) -> Lan:
    lan = Lan()
    suite = settings.get("suite", GCM_AES_XPN_128)
    for number in (1, 2, 3):
        lan.member(number, suite=suite)
    return lan


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_three_at_once(suite: CipherSuite) -> None:
    lan = three(suite=suite)
    for member in lan.members:
        member.join(cak())
    lan.run(0.5)
    assert lan.secured()
    assert lan.unready == []
    lan.run(4)
    traffic = Traffic(lan)
    lan.run(1, traffic)
    assert traffic.lost() == 0


@pytest.mark.parametrize("late", [0, 1, 2], ids=["best-key-server", "middle", "last"])
def test_a_late_joiner_disturbs_nobody(late: int) -> None:
    lan = three()
    joiner = lan.members.pop(late)
    for member in lan.members:
        member.join(cak())
    lan.run(10)
    assert lan.secured()
    traffic = Traffic(lan)
    lan.run(1, traffic)
    lan.members.append(joiner)
    joiner.join(cak())
    lan.run(0.05, lambda: [member.send(b"on") for member in lan.members[:2]].clear())
    assert lan.secured()
    assert lan.unready == []
    scis = {member.sci for member in lan.members}
    for member in lan.members:
        assert set(member.kay.status(lan.now).participants[0].live) == scis - {member.sci}
    lan.run(4)
    assert all(member.discarded == [] for member in lan.members[:2])
    everybody = Traffic(lan)
    for member in lan.members:
        member.delivered.clear()
        member.discarded.clear()
    lan.run(1, everybody)
    assert everybody.lost() == 0


def test_sscis_are_numbered_anew_when_the_membership_changes() -> None:
    lan = three()
    lan.members[0].join(cak())
    lan.members[1].join(cak())
    lan.run(10)
    lan.members[2].join(cak())
    lan.run(0.05)
    assert lan.secured()
    latest: dict[bytes, bytes | None] = {}
    for event in lan.members[0].events:
        if isinstance(event, CreateReceiveSa | CreateTransmitSa):
            latest[event.sci] = event.ssci
    expected = number_sscis(member.sci for member in lan.members)
    assert latest == {sci: number.to_bytes(4, "big") for sci, number in expected.items()}


def test_who_leaves_gets_no_further_sak() -> None:
    lan = three()
    for member in lan.members:
        member.join(cak())
    lan.run(10)
    gone = lan.members[2]
    sak_before = gone.kay.status(lan.now).saks[0].identifier
    gone.alive = False
    lan.faults.cut.add(gone.number)
    lan.run(9)  # a life time, and at most a hello time
    stayed = lan.members[:2]
    for member in stayed:
        status = member.kay.status(lan.now)
        assert gone.sci not in status.participants[0].live
        assert status.saks[0].identifier != sak_before
        assert member.secy.receive_channel(gone.sci) is None
        assert MemberLeft(ckn=cak().ckn, sci=gone.sci) in member.events
    assert lan.secured()
    assert lan.unready == []


def test_the_key_server_leaves_and_another_takes_over() -> None:
    lan = three()
    for member in lan.members:
        member.join(cak())
    lan.run(10)
    lan.members[0].alive = False
    lan.faults.cut.add(1)
    seen = [len(member.delivered) for member in lan.members]
    sent = 0

    def talk() -> None:
        nonlocal sent
        assert lan.members[1].send(b"on")
        sent += 1

    lan.run(12, talk)
    assert {m.kay.status(lan.now).participants[0].key_server for m in lan.members[1:]} == {lan.members[1].sci}
    assert lan.secured()
    assert lan.unready == []
    lan.run(0.01)
    assert len(lan.members[2].delivered) - seen[2] == sent


def test_a_member_that_restarts_is_somebody_new() -> None:
    lan = three()
    for member in lan.members:
        member.join(cak())
    lan.run(10)
    old = lan.members.pop(2)
    lan.seed += 1  # other entropy
    new = lan.member(3, suite=GCM_AES_XPN_128)
    assert new.sci == old.sci
    new.join(cak())
    lan.run(0.05)
    assert lan.secured()
    joined = [event for event in lan.members[0].events if isinstance(event, MemberJoined) and event.sci == new.sci]
    assert len(joined) == 2
    lan.run(4)
    traffic = Traffic(lan)
    for member in lan.members:
        member.delivered.clear()
        member.discarded.clear()
    lan.run(1, traffic)
    assert traffic.lost() == 0


def test_nobody_wants_to_be_key_server() -> None:
    lan = Lan()
    for number in (1, 2):
        lan.member(number, priority=255).join(cak())
    lan.run(20)
    assert not any(member.open for member in lan.members)
    troubles = {member.kay.status(lan.now).trouble for member in lan.members}
    assert [trouble.name for trouble in troubles if trouble is not None] == ["NO_KEY_SERVER"]


def test_a_fresh_sak_waits_for_members_to_know_each_other_and_follows_when_they_do_later() -> None:
    lan = three(suite=GCM_AES_128)
    server = lan.members[0]
    strangers = {2, 3}
    lan.filter = lambda sender, receiver, frame: None if {sender.number, receiver.number} == strangers else frame
    for member in lan.members:
        member.join(cak())
    lan.run(5)
    assert server.kay.counters.saks_distributed == 1  # with the first that it heard
    lan.run(3)
    assert server.kay.counters.saks_distributed == 2  # it may never change
    lan.filter = lambda sender, receiver, frame: frame
    lan.run(8)
    assert server.kay.counters.saks_distributed == 3
    assert lan.secured()
    assert lan.unready == []
    lan.run(20)
    assert server.kay.counters.saks_distributed == 3
    traffic = Traffic(lan)
    for member in lan.members:
        member.delivered.clear()
        member.discarded.clear()
    lan.run(1, traffic)
    assert traffic.lost() == 0
