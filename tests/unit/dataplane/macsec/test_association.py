"""What a SAK may be, how a transmit SA spends its PNs, which window a receive SA gets."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from dataplane.antireplay import Bitmap, LowestAcceptable
from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.macsec.association import Sak, TransmitSa, check_an, replay_window
from dataplane.macsec.controls import Verification
from dataplane.macsec.events import PnExhausted, PnThresholdReached, SecyEvent
from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, GCM_AES_256, GCM_AES_XPN_128, CipherSuite
from tests.unit.dataplane.macsec.pair import A_SCI, A_SSCI, make_sak


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_a_sak_fits_its_suite_and_does_not_show_its_key(suite: CipherSuite) -> None:
    sak = make_sak(suite)
    assert sak.key.reveal().hex() not in repr(sak)
    with pytest.raises(LocalError, match=f"has {suite.key_octets} octets, not 17"):
        replace(sak, key=Secret(bytes(17)))
    with pytest.raises(LocalError, match=f"the salt of {suite.name} has"):
        replace(sak, salt=bytes(4))
    with pytest.raises(LocalError, match="0, 30 or 50, not 20"):
        replace(sak, confidentiality_offset=20)


def test_who_needs_an_ssci() -> None:
    assert make_sak(GCM_AES_128).nonces(A_SCI, None).nonce(1) == A_SCI + b"\x00\x00\x00\x01"
    assert len(make_sak(GCM_AES_XPN_128).nonces(A_SCI, A_SSCI).nonce(1)) == 12
    with pytest.raises(LocalError, match="GCM-AES-XPN-128 needs"):
        make_sak(GCM_AES_XPN_128).nonces(A_SCI, None)
    with pytest.raises(LocalError, match="GCM-AES-256 knows no SSCI"):
        make_sak(GCM_AES_256).nonces(A_SCI, A_SSCI)


def test_an() -> None:
    assert [check_an(an) for an in range(4)] == [0, 1, 2, 3]
    for an in (-1, 4):
        with pytest.raises(LocalError, match=f"an AN is 0 to 3, not {an}"):
            check_an(an)


def transmit_sa(sak: Sak, *, next_pn: int = 1, threshold: int = 1 << 31) -> tuple[TransmitSa, deque[SecyEvent]]:
    events: deque[SecyEvent] = deque()
    ssci = A_SSCI if sak.suite.xpn else None
    nonces = sak.nonces(A_SCI, ssci)
    return TransmitSa(2, sak, nonces=nonces, tag=bytes(16), next_pn=next_pn, threshold=threshold, events=events), events


@pytest.mark.parametrize(
    ("confidentiality", "offset", "user_octets", "covered"),
    [(False, 0, 100, 100), (True, 0, 100, 0), (True, 30, 100, 30), (True, 50, 100, 50), (True, 50, 44, 44)],
)
def test_covered(*, confidentiality: bool, offset: int, user_octets: int, covered: int) -> None:
    sa, _ = transmit_sa(make_sak(confidentiality=confidentiality, confidentiality_offset=offset))
    assert sa.covered(user_octets) == covered


def test_the_threshold_is_told_once() -> None:
    sa, events = transmit_sa(make_sak(), threshold=10)
    assert sa.take(8) == 8
    assert not events
    assert sa.take(5) == 5
    assert list(events) == [PnThresholdReached(an=2, next_pn=14)]
    assert sa.take(5) == 5
    assert len(events) == 1


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_the_last_pn_ends_the_sa(suite: CipherSuite) -> None:
    sak = make_sak(suite)
    sa, events = transmit_sa(sak, next_pn=sak.suite.greatest_pn - 2, threshold=sak.suite.pending_pn_exhaustion)
    sa.in_use = True
    assert (sa.take(2), sa.in_use) == (2, True)
    assert (sa.take(5), sa.in_use) == (1, False)
    assert list(events) == [PnThresholdReached(an=2, next_pn=sak.suite.greatest_pn), PnExhausted(an=2)]
    for next_pn in (0, sak.suite.greatest_pn + 1):
        with pytest.raises(LocalError):
            transmit_sa(sak, next_pn=next_pn)


def test_windows() -> None:
    strict = Verification(replay_window=64, strict_replay=True)
    assert type(replay_window(GCM_AES_128, strict, next_pn=9, lowest_pn=5)) is Bitmap
    assert type(replay_window(GCM_AES_128, Verification(replay_window=64), next_pn=1, lowest_pn=1)) is LowestAcceptable
    in_order = replay_window(GCM_AES_128, Verification(strict_replay=True), next_pn=9, lowest_pn=5)
    assert type(in_order) is LowestAcceptable
    assert (in_order.next, in_order.lowest) == (9, 9)
    replay_window(GCM_AES_128, Verification(replay_window=2**32 - 1), next_pn=1, lowest_pn=1)
    replay_window(GCM_AES_XPN_128, Verification(replay_window=2**30 - 1), next_pn=1, lowest_pn=1)
    with pytest.raises(LocalError, match="at most 1073741823, not 1073741824"):
        replay_window(GCM_AES_XPN_128, Verification(replay_window=2**30), next_pn=1, lowest_pn=1)
    with pytest.raises(LocalError, match="1 to 65536 numbers"):
        replay_window(GCM_AES_128, replace(strict, replay_window=65537), next_pn=1, lowest_pn=1)
    with pytest.raises(LocalError, match="at most 0xffffffff"):
        replay_window(GCM_AES_128, strict, next_pn=2**32, lowest_pn=1)
    with pytest.raises(LocalError):
        Verification(replay_window=-1)
