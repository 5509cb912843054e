"""A SAK's successor: receive everywhere, transmit, retire; and nobody loses a frame over it."""

from __future__ import annotations

import pytest

from dataplane.macsec.counters import DiscardReason
from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, CipherSuite
from dataplane.mka.events import CreateTransmitSa, DeleteTransmitSa, EnableTransmitSa
from tests.exchange.mka.lan import LATENCY, Lan, Member, pair

MACSEC = b"\x88\xe5"


class Traffic:
    """Numbered frames, from everybody to everybody."""

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        self.sent = {member.number: 0 for member in lan.members}

    def __call__(self) -> None:
        for member in self.lan.members:
            assert member.send(b"%d:%d" % (member.number, self.sent[member.number]))
            self.sent[member.number] += 1

    def lost(self) -> int:
        self.lan.run(2 * LATENCY)
        delivered = sum(len(member.delivered) for member in self.lan.members)
        assert [member.discarded for member in self.lan.members] == [[] for _ in self.lan.members]
        return sum(self.sent.values()) * (len(self.lan.members) - 1) - delivered


def test_a_thousand_rekeys_with_frames_in_flight_lose_none() -> None:
    lan = pair()
    lan.run(1)
    traffic = Traffic(lan)
    first, second = lan.members
    for _ in range(1000):
        assert first.kay.rekey(lan.now)
        first.work()
        lan.run(0.008, traffic, every=0.0007)  # through the switch-over itself
        lan.run(3.2, traffic, every=0.5)
    assert traffic.lost() == 0
    assert lan.unready == []
    assert lan.secured()
    assert first.kay.counters.saks_distributed == 1001
    assert second.kay.counters.saks_accepted == 1001


def test_ans_go_round_and_old_sas_are_retired_after_three_seconds() -> None:
    lan = pair()
    lan.run(1)
    for expected in (1, 2, 3, 0, 1):
        lan.members[0].kay.rekey(lan.now)
        lan.members[0].work()
        lan.run(0.01)  # the switch-over takes 3 ms of these 10
        old = (expected - 1) % 4
        assert held_ans(lan) == [{old, expected}] * 4
        assert [sa.an for m in lan.members if (sa := m.secy.transmit.encoding_sa) is not None] == [expected] * 2
        lan.run(2.98)
        assert held_ans(lan) == [{old, expected}] * 4
        lan.run(0.02)
        assert held_ans(lan) == [{expected}] * 4
    assert lan.unready == []


def held_ans(lan: Lan) -> list[set[int]]:
    """The ANs for which each member holds transmit and receive SAs."""
    held = []
    for member in lan.members:
        held.append({an for an in range(4) if member.secy.transmit.sa(an) is not None})
        (channel,) = member.secy.receive_channels()
        held.append({an for an in range(4) if channel.receiving_sa(an) is not None})
    return held


def test_the_server_transmits_first_and_only_when_the_other_receives() -> None:
    lan = pair()
    lan.run(5)
    server, other = lan.members
    lan.filter = lambda sender, receiver, frame: None if sender is other else frame
    server.kay.rekey(lan.now)
    server.work()
    lan.run(1)  # the other one has the SAK by now, but cannot say so
    in_use = [member.secy.transmit.encoding_sa for member in lan.members]
    assert [sa.an for sa in in_use if sa is not None] == [0, 0]
    lan.filter = lambda sender, receiver, frame: frame
    lan.run(1)
    in_use = [member.secy.transmit.encoding_sa for member in lan.members]
    assert [sa.an for sa in in_use if sa is not None] == [1, 1]
    assert lan.unready == []


def test_only_the_key_server_rekeys() -> None:
    lan = pair()
    lan.run(1)
    assert not lan.members[1].kay.rekey(lan.now)


def test_rekeys_asked_for_faster_than_sas_retire_wait_for_each_other() -> None:
    lan = pair()
    lan.run(1)
    traffic = Traffic(lan)
    for _ in range(40):
        lan.members[0].kay.rekey(lan.now)
        lan.members[0].work()
        lan.run(0.25, traffic, every=0.01)
    assert traffic.lost() == 0
    assert 3 <= lan.members[0].kay.counters.saks_distributed <= 6


def near_exhaustion(lan: Lan, member: Member, left: int) -> None:
    """Put a member's transmit SA, and what its peers expect of it, shortly before the threshold."""
    sa = member.secy.transmit.encoding_sa
    assert sa is not None
    sa.next_pn = sa.sak.suite.pending_pn_exhaustion - left
    for peer in lan.members:
        channel = peer.secy.receive_channel(member.sci)
        if channel is not None:
            channel.raise_pn(sa.an, next_pn=sa.next_pn, lowest_pn=sa.next_pn)


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("who", [0, 1], ids=["key-server", "other"])
def test_near_pn_exhaustion_a_fresh_sak_takes_over_without_loss(suite: CipherSuite, who: int) -> None:
    lan = pair(suite=suite)
    lan.run(5)
    traffic = Traffic(lan)
    near_exhaustion(lan, lan.members[who], left=20)
    lan.run(0.1, traffic)
    assert [sa.an for m in lan.members if (sa := m.secy.transmit.encoding_sa) is not None] == [0, 0]
    lan.run(8, traffic)
    assert traffic.lost() == 0
    assert [sa.an for m in lan.members if (sa := m.secy.transmit.encoding_sa) is not None] == [1, 1]
    assert lan.members[0].kay.counters.saks_distributed == 2
    assert lan.unready == []


def test_a_fresh_sak_starts_at_pn_one() -> None:
    lan = pair()
    lan.run(5)
    for _ in range(10):
        lan.members[0].send(b"some")
    lan.members[0].kay.rekey(lan.now)
    lan.members[0].work()
    lan.run(0.1)
    sa = lan.members[0].secy.transmit.encoding_sa
    assert sa is not None
    assert (sa.an, sa.next_pn) == (1, 1)


def test_no_sak_is_ever_used_by_two_sas_of_one_channel() -> None:
    """Nor installed a second time, whatever is repeated: PNs would start again under the same key."""
    lan = pair()
    lan.run(1)
    distribution = list(lan.members[0].sent_mkpdus)
    for _ in range(3):
        lan.members[0].kay.rekey(lan.now)
        lan.members[0].work()
        lan.run(4)
    for frame in distribution:
        lan.members[1].receive(frame)
    for member in lan.members:
        created = [event for event in member.events if isinstance(event, CreateTransmitSa)]
        assert len({event.identifier for event in created}) == len(created) == 4
        assert len({event.sak.key.reveal() for event in created}) == 4
        enabled = [event.an for event in member.events if isinstance(event, EnableTransmitSa)]
        deleted = [event.an for event in member.events if isinstance(event, DeleteTransmitSa)]
        assert (enabled, deleted) == ([0, 1, 2, 3], [0, 1, 2])


def test_delay_protection_bounds_how_late_a_frame_may_come() -> None:
    lan = pair(delay_protect=True)
    lan.run(5)
    server, other = lan.members
    lan.filter = lambda sender, receiver, frame: None if frame[12:14] == MACSEC else frame
    server.send(b"held back")
    held = lan.frames[-1]
    lan.run(1.0)
    other.receive(held)
    assert len(other.delivered) == 1  # a second is nothing; and inside the replay window a PN may come again
    lan.run(3.0)
    other.receive(held)
    assert len(other.delivered) == 1
    assert other.discarded == [DiscardReason.IN_PKTS_LATE]
    lan.filter = lambda sender, receiver, frame: frame
    server.send(b"in time")
    lan.run(0.01)
    assert len(other.delivered) == 2


def test_with_delay_protection_hellos_are_bounded() -> None:
    lan = pair(suite=GCM_AES_128, delay_protect=True)
    lan.run(5)
    before = len(lan.members[0].sent_mkpdus)
    lan.run(10)
    assert len(lan.members[0].sent_mkpdus) - before == 20
