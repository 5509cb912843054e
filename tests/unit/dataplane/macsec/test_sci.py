"""SecTAGs without an SCI, and the channel that they belong to (802.1AE-2018 9.5, 9.9)."""

from __future__ import annotations

import pytest

from dataplane.macsec.controls import Generation, SciEncoding
from dataplane.macsec.counters import Accepted, Discarded, DiscardReason
from dataplane.macsec.secy import SecY
from tests.unit.dataplane.macsec.pair import (
    A_MAC,
    B_MAC,
    B_SCI,
    add_receive_sa,
    make_sak,
    receiver,
    sender,
)
from tests.unit.dataplane.macsec.test_validate import CLEAR, protected


# Which SCI a SecTAG without one stands for: the sender's encoding, the peer's SCI at the receiver, found or not.
@pytest.mark.parametrize(
    ("encoding", "peer_sci", "found"),
    [
        (SciEncoding.END_STATION, A_MAC + b"\x00\x01", True),
        (SciEncoding.END_STATION, A_MAC + b"\x00\x00", False),
        (SciEncoding.END_STATION, B_MAC + b"\x00\x01", False),
        (SciEncoding.SCB, A_MAC + b"\x00\x00", True),
        (SciEncoding.SCB, A_MAC + b"\x00\x01", True),
        (SciEncoding.SCB, A_MAC + b"\x00\x02", False),
        (SciEncoding.IMPLIED, A_MAC + b"\x12\x34", True),
        (SciEncoding.IMPLIED, bytes(8), True),
    ],
)
def test_sci_by_other_means(*, encoding: SciEncoding, peer_sci: bytes, found: bool) -> None:
    a = SecY(peer_sci, generation=Generation(sci_encoding=encoding))
    a.transmit.create_sa(0, make_sak())
    a.transmit.enable_sa(0)
    b = SecY(B_SCI[:6] + b"\x00\x09")
    add_receive_sa(b.create_receive_channel(peer_sci), 0, make_sak())
    outcome = b.validate_frame(protected(a))
    assert outcome == (Accepted(CLEAR) if found else Discarded(DiscardReason.IN_PKTS_NO_SCI))


def test_an_implied_sci_needs_a_single_peer() -> None:
    a = sender(generation=Generation(sci_encoding=SciEncoding.IMPLIED))
    b, _ = receiver()
    assert b.validate_frame(protected(a)) == Accepted(CLEAR)
    b.create_receive_channel(A_MAC + b"\x00\x02")
    assert b.validate_frame(protected(a)) == Discarded(DiscardReason.IN_PKTS_NO_SCI)
