"""IDi and IDr: who a peer says it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar, Final, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.ike.payloads.kinds import PayloadType

_FIXED_OCTETS: Final = 4


class IdType(enum.IntEnum):
    """The kinds of identity that a shared key can belong to (RFC 7296 3.5)."""

    IPV4_ADDR = 1
    FQDN = 2
    RFC822_ADDR = 3
    IPV6_ADDR = 5
    KEY_ID = 11


_ADDRESS_OCTETS: Final = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An identity: its type, as a number since a peer may send any, and its octets. Compared octet by octet."""

    id_type: int
    data: bytes

    @classmethod
    def address(cls, address: IPv4Address | IPv6Address | str) -> Self:
        """ID_IPV4_ADDR or ID_IPV6_ADDR."""
        parsed = ip_address(address)
        return cls(id_type=IdType.IPV4_ADDR if parsed.version == 4 else IdType.IPV6_ADDR, data=parsed.packed)

    @classmethod
    def fqdn(cls, name: str) -> Self:
        """ID_FQDN; an internationalised name is given in its ASCII form."""
        return cls(id_type=IdType.FQDN, data=name.encode("ascii"))

    @classmethod
    def email(cls, address: str) -> Self:
        """ID_RFC822_ADDR."""
        return cls(id_type=IdType.RFC822_ADDR, data=address.encode("utf-8"))

    @classmethod
    def key_id(cls, octets: bytes) -> Self:
        """ID_KEY_ID: octets that mean something to both ends alone."""
        return cls(id_type=IdType.KEY_ID, data=octets)

    def __str__(self) -> str:
        if _ADDRESS_OCTETS.get(IdType(self.id_type) if self.id_type in set(IdType) else IdType.KEY_ID) == len(
            self.data
        ):
            return str(ip_address(self.data))
        if self.id_type in (IdType.FQDN, IdType.RFC822_ADDR):
            return self.data.decode("utf-8", "backslashreplace")
        name = IdType(self.id_type).name if self.id_type in set(IdType) else f"type {self.id_type}"
        return f"{name}:{self.data.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """An ID payload of either end.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-----------------------------------------------+
    |    ID type    |                   reserved                    |
    +---------------+-----------------------------------------------+
    |                        identity octets                        ~
    +---------------------------------------------------------------+
                                                       RFC 7296 3.5
    """

    critical: ClassVar[bool] = False

    identity: Identity
    reserved: bytes = bytes(3)  # kept: the AUTH payload's MAC covers these octets too

    def __post_init__(self) -> None:
        if len(self.reserved) != 3:
            raise LocalError(f"an ID payload has 3 reserved octets, not {len(self.reserved)}")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body.

        Raises:
            WireError: shorter than the fixed part, no identity, or an address of a wrong length.
        """
        if len(body) <= _FIXED_OCTETS:
            raise WireError(f"an ID payload of {len(body)} octets names nobody")
        identity = Identity(id_type=body[0], data=body[_FIXED_OCTETS:])
        wanted = _ADDRESS_OCTETS.get(IdType(body[0])) if body[0] in set(IdType) else None
        if wanted is not None and len(identity.data) != wanted:
            raise WireError(f"an identity of type {body[0]} has {wanted} octets, not {len(identity.data)}")
        return cls(identity=identity, reserved=body[1:_FIXED_OCTETS])

    def emit(self) -> bytes:
        """The payload's body: what `RestOfIDPayload` is in RFC 7296 2.15."""
        return bytes((self.identity.id_type,)) + self.reserved + self.identity.data


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationInitiator(Identification):
    """IDi."""

    payload_type: ClassVar[int] = PayloadType.IDI


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationResponder(Identification):
    """IDr."""

    payload_type: ClassVar[int] = PayloadType.IDR
