"""Two members: from nothing to a secured port, and what the wire looks like from then on."""

from __future__ import annotations

import pytest

from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, GCM_AES_XPN_256, CipherSuite
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.events import CreateReceiveSa, CreateTransmitSa
from dataplane.mka.keys import number_sscis
from dataplane.mka.machine import State
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.peerlists import LivePeerList, PotentialPeerList
from dataplane.mka.paramsets.sakuse import SakUse, Xpn
from tests.exchange.mka.lan import Lan, cak, pair


def mkpdu(frame: bytes) -> Mkpdu:
    return Mkpdu.parse(frame[18:])


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_a_pair_is_secured_within_two_hellos(suite: CipherSuite) -> None:
    lan = pair(suite=suite)
    lan.run(0.05)  # far less than a hello time: every step is told at once
    assert lan.secured()
    assert lan.unready == []
    first, second = lan.members
    assert first.send(b"to the second")
    assert second.send(b"to the first")
    lan.run(0.01)
    assert [frame[14:] for frame in second.delivered] == [b"to the second"]
    assert [frame[14:] for frame in first.delivered] == [b"to the first"]


def test_the_exchange_step_by_step() -> None:
    lan = Lan()
    server, other = lan.member(1), lan.member(2)

    # --> alone: nobody is listed, everybody claims to be key server
    server.join(cak())
    alone = mkpdu(server.sent_mkpdus[-1])
    assert alone.sets == ()
    assert alone.basic.key_server
    assert alone.basic.mn == 1

    # <-- the other one appears; both list each other as potential
    lan.run(0.01)
    other.join(cak())
    lan.run(0.0015)
    heard = mkpdu(server.sent_mkpdus[-1]).find(PotentialPeerList)
    assert heard is not None
    assert [peer.mn for peer in heard.peers] == [1]

    # --> and with that are live: the key server has a SAK, and receives with it already
    lan.run(0.002)
    offer = mkpdu(server.sent_mkpdus[-1])
    live, distributed, use = offer.find(LivePeerList), offer.find(DistributedSak), offer.find(SakUse)
    assert live is not None
    assert distributed is not None
    assert use is not None
    assert use.latest is not None
    assert (distributed.an, distributed.kn, distributed.cipher_suite, len(distributed.wrapped)) == (0, 1, None, 24)
    assert (use.latest.receives, use.latest.transmits) == (True, False)
    assert server.secy.transmit.encoding_sa is None

    # <-- the other one receives with it, too
    lan.run(0.001)
    taken = mkpdu(other.sent_mkpdus[-1])
    use = taken.find(SakUse)
    assert not taken.basic.key_server
    assert use is not None
    assert use.latest is not None
    assert (use.latest.receives, use.latest.transmits) == (True, False)
    assert other.secy.transmit.encoding_sa is None

    # --> now the key server transmits, and distributes no more
    lan.run(0.001)
    done = mkpdu(server.sent_mkpdus[-1])
    assert done.find(DistributedSak) is None
    assert server.open
    assert not other.open

    # <-- and so does the other
    lan.run(0.001)
    assert lan.secured()


def test_a_quiet_pair_says_hello_every_two_seconds() -> None:
    lan = pair()
    lan.run(5)
    before = [len(member.sent_mkpdus) for member in lan.members]
    lan.run(60)
    assert [len(member.sent_mkpdus) - count for member, count in zip(lan.members, before, strict=True)] == [30, 30]
    assert lan.secured()


def test_after_the_first_sak_it_is_told_as_the_old_key() -> None:
    """802.1X-2020 Figure 12-2: RETIRE makes the latest key the old one, where the next one is expected."""
    lan = pair()
    lan.run(5)
    assert {member.kay.status(lan.now).state for member in lan.members} == {State.RETIRE}
    use = mkpdu(lan.members[0].sent_mkpdus[-1]).find(SakUse)
    assert use is not None
    assert use.latest is not None
    assert use.old is not None
    assert use.latest.identifier.kn == 0
    assert (use.old.identifier.kn, use.old.transmits, use.old.receives) == (1, True, True)


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("explicit", [False, True])
def test_the_default_suite_may_be_named_in_full(suite: CipherSuite, *, explicit: bool) -> None:
    lan = pair(suite=suite, policy=SakPolicy(suite=suite, explicit_suite=explicit))
    lan.run(0.05)
    assert lan.secured()
    sets = [mkpdu(frame).find(DistributedSak) for frame in lan.members[0].sent_mkpdus]
    named = {found.cipher_suite for found in sets if found is not None}
    assert named == {None if suite is GCM_AES_128 and not explicit else suite.identifier}


@pytest.mark.parametrize(("offset", "field"), [(0, 1), (30, 2), (50, 3)])
def test_confidentiality_offsets_are_distributed(offset: int, field: int) -> None:
    lan = pair(policy=SakPolicy(suite=GCM_AES_128, confidentiality_offset=offset))
    lan.run(0.05)
    assert lan.secured()
    assert {sa.sak.confidentiality_offset for m in lan.members if (sa := m.secy.transmit.encoding_sa)} == {offset}
    sets = [mkpdu(frame).find(DistributedSak) for frame in lan.members[0].sent_mkpdus]
    assert {found.confidentiality for found in sets if found is not None} == {field}


def test_integrity_only_by_common_policy() -> None:
    lan = pair(policy=SakPolicy(suite=GCM_AES_128, confidentiality=False))
    lan.run(0.05)
    assert lan.secured()
    assert lan.members[0].send(b"readable")
    lan.run(0.01)
    assert [frame[14:] for frame in lan.members[1].delivered] == [b"readable"]
    assert b"readable" in lan.frames[-1]


def test_xpn_members_agree_on_salt_and_sscis() -> None:
    lan = pair(suite=GCM_AES_XPN_256)
    lan.run(5)
    sscis = number_sscis(member.sci for member in lan.members)
    events = [event for member in lan.members for event in member.events]
    created = [event for event in events if isinstance(event, CreateReceiveSa | CreateTransmitSa)]
    assert {(event.sci, event.ssci) for event in created} == {
        (sci, number.to_bytes(4, "big")) for sci, number in sscis.items()
    }
    assert len({event.sak.salt for event in created}) == 1
    offers = [m for m in map(mkpdu, lan.members[0].sent_mkpdus) if m.find(DistributedSak) is not None]
    live = offers[0].find(LivePeerList)
    assert live is not None
    assert live.key_server_ssci == sscis[lan.members[0].sci]
    assert mkpdu(lan.members[1].sent_mkpdus[-1]).find(Xpn) is not None


def test_a_key_server_of_an_older_version_tells_no_ssci_order_yet_all_agree() -> None:
    lan = pair(suite=GCM_AES_XPN_256, version=2)
    lan.run(0.05)
    assert lan.secured()


@pytest.mark.parametrize("ckn", [b"\x01", b"odd", bytes(range(32))])
@pytest.mark.parametrize("octets", [16, 32])
def test_cak_and_ckn_lengths(ckn: bytes, octets: int) -> None:
    lan = Lan()
    for number in (1, 2):
        lan.member(number).join(cak(ckn, octets=octets))
    lan.run(0.05)
    assert lan.secured()


def test_priority_decides_and_then_the_sci() -> None:
    lan = Lan()
    lan.member(1, priority=20)
    lan.member(2, priority=10)
    for member in lan.members:
        member.join(cak())
    lan.run(0.05)
    assert lan.secured()
    assert {member.kay.status(lan.now).participants[0].key_server for member in lan.members} == {lan.members[1].sci}
