"""Frames that somebody put on the wire who does not have the CAK: dropped, counted, and nothing changes."""

from __future__ import annotations

import pytest

from dataplane.macsec.suites import GCM_AES_XPN_256
from dataplane.mka.mkpdu import Mkpdu, seal
from dataplane.mka.paramsets.basic import BasicParameterSet, MacsecCapability
from dataplane.mka.verdict import Accepted, Discarded, DiscardReason, Outcome
from tests.exchange.mka.lan import Lan, Member, cak, pair


@pytest.fixture
def lan() -> Lan:
    secured = pair(suite=GCM_AES_XPN_256)
    secured.run(10)
    assert secured.secured()
    return secured


def put(lan: Lan, frame: bytes, on: int = 1) -> Outcome:
    """Put a frame on the wire for one member; it changes nothing that can be seen, apart from a counter."""
    member = lan.members[on]
    before, events = member.kay.status(lan.now), len(member.events)
    outcome = member.kay.receive(frame, lan.now)
    member.work()
    assert member.kay.status(lan.now) == before
    assert len(member.events) == events
    return outcome


def reason(lan: Lan, frame: bytes) -> DiscardReason:
    member = lan.members[1]
    counted = dict(member.kay.counters.discarded)
    outcome = put(lan, frame)
    assert isinstance(outcome, Discarded)
    counted[outcome.reason] += 1
    assert member.kay.counters.discarded == counted
    return outcome.reason


def test_replayed(lan: Lan) -> None:
    for frame in lan.members[0].sent_mkpdus:
        assert reason(lan, frame) is DiscardReason.REPLAYED_MN
    for frame in lan.members[1].sent_mkpdus:
        assert reason(lan, frame) is DiscardReason.OWN_FRAME


def test_recorded_before_a_restart_and_replayed_after(lan: Lan) -> None:
    recorded = list(lan.members[0].sent_mkpdus)
    lan.members.pop(0)
    lan.seed += 1  # other entropy
    lan.members.insert(0, Member(lan, 1, suite=GCM_AES_XPN_256))
    lan.members[0].join(cak(octets=32))
    lan.run(0.05)
    assert lan.secured()
    for frame in recorded:
        assert reason(lan, frame) is DiscardReason.REPLAYED_MN


def test_truncated_at_every_length(lan: Lan) -> None:
    frame = lan.members[0].sent_mkpdus[3]
    assert {reason(lan, frame[:length]) for length in range(len(frame))} <= {
        DiscardReason.MALFORMED,
        DiscardReason.NOT_MKA,
    }


def test_truncated_with_a_length_that_fits(lan: Lan) -> None:
    frame = lan.members[0].sent_mkpdus[3]
    for body in range(len(frame) - 18):
        cut = frame[:16] + body.to_bytes(2, "big") + frame[18 : 18 + body]
        assert reason(lan, cut) in (DiscardReason.MALFORMED, DiscardReason.INVALID_ICV)


def test_each_bit_flipped(lan: Lan) -> None:
    lan.run(2.0)
    frame = bytearray(lan.members[0].sent_mkpdus[-1])
    seen = set()
    for bit in range(8 * len(frame)):
        frame[bit // 8] ^= 1 << bit % 8
        seen.add(reason(lan, bytes(frame)))
        frame[bit // 8] ^= 1 << bit % 8
    assert seen == {
        DiscardReason.NOT_MKA,
        DiscardReason.WRONG_DESTINATION,
        DiscardReason.MALFORMED,
        DiscardReason.UNKNOWN_CKN,
        DiscardReason.UNKNOWN_ALGORITHM,
        DiscardReason.INVALID_ICV,
    }


@pytest.mark.parametrize("destination", ["020000000002", "ffffffffffff", "0180c200000e"])
def test_another_destination(lan: Lan, destination: str) -> None:
    lan.run(2.0)
    frame = bytes.fromhex(destination) + lan.members[0].sent_mkpdus[-1][6:]
    assert reason(lan, frame) is DiscardReason.WRONG_DESTINATION


def test_a_ckn_that_is_not_ours(lan: Lan) -> None:
    other = pair(seed=5)
    other.run(1)
    for frame in other.members[0].sent_mkpdus[:3]:
        foreign = frame.replace(b"\xc0\xff\xee", b"\xc0\xff\xef")
        assert reason(lan, foreign) is DiscardReason.UNKNOWN_CKN


def test_a_cak_that_is_not_ours(lan: Lan) -> None:
    forged = seal(Mkpdu.parse(lan.members[0].sent_mkpdus[-1][18:]), bytes(32), lan.members[0].sci[:6])
    assert reason(lan, forged) is DiscardReason.INVALID_ICV


@pytest.mark.parametrize(
    "frame",
    ["", "0180c2000003", "0180c2000003020000000001888e", "0180c2000003020000000001888e0301", "ff" * 60,
     "0180c2000003020000000001888e03010000", "0180c20000030200000000018100000a888e03050000"],
)  # fmt: skip
def test_no_mkpdu_at_all(lan: Lan, frame: str) -> None:
    assert reason(lan, bytes.fromhex(frame)) in (DiscardReason.MALFORMED, DiscardReason.NOT_MKA)


def test_padding_behind_the_eapol_body_is_not_looked_at(lan: Lan) -> None:
    lan.filter = lambda sender, receiver, frame: frame + bytes(7)
    lan.run(20)
    assert lan.secured()


def stranger(mi: bytes, sci: bytes, mn: int = 1) -> bytes:
    """An authentic MKPDU of somebody who has the CAK."""
    key = cak(octets=32)
    basic = BasicParameterSet(
        key_server_priority=200, key_server=False, macsec_desired=True,
        macsec_capability=MacsecCapability.CONFIDENTIALITY, sci=sci, mi=mi, mn=mn, ckn=key.ckn,
    )  # fmt: skip
    return seal(Mkpdu(basic=basic), key.ick.reveal(), sci[:6])


def test_somebody_else_has_our_mi(lan: Lan) -> None:
    """Then we take another one, and are secured again as somebody new (802.1X-2020 9.4.2)."""
    member = lan.members[1]
    own_mi = Mkpdu.parse(member.sent_mkpdus[-1][18:]).basic.mi
    outcome = member.kay.receive(stranger(own_mi, bytes.fromhex("0200000000770001")), lan.now)
    assert outcome == Discarded(DiscardReason.MI_COLLISION)
    member.work()
    lan.run(0.1)
    assert Mkpdu.parse(member.sent_mkpdus[-1][18:]).basic.mi != own_mi
    assert lan.secured()
    assert lan.unready == []


def test_a_flood_of_members_is_bounded(lan: Lan) -> None:
    outcomes = []
    for number in range(300):
        frame = stranger(number.to_bytes(12, "big"), b"\x02\x11" + number.to_bytes(4, "big") + b"\x00\x01")
        outcomes.append(lan.members[1].kay.receive(frame, lan.now))
        lan.members[1].work()
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 99
    assert outcomes[-1] == Discarded(DiscardReason.TOO_MANY_PEERS)
    lan.run(10)
    assert lan.secured()


def test_an_mn_that_has_come_to_its_end_begins_again_under_a_new_mi(lan: Lan) -> None:
    participant = next(iter(lan.members[1].kay._participants.values()))
    before = participant.mi
    participant._mn = (1 << 32) - 3
    lan.run(20)
    assert participant.mi != before
    assert lan.secured()
    assert lan.unready == []
