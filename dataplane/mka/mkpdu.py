"""The MKPDU: a basic parameter set, others in the order of their types, and an ICV over the whole EAPOL frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, TypeVar, final

from dataplane.crypto.cmac import aes_cmac
from dataplane.errors import WireError
from dataplane.mka.paramsets.basic import BasicParameterSet
from dataplane.mka.paramsets.header import HEADER_OCTETS, SetHeader, SetType
from dataplane.mka.paramsets.registry import ParameterSet, parse_set
from dataplane.wire.eapol import PAE_GROUP_ADDRESS, EapolHeader, EapolType
from dataplane.wire.ethernet import EthernetHeader, EtherType

ICV_OCTETS: Final = 16
LEAST_OCTETS: Final = 32
"""Shorter is no MKPDU (802.1X-2020 11.11.2 b)."""

_INDICATOR: Final = bytes((SetType.ICV_INDICATOR, 0, 0, ICV_OCTETS))

S = TypeVar("S")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mkpdu:
    """An MKPDU without its ICV: an EAPOL-MKA packet's body (802.1X-2020 11.11).

    ```
    +---------------------------------------------------------------+
    |                    Basic Parameter Set                        |
    +---------------------------------------------------------------+
    |            other parameter sets, 4 octets aligned             |
    +---------------------------------------------------------------+
    |              ICV Indicator: FF 00 00 10, may be absent        |
    +---------------------------------------------------------------+
    |                       ICV, 16 octets                          |
    +---------------------------------------------------------------+
    ```
    """

    basic: BasicParameterSet
    sets: tuple[ParameterSet, ...] = ()
    icv_indicator: bool = False

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The MKPDU in an EAPOL body, its ICV included but not looked at.

        Raises:
            WireError: shorter than 32 octets, not a multiple of 4, or a parameter set that is cut or malformed.
        """
        check_length(body)
        basic = BasicParameterSet.parse(body)
        sets: list[ParameterSet] = []
        at, end = basic.length, len(body) - ICV_OCTETS
        if at > end:  # 802.1X-2020 11.11.2 c)
            raise WireError("an MKPDU has no room for its ICV")
        while at < end:
            header = SetHeader.parse(body[at:])
            if header.kind == SetType.ICV_INDICATOR:
                if header.body_octets != ICV_OCTETS or at + HEADER_OCTETS != end:
                    raise WireError("an ICV Indicator stands right before the last 16 octets")
                return cls(basic=basic, sets=tuple(sets), icv_indicator=True)
            start = at + HEADER_OCTETS
            at += header.total_octets
            if at > end:
                raise WireError(f"parameter set {header.kind} runs into the ICV")
            sets.append(parse_set(header, body[start : start + header.body_octets]))
        return cls(basic=basic, sets=tuple(sets))

    def find(self, kind: type[S]) -> S | None:
        """The first set of a kind; a second one of the same kind says nothing (802.1X-2020 11.11.4)."""
        return next((candidate for candidate in self.sets if isinstance(candidate, kind)), None)

    def emit(self) -> bytes:
        """The octets that the ICV follows."""
        sets = b"".join(parameter_set.emit() for parameter_set in self.sets)
        return self.basic.emit() + sets + _INDICATOR * self.icv_indicator


def check_length(body: bytes) -> None:
    """Refuse what is too short for an MKPDU, or has a length that none has.

    Raises:
        WireError: it is, or does.
    """
    if len(body) < LEAST_OCTETS or len(body) % 4:  # 802.1X-2020 11.11.2 b)
        raise WireError(f"an MKPDU has at least {LEAST_OCTETS} octets and a multiple of 4, not {len(body)}")


def seal(mkpdu: Mkpdu, ick: bytes, source: bytes, destination: bytes = PAE_GROUP_ADDRESS) -> bytes:
    """The frame that carries an MKPDU, from its destination address to its ICV.

    Raises:
        LocalError: the ICK is no AES key, or an address is not six octets.
    """
    body = mkpdu.emit()
    ethernet = EthernetHeader(destination=destination, source=source, ether_type=EtherType.EAPOL)
    eapol = EapolHeader(packet_type=EapolType.MKA, body_octets=len(body) + ICV_OCTETS)
    unsealed = ethernet.emit() + eapol.emit() + body
    return unsealed + aes_cmac(ick, unsealed)  # 802.1X-2020 9.4.1: addresses and EAPOL header are covered, too
