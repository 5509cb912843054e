"""The generic payload header: cutting a chain of payloads apart, and joining one.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+---------------+-+-------------+-------------------------------+
| next payload  |C|  reserved   | length, these 4 octets too    |
+---------------+-+-------------+-------------------------------+
                                                      RFC 7296 3.2
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dataplane.errors import LocalError, WireError
from dataplane.ike.payloads.kinds import Payload, PayloadType

HEADER_OCTETS: Final = 4

_FIXED: Final = struct.Struct("!BBH")
_CRITICAL: Final = 0x80
_ENCRYPTED: Final = (PayloadType.SK, PayloadType.SKF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One payload of a chain. `next_type` tells the payload after it or, of SK and SKF, the first one inside."""

    payload_type: int
    next_type: int
    critical: bool
    body: bytes
    offset: int


def split(first: int, octets: bytes) -> tuple[Link, ...]:
    """Cut a chain whose first payload has the type `first`; SK and SKF end it (RFC 7296 3.14).

    Raises:
        WireError: a length that is too short or points outside, octets left over, or something after SK or SKF.
    """
    links = []
    kind, offset = first, 0
    while kind != PayloadType.NONE:
        if len(octets) - offset < HEADER_OCTETS:
            raise WireError(f"no room for payload {kind} at offset {offset}")
        next_type, flags, length = _FIXED.unpack_from(octets, offset)
        if length < HEADER_OCTETS or offset + length > len(octets):
            raise WireError(
                f"payload {kind} at offset {offset} states {length} octets, {len(octets) - offset} are left"
            )
        body = octets[offset + HEADER_OCTETS : offset + length]
        links.append(
            Link(
                payload_type=kind,
                next_type=next_type,
                critical=bool(flags & _CRITICAL),
                body=bytes(body),
                offset=offset,
            )
        )
        offset += length
        if kind in _ENCRYPTED:
            break
        kind = next_type
    if offset != len(octets):
        raise WireError(f"{len(octets) - offset} octets after the last payload")
    return tuple(links)


def header(next_type: int, body_octets: int, *, critical: bool = False) -> bytes:
    """A generic payload header for a body of that length.

    Raises:
        LocalError: the payload would be longer than its length field can say.
    """
    length = HEADER_OCTETS + body_octets
    if length > 0xFFFF:
        raise LocalError(f"a payload has at most 65535 octets, not {length}")
    return _FIXED.pack(next_type, critical * _CRITICAL, length)


def join(payloads: Sequence[Payload]) -> tuple[int, bytes]:
    """The type of the first payload, and the chain's octets."""
    octets = bytearray()
    types = [payload.payload_type for payload in payloads] + [int(PayloadType.NONE)]
    for payload, next_type in zip(payloads, types[1:], strict=True):
        body = payload.emit()
        octets += header(next_type, len(body), critical=payload.critical) + body
    return types[0], bytes(octets)
