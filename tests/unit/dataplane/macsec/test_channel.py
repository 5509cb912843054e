"""The management verbs: what follows what, and what is refused."""

from __future__ import annotations

from collections import deque

import pytest

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.macsec.association import ReceiveSa, Sak, TransmitSa
from dataplane.macsec.channel import ReceiveChannel, TransmitChannel
from dataplane.macsec.controls import Controls, Generation, SciEncoding, Verification
from dataplane.macsec.counters import Accepted
from dataplane.macsec.events import PnExhausted, PnThresholdReached
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import GCM_AES_128
from dataplane.wire.sectag import SecTag
from tests.unit.dataplane.macsec.pair import A_SCI, make_sak


def controls(encoding: SciEncoding = SciEncoding.EXPLICIT) -> Controls:
    return Controls(generation=Generation(sci_encoding=encoding), verification=Verification(replay_window=10))


def transmitting(channel: TransmitChannel, an: int) -> TransmitSa:
    sa = channel.sa(an)
    assert sa is not None
    return sa


def receiving(channel: ReceiveChannel, an: int) -> ReceiveSa:
    sa = channel.sa(an)
    assert sa is not None
    return sa


def test_a_transmit_sa_sends_when_enabled_and_its_successor_takes_over() -> None:
    channel = TransmitChannel(A_SCI, controls(), deque())
    channel.create_sa(3, make_sak(seed=1), next_pn=7)
    assert (channel.encoding_sa, transmitting(channel, 3).in_use) == (None, False)
    channel.enable_sa(3)
    assert channel.encoding_sa is transmitting(channel, 3)
    assert (transmitting(channel, 3).in_use, transmitting(channel, 3).next_pn) == (True, 7)
    channel.create_sa(0, make_sak(seed=2))
    assert channel.encoding_sa is transmitting(channel, 3)
    channel.enable_sa(0)
    assert channel.encoding_sa is transmitting(channel, 0)
    assert not transmitting(channel, 3).in_use
    channel.delete_sa(3)
    assert channel.sa(3) is None
    channel.disable_sa(0)
    assert not transmitting(channel, 0).in_use
    channel.delete_sa(0)
    assert channel.encoding_sa is None


def test_what_a_transmit_channel_refuses() -> None:
    channel = TransmitChannel(A_SCI, controls(), deque())
    for verb in (channel.enable_sa, channel.disable_sa, channel.delete_sa):
        with pytest.raises(LocalError, match="no transmit SA with AN 1"):
            verb(1)
    channel.create_sa(1, make_sak(seed=1))
    with pytest.raises(LocalError, match="AN 1 is still there: delete it first"):
        channel.create_sa(1, make_sak(seed=2))
    with pytest.raises(LocalError, match="nonces twice"):
        channel.create_sa(2, make_sak(seed=1))
    with pytest.raises(LocalError, match="an AN is 0 to 3"):
        channel.create_sa(4, make_sak(seed=2))
    with pytest.raises(LocalError, match="8 octets, not 6"):
        TransmitChannel(A_SCI[:6], controls(), deque())
    transmitting(channel, 1).take(1 << 32)
    with pytest.raises(LocalError, match="has used its last PN"):
        channel.enable_sa(1)


@pytest.mark.parametrize(
    ("encoding", "tag"),
    [
        (SciEncoding.EXPLICIT, SecTag(encrypted=True, changed=True, an=2, pn=0, sci=A_SCI)),
        (SciEncoding.END_STATION, SecTag(es=True, encrypted=True, changed=True, an=2, pn=0)),
        (SciEncoding.SCB, SecTag(scb=True, encrypted=True, changed=True, an=2, pn=0)),
        (SciEncoding.IMPLIED, SecTag(encrypted=True, changed=True, an=2, pn=0)),
    ],
)
def test_the_tag_of_a_transmit_sa(encoding: SciEncoding, tag: SecTag) -> None:
    channel = TransmitChannel(A_SCI, controls(encoding), deque())
    channel.create_sa(2, make_sak())
    assert transmitting(channel, 2).tag == tag.emit()


def test_receive_sas_overlap() -> None:
    channel = ReceiveChannel(A_SCI, controls())
    assert channel.receiving_sa(0) is None
    channel.create_sa(0, make_sak(seed=1), next_pn=100, lowest_pn=95)
    assert channel.receiving_sa(0) is None
    channel.enable_sa(0)
    channel.create_sa(1, make_sak(seed=2))
    channel.enable_sa(1)
    assert channel.receiving_sa(0) is receiving(channel, 0)
    assert channel.receiving_sa(1) is receiving(channel, 1)
    assert receiving(channel, 0).window.lowest == 95
    channel.raise_pn(0, lowest_pn=98)
    assert receiving(channel, 0).window.lowest == 98
    channel.raise_pn(0, next_pn=200)
    assert (receiving(channel, 0).window.next, receiving(channel, 0).window.lowest) == (200, 190)
    channel.disable_sa(1)
    assert channel.receiving_sa(1) is None
    channel.delete_sa(1)
    assert channel.sa(1) is None


def test_a_new_sa_counts_from_0_and_the_channel_goes_on() -> None:
    channel = ReceiveChannel(A_SCI, controls())
    channel.create_sa(0, make_sak(seed=1))
    receiving(channel, 0).counters.InPktsOK = channel.counters.InPktsOK = 5
    channel.delete_sa(0)
    assert channel.sa_counters[0].InPktsOK == 5
    channel.create_sa(0, make_sak(seed=2))
    assert receiving(channel, 0).counters is channel.sa_counters[0]
    assert (channel.sa_counters[0].InPktsOK, channel.counters.InPktsOK) == (0, 5)


def test_what_a_receive_channel_refuses() -> None:
    channel = ReceiveChannel(A_SCI, controls())
    for verb in (channel.enable_sa, channel.disable_sa, channel.delete_sa, channel.raise_pn):
        with pytest.raises(LocalError, match=f"no receive SA with AN 1 of SCI {A_SCI.hex()}"):
            verb(1)
    channel.create_sa(1, make_sak(seed=1))
    with pytest.raises(LocalError, match="AN 1 is still there: delete it first"):
        channel.create_sa(1, make_sak(seed=1))
    channel.raise_pn(1, next_pn=1 << 32)
    with pytest.raises(LocalError, match="at most 0xffffffff"):
        channel.raise_pn(1, lowest_pn=1 << 32)
    with pytest.raises(LocalError, match="8 octets, not 0"):
        ReceiveChannel(b"", controls())


def test_pns_are_skipped_forward_alone() -> None:
    secy = SecY(bytes(7) + b"\1")
    with pytest.raises(LocalError, match="no transmit SA"):
        secy.transmit.skip_pns(0, 5)
    secy.transmit.create_sa(0, Sak(suite=GCM_AES_128, key=Secret(bytes(16))))
    secy.transmit.enable_sa(0)
    secy.transmit.skip_pns(0, 1000)
    outcome = secy.protect_frame(bytes(64))
    assert isinstance(outcome, Accepted)
    assert int.from_bytes(outcome.octets[16:20], "big") == 1000
    for wrong in (1000, 1 << 32):
        with pytest.raises(LocalError, match="next PN is 0x3e9"):
            secy.transmit.skip_pns(0, wrong)
    secy.transmit.skip_pns(0, GCM_AES_128.greatest_pn)
    assert isinstance(secy.protect_frame(bytes(64)), Accepted)
    assert [type(event) for event in iter(secy.next_event, None)] == [PnThresholdReached, PnExhausted]
    assert not isinstance(secy.protect_frame(bytes(64)), Accepted)
