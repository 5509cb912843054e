"""The door: channels come and go, names are the standard's, nothing secret shows."""

from __future__ import annotations

from dataclasses import fields

import pytest

from dataplane.errors import LocalError
from dataplane.macsec.counters import (
    DiscardReason,
    ReceiveChannelCounters,
    ReceiveSaCounters,
    SecyCounters,
    TransmitChannelCounters,
    TransmitSaCounters,
)
from dataplane.macsec.secy import SecY
from tests.unit.dataplane.macsec.pair import A_SCI, B_SCI


def test_receive_channels_come_and_go() -> None:
    secy = SecY(B_SCI)
    channel = secy.create_receive_channel(A_SCI)
    assert secy.receive_channel(A_SCI) is channel
    assert secy.receive_channels() == (channel,)
    with pytest.raises(LocalError, match=f"SCI {A_SCI.hex()} already"):
        secy.create_receive_channel(A_SCI)
    with pytest.raises(LocalError, match=f"SCI {B_SCI.hex()} already"):
        secy.create_receive_channel(B_SCI)
    secy.delete_receive_channel(A_SCI)
    assert secy.receive_channel(A_SCI) is None
    with pytest.raises(LocalError, match=f"no receive SC with SCI {A_SCI.hex()}"):
        secy.delete_receive_channel(A_SCI)
    with pytest.raises(LocalError, match="8 octets, not 6"):
        SecY(A_SCI[:6])


def test_a_reason_is_a_counter_s_name() -> None:
    names = {field.name for record in (SecyCounters, ReceiveChannelCounters) for field in fields(record)}
    assert {str(reason) for reason in DiscardReason} <= names


def test_no_counter_of_the_clause_is_missing() -> None:
    names = {
        field.name
        for record in (
            SecyCounters, ReceiveChannelCounters, ReceiveSaCounters, TransmitChannelCounters, TransmitSaCounters,
        )
        for field in fields(record)
    }  # fmt: skip
    clause = """
        InPktsUntagged InPktsNoTag InPktsBadTag InPktsUnknownSCI InPktsNoSCI InPktsNoSA InPktsNoSAError InPktsOverrun
        InPktsOK InPktsUnchecked InPktsDelayed InPktsLate InPktsInvalid InPktsNotValid InPktsNotUsingSA InPktsUnusedSA
        InOctetsValidated InOctetsDecrypted OutPktsUntagged OutPktsTooLong OutPktsProtected OutPktsEncrypted
        OutOctetsProtected OutOctetsEncrypted
    """
    assert names >= {*clause.split()}
