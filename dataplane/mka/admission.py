"""Which frames an MKPDU is taken from: the checks of 802.1X-2020 11.4 and 11.11.2, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from dataplane.errors import WireError
from dataplane.mka.keys import Cak
from dataplane.mka.mkpdu import Mkpdu, check_length
from dataplane.mka.paramsets.basic import ALGORITHM_AGILITY, BasicParameterSet
from dataplane.mka.verdict import DiscardReason
from dataplane.wire.eapol import HEADER_OCTETS, EapolHeader, EapolType
from dataplane.wire.ethernet import EthernetHeader, EtherType


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a frame is not taken, and the CKN that it named, if it came so far."""

    reason: DiscardReason
    ckn: bytes = b""


def admit(octets: bytes, caks: Mapping[bytes, Cak], group_address: bytes) -> Mkpdu | Refused:
    """The MKPDU in a frame, authentic under the CAK that it names; `caks` are ours by CKN. Never raises."""
    try:
        ethernet = EthernetHeader.parse(octets)
        if ethernet.ether_type != EtherType.EAPOL or ethernet.tags:
            return Refused(reason=DiscardReason.NOT_MKA)
        eapol = EapolHeader.parse(octets[ethernet.length :])
        if eapol.packet_type != EapolType.MKA:
            return Refused(reason=DiscardReason.NOT_MKA)
        if ethernet.destination != group_address:  # 802.1X-2020 11.11.2 a)
            return Refused(reason=DiscardReason.WRONG_DESTINATION)
        start = ethernet.length + HEADER_OCTETS
        return _authentic(octets[: start + eapol.body_octets], start, caks)
    except WireError:
        return Refused(reason=DiscardReason.MALFORMED)


def _authentic(frame: bytes, start: int, caks: Mapping[bytes, Cak]) -> Mkpdu | Refused:
    """The MKPDU of a frame without padding, whose body begins at `start`.

    Raises:
        WireError: the octets are no MKPDU.
    """
    body = frame[start:]
    check_length(body)
    basic = BasicParameterSet.parse(body)
    cak = caks.get(basic.ckn)
    if cak is None:  # 802.1X-2020 11.11.2 d)
        return Refused(reason=DiscardReason.UNKNOWN_CKN, ckn=basic.ckn)
    if basic.algorithm_agility != ALGORITHM_AGILITY:
        return Refused(reason=DiscardReason.UNKNOWN_ALGORITHM, ckn=basic.ckn)
    if not cak.sealed_frame(frame):
        return Refused(reason=DiscardReason.INVALID_ICV, ckn=basic.ckn)
    return Mkpdu.parse(body)
