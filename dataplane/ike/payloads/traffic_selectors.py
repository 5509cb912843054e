"""TSi and TSr: the selectors of a child SA, as octets. What they select is dataplane.ipsec's."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Final, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ipsec.selectors import TrafficSelector

_FIXED: Final = struct.Struct("!BBHHH")
_IPV4: Final = 7
_IPV6: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSelectors:
    """A TS payload of either end: a count, then selectors one after the other.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-----------------------------------------------+
    | no. selectors |                   reserved                    |
    +---------------+---------------+-------------------------------+
    |  type: 7 or 8 |  IP protocol  |       selector length         |
    +---------------+---------------+-------------------------------+
    |          start port           |           end port            |
    +-------------------------------+-------------------------------+
    |            start address, then end address                    ~
    +---------------------------------------------------------------+
                                                      RFC 7296 3.13
    """

    critical: ClassVar[bool] = False

    selectors: tuple[TrafficSelector, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body. Selectors of types that are not known here are left out: nothing of them can be agreed on.

        Raises:
            WireError: no selector, a range that runs backwards, or structures that do not fill each other.
        """
        if len(body) < 4:
            raise WireError(f"a TS payload of {len(body)} octets has no count")
        count, rest = body[0], body[4:]
        if count == 0:
            raise WireError("a TS payload without selectors")
        selectors = []
        for _ in range(count):
            if len(rest) < _FIXED.size:
                raise WireError(f"{len(rest)} octets are no traffic selector")
            kind, protocol, length, low, high = _FIXED.unpack_from(rest)
            if not _FIXED.size <= length <= len(rest):
                raise WireError(f"a traffic selector states {length} octets of {len(rest)}")
            if kind in (_IPV4, _IPV6):
                selectors.append(_selector(kind, protocol, (low, high), rest[_FIXED.size : length]))
            rest = rest[length:]
        if rest:
            raise WireError(f"{len(rest)} octets after the last traffic selector")
        return cls(selectors=tuple(selectors))

    def emit(self) -> bytes:
        """The payload's body."""
        parts = [bytes((len(self.selectors), 0, 0, 0))]
        for each in self.selectors:
            addresses = each.start.packed + each.end.packed
            kind = _IPV4 if each.version == 4 else _IPV6
            parts += [_FIXED.pack(kind, each.protocol, _FIXED.size + len(addresses), *each.ports), addresses]
        return b"".join(parts)


def _selector(kind: int, protocol: int, ports: tuple[int, int], addresses: bytes) -> TrafficSelector:
    make, octets = (IPv4Address, 4) if kind == _IPV4 else (IPv6Address, 16)
    if len(addresses) != 2 * octets:
        raise WireError(f"a traffic selector of type {kind} has {2 * octets} octets of addresses, not {len(addresses)}")
    try:
        return TrafficSelector(
            start=make(addresses[:octets]), end=make(addresses[octets:]), protocol=protocol, ports=ports
        )
    except LocalError as error:
        raise WireError(str(error)) from None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSelectorsInitiator(TrafficSelectors):
    """TSi: addresses at the end of whoever began the exchange."""

    payload_type: ClassVar[int] = PayloadType.TSI


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSelectorsResponder(TrafficSelectors):
    """TSr: addresses at the other end."""

    payload_type: ClassVar[int] = PayloadType.TSR
