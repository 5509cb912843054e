"""The counters of 802.1AE-2018 10.7 under their own names, and what becomes of a single frame."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias, final


@final
class DiscardReason(enum.StrEnum):
    """Why a frame was discarded: the name of the counter that counts it."""

    IN_PKTS_NO_TAG = "InPktsNoTag"
    IN_PKTS_BAD_TAG = "InPktsBadTag"
    IN_PKTS_NO_SCI = "InPktsNoSCI"
    IN_PKTS_NOT_USING_SA = "InPktsNotUsingSA"
    IN_PKTS_LATE = "InPktsLate"
    IN_PKTS_NOT_VALID = "InPktsNotValid"
    IF_IN_ERRORS = "ifInErrors"
    OUT_PKTS_TOO_LONG = "OutPktsTooLong"
    IF_OUT_DISCARDS = "ifOutDiscards"
    IF_OUT_ERRORS = "ifOutErrors"


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """A frame for the other side."""

    octets: bytes


@final
@dataclass(frozen=True, slots=True)
class Discarded:
    """No frame for the other side, and why not; already counted."""

    reason: DiscardReason


Outcome: TypeAlias = Accepted | Discarded


@final
@dataclass(slots=True, kw_only=True)
class SecyCounters:
    """A SecY's own (802.1AE-2018 10.7.9, 10.7.18); those of its channels are the channels'.

    InPktsUnknownSCI and InPktsNoSCI are 802.1AE-2006's names. The later InPktsNoSA and InPktsNoSAError count the same
    frames together with those of the channels' InPktsUnusedSA and InPktsNotUsingSA. InPktsOverrun is the port's to add
    to: frames it lost before we saw them. The last three are of the interface MIB (10.7.6): a received frame without a
    whole Ethernet header or too long for the slot that is to hold it; a frame to send while no SA may send; a frame to
    send without a whole Ethernet header.
    """

    InPktsUntagged: int = 0
    InPktsNoTag: int = 0
    InPktsBadTag: int = 0
    InPktsUnknownSCI: int = 0
    InPktsNoSCI: int = 0
    InPktsNoSA: int = 0
    InPktsNoSAError: int = 0
    InPktsOverrun: int = 0
    OutPktsUntagged: int = 0
    OutPktsTooLong: int = 0
    ifInErrors: int = 0  # noqa: N815  # as RFC 2863 spells it
    ifOutDiscards: int = 0  # noqa: N815  # as RFC 2863 spells it
    ifOutErrors: int = 0  # noqa: N815  # as RFC 2863 spells it


@final
@dataclass(slots=True, kw_only=True)
class ReceiveChannelCounters:
    """A receive SC's, over all its SAs past and present (802.1AE-2018 10.7.9, 10.7.10). Octets are User Data."""

    InPktsUnusedSA: int = 0
    InPktsNotUsingSA: int = 0
    InPktsUnchecked: int = 0
    InPktsDelayed: int = 0
    InPktsLate: int = 0
    InPktsOK: int = 0
    InPktsInvalid: int = 0
    InPktsNotValid: int = 0
    InOctetsValidated: int = 0
    InOctetsDecrypted: int = 0


@final
@dataclass(slots=True, kw_only=True)
class ReceiveSaCounters:
    """Those that are kept for each AN of a receive SC as well, from its SA's creation on (802.1AE-2018 10.7.9)."""

    InPktsUnusedSA: int = 0
    InPktsNotUsingSA: int = 0
    InPktsOK: int = 0
    InPktsInvalid: int = 0
    InPktsNotValid: int = 0


@final
@dataclass(slots=True, kw_only=True)
class TransmitChannelCounters:
    """The transmit SC's, over all its SAs past and present (802.1AE-2018 10.7.18, 10.7.19). Octets are of User Data."""

    OutPktsProtected: int = 0
    OutPktsEncrypted: int = 0
    OutOctetsProtected: int = 0
    OutOctetsEncrypted: int = 0


@final
@dataclass(slots=True, kw_only=True)
class TransmitSaCounters:
    """Those that are kept for each transmit SA as well (802.1AE-2018 10.7.18)."""

    OutPktsProtected: int = 0
    OutPktsEncrypted: int = 0
