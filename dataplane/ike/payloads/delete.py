"""D: SAs that the sender has closed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from dataplane.errors import LocalError, WireError
from dataplane.ike.payloads.kinds import PayloadType

PROTOCOL_IKE: Final = 1
PROTOCOL_AH: Final = 2
PROTOCOL_ESP: Final = 3

_FIXED: Final = struct.Struct("!BBH")
_SPI_OCTETS: Final = {PROTOCOL_IKE: 0, PROTOCOL_AH: 4, PROTOCOL_ESP: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePayload:
    """A delete payload: the IKE SA it travels in, or the sender's inbound SPIs of a protocol.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |  protocol ID  |   SPI size    |        number of SPIs         |
    +---------------+---------------+-------------------------------+
    |                             SPIs                              ~
    +---------------------------------------------------------------+
                                                      RFC 7296 3.11
    """

    payload_type: ClassVar[int] = PayloadType.DELETE
    critical: ClassVar[bool] = False

    protocol: int
    spis: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if any(len(spi) != _SPI_OCTETS.get(self.protocol) for spi in self.spis):
            raise LocalError(f"an SPI of protocol {self.protocol} has {_SPI_OCTETS.get(self.protocol)} octets")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body.

        Raises:
            WireError: an SPI size that the protocol does not have, or SPIs that do not fill the body.
        """
        if len(body) < _FIXED.size:
            raise WireError(f"a delete payload of {len(body)} octets closes nothing")
        protocol, size, count = _FIXED.unpack_from(body)
        if _SPI_OCTETS.get(protocol) != size:
            raise WireError(f"SPIs of {size} octets for protocol {protocol}")
        if len(body) != _FIXED.size + size * count or (size == 0 and count != 0):
            raise WireError(f"{count} SPIs of {size} octets in a delete payload of {len(body)}")
        spis = tuple(body[at : at + size] for at in range(_FIXED.size, len(body), size)) if size else ()
        return cls(protocol=protocol, spis=spis)

    def emit(self) -> bytes:
        """The payload's body."""
        return _FIXED.pack(self.protocol, _SPI_OCTETS[self.protocol], len(self.spis)) + b"".join(self.spis)
