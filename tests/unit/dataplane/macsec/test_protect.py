"""Frame generation clause by clause: what leaves, with which SecTAG, and what is counted."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from dataplane.batch import Batch
from dataplane.errors import LocalError
from dataplane.macsec.controls import Generation, SciEncoding
from dataplane.macsec.counters import Accepted, Discarded, DiscardReason
from dataplane.macsec.events import PnExhausted, PnThresholdReached
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_XPN_256, CipherSuite
from dataplane.wire.sectag import SecTag
from tests.unit.dataplane.macsec.pair import A_SCI, clear_frame, make_sak, sender

CLEAR = clear_frame(100)


def batch_of(*frames: bytes, size: int = 200) -> Batch:
    batch = Batch(slots=16, size=size)
    for frame in frames:
        batch.append(frame)
    return batch


def protected(secy: SecY, clear: bytes = CLEAR) -> bytes:
    outcome = secy.protect_frame(clear)
    assert isinstance(outcome, Accepted)
    return outcome.octets


@pytest.mark.parametrize("encoding", SciEncoding)
@pytest.mark.parametrize(("octets", "sl"), [(14, 2), (59, 47), (60, 0), (1514, 0)])
@pytest.mark.parametrize("confidentiality", [False, True])
def test_the_sectag(*, encoding: SciEncoding, octets: int, sl: int, confidentiality: bool) -> None:
    a = sender(make_sak(confidentiality=confidentiality), an=1, generation=Generation(sci_encoding=encoding))
    frame = protected(a, clear_frame(octets))
    assert SecTag.parse(frame[12:]) == SecTag(
        es=encoding is SciEncoding.END_STATION,
        scb=encoding is SciEncoding.SCB,
        encrypted=confidentiality,
        changed=confidentiality,
        an=1,
        sl=sl,
        pn=1,
        sci=A_SCI if encoding is SciEncoding.EXPLICIT else None,
    )
    assert len(frame) == octets + a.overhead
    assert a.overhead == (32 if encoding is SciEncoding.EXPLICIT else 24)


@pytest.mark.parametrize("offset", [0, 30, 50])
@pytest.mark.parametrize("octets", [14, 42, 43, 62, 63, 100])
def test_what_the_confidentiality_offset_leaves_readable(octets: int, offset: int) -> None:
    clear = clear_frame(octets)
    frame = protected(sender(make_sak(confidentiality_offset=offset)), clear)
    readable = min(offset, octets - 12)
    assert frame[28 : 28 + readable] == clear[12 : 12 + readable]
    assert frame[28 : octets + 16] != clear[12:] or readable == octets - 12
    assert frame[14] & 0x0C == 0x0C, "E and C stay set even if nothing is left to encrypt"


def test_without_an_sa_nothing_leaves() -> None:
    a = SecY(A_SCI)
    assert a.protect_frame(CLEAR) == Discarded(DiscardReason.IF_OUT_DISCARDS)
    a.transmit.create_sa(0, make_sak())
    assert a.protect_frame(CLEAR) == Discarded(DiscardReason.IF_OUT_DISCARDS)
    a.transmit.enable_sa(0)
    assert isinstance(a.protect_frame(CLEAR), Accepted)
    a.transmit.disable_sa(0)
    wire = batch_of()
    a.protect(batch_of(*[CLEAR] * 8), wire)
    assert (wire.count, a.counters.ifOutDiscards) == (0, 10)


def test_unprotected_by_choice() -> None:
    a = sender(generation=Generation(protect_frames=False, max_frame_octets=100))
    assert a.protect_frame(CLEAR) == Accepted(CLEAR)
    assert a.protect_frame(CLEAR + b"!") == Discarded(DiscardReason.OUT_PKTS_TOO_LONG)
    wire = batch_of()
    a.protect(batch_of(*[CLEAR] * 8), wire)
    assert [bytes(frame) for frame in wire] == [CLEAR] * 8
    assert (a.counters.OutPktsUntagged, a.counters.OutPktsTooLong) == (9, 1)


@pytest.mark.parametrize(("longest", "slot"), [(120, 200), (None, 120)], ids=["by control", "by slot"])
def test_too_long_frames_take_no_pn(longest: int | None, slot: int) -> None:
    a = sender(generation=Generation(max_frame_octets=longest))
    fits, too_long = clear_frame(88), clear_frame(89)
    wire = batch_of(size=slot)
    a.protect(batch_of(*[fits] * 5, *[too_long] * 5, fits, too_long, fits), wire)
    assert [len(frame) for frame in wire] == [120] * 7
    assert [SecTag.parse(frame[12:]).pn for frame in wire] == [1, 2, 3, 4, 5, 6, 7]
    assert a.counters.OutPktsTooLong == 6
    with pytest.raises(LocalError, match="at least 46 octets, not 45"):
        Generation(max_frame_octets=45)


def test_frames_without_a_header() -> None:
    a = sender()
    for octets in range(14):
        assert a.protect_frame(bytes(octets)) == Discarded(DiscardReason.IF_OUT_ERRORS)
    wire = batch_of()
    a.protect(batch_of(*[bytes(13)] * 6, CLEAR), wire)
    assert (wire.count, a.counters.ifOutErrors) == (1, 20)


@pytest.mark.parametrize("confidentiality", [False, True])
def test_counters(*, confidentiality: bool) -> None:
    a = sender(make_sak(confidentiality=confidentiality))
    a.protect(batch_of(*[CLEAR] * 8), batch_of())
    a.protect_frame(CLEAR)
    packets, octets = (
        ("OutPktsEncrypted", "OutOctetsEncrypted") if confidentiality else ("OutPktsProtected", "OutOctetsProtected")
    )
    counted = {name: count for name, count in asdict(a.transmit.counters).items() if count}
    assert counted == {packets: 9, octets: 9 * 88}
    sa = a.transmit.sa(0)
    assert sa is not None
    assert {name: count for name, count in asdict(sa.counters).items() if count} == {packets: 9}


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_exhaustion_in_the_middle_of_a_batch(suite: CipherSuite) -> None:
    last = suite.greatest_pn
    a = sender(make_sak(suite), next_pn=last - 4)
    wire = batch_of()
    a.protect(batch_of(*[CLEAR] * 16), wire)
    assert [SecTag.parse(frame[12:]).pn for frame in wire] == [(last - 4 + i) % 2**32 for i in range(5)]
    assert a.counters.ifOutDiscards == 11
    assert a.next_event() == PnThresholdReached(an=0, next_pn=last + 1)
    assert a.next_event() == PnExhausted(an=0)
    assert a.next_event() is None
    assert a.protect_frame(CLEAR) == Discarded(DiscardReason.IF_OUT_DISCARDS)
    a.transmit.create_sa(1, make_sak(suite, seed=2), ssci=bytes(4) if suite.xpn else None)
    a.transmit.enable_sa(1)
    assert protected(a)[14] & 3 == 1


def test_xpn_runs_over_2_32() -> None:
    a = sender(make_sak(GCM_AES_XPN_256), next_pn=2**32 - 6)
    singly = sender(make_sak(GCM_AES_XPN_256), next_pn=2**32 - 6)
    wire = batch_of()
    a.protect(batch_of(*[CLEAR] * 16), wire)
    assert [bytes(frame) for frame in wire] == [protected(singly) for _ in range(16)]
    assert a.next_event() is None


def test_the_threshold_is_the_caller_s_if_he_wants() -> None:
    a = sender(pn_threshold=3)
    protected(a)
    assert a.next_event() is None
    protected(a)
    assert a.next_event() == PnThresholdReached(an=0, next_pn=3)


def test_slots_that_do_not_fit() -> None:
    clear = batch_of(*[CLEAR] * 4)
    with pytest.raises(LocalError, match="4 frames need another batch of as many slots, not one of 3"):
        sender().protect(clear, Batch(slots=3, size=200))
    with pytest.raises(LocalError):
        sender().protect(clear, clear)
