"""SA: proposals, as octets. What is in them, and the choice among them, is dataplane.ipsec's."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import Transform, TransformType

_PROPOSAL: Final = struct.Struct("!BBHBBBB")
_TRANSFORM: Final = struct.Struct("!BBHBBH")
_ATTRIBUTE: Final = struct.Struct("!HH")

_LAST: Final = 0
_MORE_PROPOSALS: Final = 2
_MORE_TRANSFORMS: Final = 3
_FIXED_LENGTH: Final = 0x8000
_KEY_LENGTH: Final = 14

_SPI_OCTETS: Final = {SecurityProtocol.IKE: (0, 8), SecurityProtocol.AH: (4,), SecurityProtocol.ESP: (4,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAssociation:
    """An SA payload: proposals one after the other.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |  0 last, or 2 |   reserved    |        proposal length        |
    +---------------+---------------+---------------+---------------+
    |    number     |  protocol ID  |   SPI size    | no. transforms|
    +---------------+---------------+---------------+---------------+
    |                              SPI                              ~
    +---------------------------------------------------------------+  RFC 7296 3.3.1

    +---------------+---------------+-------------------------------+
    |  0 last, or 3 |   reserved    |       transform length        |
    +---------------+---------------+-------------------------------+
    |     type      |   reserved    |         transform ID          |
    +---------------+---------------+-------------------------------+
    |          attributes; the only one is Key Length (14)          ~
    +---------------------------------------------------------------+  RFC 7296 3.3.2, 3.3.5
    """

    payload_type: ClassVar[int] = PayloadType.SA
    critical: ClassVar[bool] = False

    proposals: tuple[Proposal, ...]

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body. Proposals for protocols that are not known here are left out.

        Raises:
            WireError: no proposal, or structures that do not fill each other.
        """
        proposals = []
        more = _MORE_PROPOSALS
        while more == _MORE_PROPOSALS:
            if len(body) < _PROPOSAL.size:
                raise WireError(f"{len(body)} octets are no proposal")
            more, _, length, number, protocol, spi_octets, count = _PROPOSAL.unpack_from(body)
            if more not in (_LAST, _MORE_PROPOSALS) or not _PROPOSAL.size + spi_octets <= length <= len(body):
                raise WireError(f"proposal {number} states {length} octets of {len(body)}, continuation {more}")
            spi = body[_PROPOSAL.size : _PROPOSAL.size + spi_octets]
            transforms, unknown = _parse_transforms(body[_PROPOSAL.size + spi_octets : length], count)
            body = body[length:]
            if protocol not in set(SecurityProtocol):
                continue
            if spi_octets not in _SPI_OCTETS[SecurityProtocol(protocol)]:
                raise WireError(f"proposal {number} has an SPI of {spi_octets} octets for protocol {protocol}")
            proposals.append(
                Proposal(
                    protocol=SecurityProtocol(protocol),
                    transforms=transforms,
                    number=number,
                    spi=spi,
                    has_unknown=unknown,
                )
            )
        if body:
            raise WireError(f"{len(body)} octets after the last proposal")
        return cls(proposals=tuple(proposals))

    def emit(self) -> bytes:
        """The payload's body."""
        parts = []
        for index, proposal in enumerate(self.proposals):
            transforms = _emit_transforms(proposal.transforms)
            length = _PROPOSAL.size + len(proposal.spi) + len(transforms)
            more = _LAST if index == len(self.proposals) - 1 else _MORE_PROPOSALS
            count = len(proposal.transforms)
            fixed = (more, 0, length, proposal.number, proposal.protocol, len(proposal.spi), count)
            parts += [_PROPOSAL.pack(*fixed), proposal.spi, transforms]
        return b"".join(parts)


def _parse_transforms(octets: bytes, count: int) -> tuple[tuple[Transform, ...], bool]:
    """The transforms of known types, and whether there was anything that is not known (RFC 7296 3.3.6)."""
    transforms = []
    unknown = False
    for left in range(count, 0, -1):
        if len(octets) < _TRANSFORM.size:
            raise WireError(f"{len(octets)} octets are no transform")
        more, _, length, kind, _, identifier = _TRANSFORM.unpack_from(octets)
        if more != (_MORE_TRANSFORMS if left > 1 else _LAST) or not _TRANSFORM.size <= length <= len(octets):
            raise WireError(f"a transform states {length} octets of {len(octets)}, continuation {more}")
        key_bits, other = _parse_attributes(octets[_TRANSFORM.size : length])
        octets = octets[length:]
        if kind in set(TransformType) and not other:
            transforms.append(Transform(type=TransformType(kind), id=identifier, key_bits=key_bits))
        else:
            unknown = True
    if octets:
        raise WireError(f"{len(octets)} octets after the last transform")
    return tuple(transforms), unknown


def _parse_attributes(octets: bytes) -> tuple[int | None, bool]:
    """The Key Length, and whether there was another attribute."""
    key_bits = None
    other = False
    while octets:
        if len(octets) < _ATTRIBUTE.size:
            raise WireError(f"{len(octets)} octets are no attribute")
        kind, value = _ATTRIBUTE.unpack_from(octets)
        length = _ATTRIBUTE.size + (0 if kind & _FIXED_LENGTH else value)
        if length > len(octets):
            raise WireError(f"an attribute states {length} octets of {len(octets)}")
        if kind == _FIXED_LENGTH | _KEY_LENGTH:
            key_bits = value
        else:
            other = True
        octets = octets[length:]
    return key_bits, other


def _emit_transforms(transforms: tuple[Transform, ...]) -> bytes:
    parts = []
    for left, transform in zip(range(len(transforms), 0, -1), transforms, strict=True):
        attribute = (
            b"" if transform.key_bits is None else _ATTRIBUTE.pack(_FIXED_LENGTH | _KEY_LENGTH, transform.key_bits)
        )
        more = _MORE_TRANSFORMS if left > 1 else _LAST
        length = _TRANSFORM.size + len(attribute)
        parts += [_TRANSFORM.pack(more, 0, length, transform.type, 0, transform.id), attribute]
    return b"".join(parts)
