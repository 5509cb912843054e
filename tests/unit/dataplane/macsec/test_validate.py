"""Frame verification clause by clause: what passes, what is discarded, and which counter says so."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from dataplane.batch import Batch
from dataplane.errors import LocalError
from dataplane.macsec.channel import ReceiveChannel
from dataplane.macsec.controls import ValidateFrames, Verification
from dataplane.macsec.counters import Accepted, Discarded, DiscardReason
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import GCM_AES_128, GCM_AES_XPN_128, CipherSuite
from tests.unit.dataplane.macsec.pair import (
    A_MAC,
    A_SCI,
    A_SSCI,
    B_SCI,
    add_receive_sa,
    clear_frame,
    make_sak,
    receiver,
    sender,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CLEAR = clear_frame(100)
INTEGRITY = make_sak(confidentiality=False)
DISABLED, CHECK, STRICT = (
    Verification(validate_frames=mode)
    for mode in (ValidateFrames.DISABLED, ValidateFrames.CHECK, ValidateFrames.STRICT)
)
MODES = (DISABLED, CHECK, STRICT)


def protected(secy: SecY, clear: bytes = CLEAR) -> bytes:
    outcome = secy.protect_frame(clear)
    assert isinstance(outcome, Accepted)
    return outcome.octets


def counted(record: DataclassInstance) -> dict[str, int]:
    """What the counters say, without those that say 0."""
    return {name: count for name, count in asdict(record).items() if count}


def damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


# 802.1AE-2018 Figure 10-5: mode, encrypted or not -> counter, delivered or not.
UNKNOWN_SCI = [
    (DISABLED, False, "InPktsUnknownSCI", True),
    (CHECK, False, "InPktsUnknownSCI", True),
    (STRICT, False, "InPktsNoSCI", False),
    (DISABLED, True, "InPktsNoSCI", False),
    (CHECK, True, "InPktsNoSCI", False),
    (STRICT, True, "InPktsNoSCI", False),
]


@pytest.mark.parametrize(("verification", "encrypted", "counter", "delivered"), UNKNOWN_SCI)
def test_unknown_sci(*, verification: Verification, encrypted: bool, counter: str, delivered: bool) -> None:
    frame = protected(sender(make_sak(confidentiality=encrypted)))
    b = SecY(B_SCI, verification=verification)
    outcome = b.validate_frame(frame)
    assert outcome == (Accepted(CLEAR) if delivered else Discarded(DiscardReason(counter)))
    assert counted(b.counters) == {counter: 1, "InPktsNoSA" if delivered else "InPktsNoSAError": 1}


@pytest.mark.parametrize(("verification", "encrypted", "delivered"), [(m, e, d) for m, e, _, d in UNKNOWN_SCI])
@pytest.mark.parametrize("there", [False, True], ids=["no SA", "SA not enabled"])
def test_unused_sa(*, verification: Verification, encrypted: bool, delivered: bool, there: bool) -> None:
    sak = make_sak(confidentiality=encrypted)
    frame = protected(sender(sak, an=3))
    b, channel = receiver(sak, an=0, verification=verification)
    if there:
        channel.create_sa(3, make_sak(seed=2))
    counter = "InPktsUnusedSA" if delivered else "InPktsNotUsingSA"
    assert b.validate_frame(frame) == (Accepted(CLEAR) if delivered else Discarded(DiscardReason.IN_PKTS_NOT_USING_SA))
    assert counted(b.counters) == {"InPktsNoSA" if delivered else "InPktsNoSAError": 1}
    assert counted(channel.counters) == counted(channel.sa_counters[3]) == {counter: 1}


@pytest.mark.parametrize(
    ("verification", "encrypted", "counter", "delivered"),
    [
        (DISABLED, False, "InPktsUnchecked", True),
        (CHECK, False, "InPktsInvalid", True),
        (STRICT, False, "InPktsNotValid", False),
        (DISABLED, True, "InPktsNotValid", False),
        (CHECK, True, "InPktsNotValid", False),
        (STRICT, True, "InPktsNotValid", False),
    ],
)
@pytest.mark.parametrize("count", [1, 8], ids=["singly", "run"])
def test_wrong_icv(*, verification: Verification, encrypted: bool, counter: str, delivered: bool, count: int) -> None:
    sak = make_sak(confidentiality=encrypted)
    a, (b, channel) = sender(sak), receiver(sak, verification=verification)
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    for _ in range(count):
        wire.append(damaged(protected(a)))
    b.validate(wire, clear)
    assert [bytes(frame) for frame in clear] == ([CLEAR] * count if delivered else [])
    assert counted(channel.counters) == {counter: count}
    sa = channel.sa(0)
    assert sa is not None
    assert counted(sa.counters) == ({} if counter == "InPktsUnchecked" else {counter: count})
    assert (sa.window.next, sa.window.lowest) == (1, 1), "no forged frame moves the window"
    if not delivered:
        assert all(bytes(view[: len(CLEAR)]) == bytes(len(CLEAR)) for view in clear.views), "nothing is left of it"


@pytest.mark.parametrize("verification", MODES)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_good_frame(*, verification: Verification, encrypted: bool) -> None:
    sak = make_sak(confidentiality=encrypted)
    a, (b, channel) = sender(sak), receiver(sak, verification=verification)
    assert b.validate_frame(protected(a)) == Accepted(CLEAR)
    if verification is DISABLED and not encrypted:
        assert counted(channel.counters) == {"InPktsUnchecked": 1}
    else:
        octets = "InOctetsDecrypted" if encrypted else "InOctetsValidated"
        assert counted(channel.counters) == {"InPktsOK": 1, octets: len(CLEAR) - 12}
    assert counted(b.counters) == {}


@pytest.mark.parametrize("verification", MODES)
def test_untagged_and_runt_frames(verification: Verification) -> None:
    b, _ = receiver(verification=verification)
    outcome = b.validate_frame(CLEAR)
    if verification is STRICT:
        assert outcome == Discarded(DiscardReason.IN_PKTS_NO_TAG)
        assert counted(b.counters) == {"InPktsNoTag": 1}
    else:
        assert outcome == Accepted(CLEAR)
        assert counted(b.counters) == {"InPktsUntagged": 1}
    for octets in range(14):
        assert b.validate_frame(CLEAR[:octets]) == Discarded(DiscardReason.IF_IN_ERRORS)
    assert b.counters.ifInErrors == 14


@pytest.mark.parametrize("verification", MODES)
@pytest.mark.parametrize("tci_an", [0x24, 0x28], ids=["C without E", "E without C"])
def test_reserved_combinations_of_e_and_c(verification: Verification, tci_an: int) -> None:
    b, _ = receiver(verification=verification)
    frame = bytearray(protected(sender()))
    frame[14] = tci_an
    assert b.validate_frame(frame) == Discarded(DiscardReason.IN_PKTS_BAD_TAG)


@pytest.mark.parametrize("suite", [GCM_AES_128, GCM_AES_XPN_128], ids=lambda suite: suite.name)
def test_pn_0(suite: CipherSuite) -> None:
    def with_pn_0(secy: SecY) -> bytes:
        frame = bytearray(protected(secy))
        frame[16:20] = bytes(4)
        return bytes(frame)

    b, channel = receiver(make_sak(suite))
    late_or_bad = DiscardReason.IN_PKTS_LATE if suite.xpn else DiscardReason.IN_PKTS_BAD_TAG
    assert b.validate_frame(with_pn_0(sender(make_sak(suite)))) == Discarded(late_or_bad)
    # Without an SA to ask, the SecY's current cipher suite decides.
    channel.delete_sa(0)
    not_using_or_bad = DiscardReason.IN_PKTS_NOT_USING_SA if suite.xpn else DiscardReason.IN_PKTS_BAD_TAG
    assert b.validate_frame(with_pn_0(sender(make_sak(suite)))) == Discarded(not_using_or_bad)


def test_an_xpn_low_half_of_0_is_a_packet_number_like_others() -> None:
    sak = make_sak(GCM_AES_XPN_128)
    a, (b, channel) = sender(sak, next_pn=0x1_00000000), receiver(sak, next_pn=0xFFFFFFFF)
    assert b.validate_frame(protected(a)) == Accepted(CLEAR)
    sa = channel.sa(0)
    assert sa is not None
    assert sa.window.next == 0x1_00000001


@pytest.mark.parametrize("strict_replay", [False, True])
def test_late_frames_are_discarded_or_counted_delayed(*, strict_replay: bool) -> None:
    a = sender()
    first, second = protected(a), protected(a)
    for replay_protect in (True, False):
        verification = Verification(replay_protect=replay_protect, replay_window=0, strict_replay=strict_replay)
        b, channel = receiver(verification=verification)
        assert b.validate_frame(second) == Accepted(CLEAR)
        outcome = b.validate_frame(first)
        if replay_protect:
            assert outcome == Discarded(DiscardReason.IN_PKTS_LATE)
            assert (channel.counters.InPktsLate, channel.counters.InPktsOK) == (1, 1)
        else:
            assert outcome == Accepted(CLEAR)
            assert (channel.counters.InPktsDelayed, channel.counters.InPktsOK) == (1, 1)


@pytest.mark.parametrize(("strict_replay", "again"), [(False, 8), (True, 0)], ids=["standard", "bitmap"])
def test_a_repeated_run_inside_the_window(*, strict_replay: bool, again: int) -> None:
    a = sender()
    b, channel = receiver(verification=Verification(replay_window=64, strict_replay=strict_replay))
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    for _ in range(8):
        wire.append(protected(a))
    b.validate(wire, clear)
    assert clear.count == 8
    b.validate(wire, clear)
    assert clear.count == again
    assert (channel.counters.InPktsOK, channel.counters.InPktsLate) == (8 + again, 8 - again)


def test_a_run_may_jump_by_more_than_half_the_low_halves() -> None:
    sak = make_sak(GCM_AES_XPN_128)
    near, far = sender(sak, next_pn=0x1_00000001), sender(sak, next_pn=0x1_90000000)
    b, channel = receiver(sak, next_pn=0xF0000000)
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    for a in (near, far):
        for _ in range(4):
            wire.append(protected(a))
    b.validate(wire, clear)
    assert clear.count == 8
    sa = channel.sa(0)
    assert sa is not None
    assert sa.window.next == 0x1_90000004


def test_a_forged_pn_ahead_of_a_run_does_not_spoil_it() -> None:
    sak = make_sak(GCM_AES_XPN_128)
    a = sender(sak, next_pn=0xF0000001)
    b, channel = receiver(sak, next_pn=0xF0000000)
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    wire.append(damaged(protected(sender(sak, next_pn=0x1_00000005))))
    for _ in range(7):
        wire.append(protected(a))
    b.validate(wire, clear)
    assert (channel.counters.InPktsOK, channel.counters.InPktsNotValid) == (7, 1)


def test_the_end_of_the_number_space_raises_nothing() -> None:
    sak = make_sak(GCM_AES_XPN_128)
    b, channel = receiver(sak, next_pn=2**64 - 1)
    frame = protected(sender(sak, next_pn=5))
    assert b.validate_frame(frame) == Discarded(DiscardReason.IN_PKTS_LATE)
    assert b.validate_frame(protected(sender(sak, next_pn=2**64 - 1))) == Accepted(CLEAR)
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    a = sender(sak, next_pn=2**64 - 8)
    for _ in range(8):
        wire.append(protected(a))
    b.validate(wire, clear)
    assert clear.count == 0
    assert channel.counters.InPktsLate == 9


def test_two_channels_of_one_source_in_one_run() -> None:
    sak = make_sak()
    other_sci = A_MAC + b"\x00\x02"
    a1, a2 = sender(sak), SecY(other_sci)
    a2.transmit.create_sa(0, sak, next_pn=6)
    a2.transmit.enable_sa(0)
    b, one = receiver(sak)
    two = b.create_receive_channel(other_sci)
    add_receive_sa(two, 0, sak)
    wire, clear = Batch(slots=10, size=200), Batch(slots=10, size=200)
    for a in (a1, a2):
        for _ in range(5):
            wire.append(protected(a))
    b.validate(wire, clear)
    assert (clear.count, one.counters.InPktsOK, two.counters.InPktsOK) == (10, 5, 5)


@pytest.mark.parametrize("odd", range(8))
def test_a_run_ends_where_the_tag_changes(odd: int) -> None:
    clear_frames = [clear_frame(100, fill=i) for i in range(8)]
    a, other_an = sender(), sender(make_sak(seed=2), an=1, next_pn=odd + 1)
    frames = [protected(a, clear) for clear in clear_frames]
    frames[odd] = protected(other_an, clear_frames[odd])
    b, channel = receiver()
    add_receive_sa(channel, 1, make_sak(seed=2))
    wire, clear = Batch(slots=8, size=200), Batch(slots=8, size=200)
    for frame in frames:
        wire.append(frame)
    b.validate(wire, clear)
    assert [bytes(frame) for frame in clear] == clear_frames
    assert [counters.InPktsOK for counters in channel.sa_counters] == [7, 1, 0, 0]

    wire.views[odd][12:14] = b"\x08\x00"
    b, _ = receiver()
    b.validate(wire, clear)
    assert (clear.count, b.counters.InPktsNoTag) == (7, 1)


def test_a_late_frame_that_is_let_pass_does_not_touch_the_window() -> None:
    verification = Verification(replay_protect=False, replay_window=32, strict_replay=True)
    b, channel = receiver(verification=verification)
    forty, eight = protected(sender(next_pn=40)), protected(sender(next_pn=8))
    for frame in (forty, eight, forty):
        assert b.validate_frame(frame) == Accepted(CLEAR)
    assert (channel.counters.InPktsOK, channel.counters.InPktsDelayed) == (1, 2)


@pytest.mark.parametrize("octets", range(14, 62))
def test_padded_short_frames(octets: int) -> None:
    clear = clear_frame(octets)
    short = octets - 12 < 48
    frame = protected(sender(), clear)
    assert len(frame) == octets + 32
    lenient = Verification(padding_allowed=True)
    for padding in (1, 20):
        outcome = receiver()[0].validate_frame(frame + bytes(padding))
        assert outcome == Discarded(DiscardReason.IN_PKTS_BAD_TAG if short else DiscardReason.IN_PKTS_NOT_VALID)
        outcome = receiver(verification=lenient)[0].validate_frame(frame + bytes(padding))
        assert outcome == (Accepted(clear) if short else Discarded(DiscardReason.IN_PKTS_NOT_VALID))
    for verification in (STRICT, lenient):
        assert receiver(verification=verification)[0].validate_frame(frame) == Accepted(clear)
        outcome = receiver(verification=verification)[0].validate_frame(frame[:-1])
        assert isinstance(outcome, Discarded)


def test_each_cut_is_discarded() -> None:
    frame = protected(sender())
    b, channel = receiver()
    for octets in range(len(frame)):
        assert isinstance(b.validate_frame(frame[:octets]), Discarded)
    assert b.validate_frame(frame) == Accepted(CLEAR)
    assert channel.counters.InPktsOK == 1


def one_of_each(channel: ReceiveChannel) -> ReceiveChannel:
    channel.create_sa(1, make_sak(GCM_AES_XPN_128, seed=2), ssci=A_SSCI)
    channel.enable_sa(1)
    return channel


def test_old_and_new_cipher_suite_overlap() -> None:
    b, channel = receiver()
    one_of_each(channel)
    a = sender()
    first = protected(a)
    a.transmit.create_sa(1, make_sak(GCM_AES_XPN_128, seed=2), ssci=A_SSCI)
    a.transmit.enable_sa(1)
    assert b.validate_frame(protected(a)) == Accepted(CLEAR)
    assert b.validate_frame(first) == Accepted(CLEAR)


def test_slots_that_do_not_fit() -> None:
    a, (b, _) = sender(), receiver()
    wire = Batch(slots=4, size=200)
    for _ in range(4):
        wire.append(protected(a))
    with pytest.raises(LocalError, match="4 frames need another batch of as many slots, not one of 3"):
        b.validate(wire, Batch(slots=3, size=200))
    with pytest.raises(LocalError):
        b.validate(wire, wire)
    narrow = Batch(slots=4, size=90)
    b.validate(wire, narrow)
    assert (narrow.count, b.counters.ifInErrors) == (0, 4)
    b.validate(Batch(slots=1, size=1), narrow)
    assert narrow.count == 0


def test_a_receiver_of_an_integrity_only_frame_goes_by_the_frame() -> None:
    b, channel = receiver(make_sak(confidentiality=True, confidentiality_offset=50))
    assert b.validate_frame(protected(sender(INTEGRITY))) == Accepted(CLEAR)
    assert counted(channel.counters) == {"InPktsOK": 1, "InOctetsValidated": len(CLEAR) - 12}


def test_a_frame_of_our_own_is_nobody_s() -> None:
    a = sender()
    assert a.transmit.sci == A_SCI
    assert a.validate_frame(protected(a)) == Discarded(DiscardReason.IN_PKTS_NO_SCI)
