"""The EAPOL header, which all of 802.1X travels behind; MKA's MKPDUs are one packet type of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.errors import LocalError, WireError

HEADER_OCTETS: Final = 4
PAE_GROUP_ADDRESS: Final = bytes.fromhex("0180c2000003")
"""Where MKPDUs go on a point-to-point link (802.1X-2020 11.1.1)."""


class EapolType(enum.IntEnum):
    """Packet types (802.1X-2020 Table 11-3)."""

    EAP = 0
    START = 1
    LOGOFF = 2
    KEY = 3
    ENCAPSULATED_ASF_ALERT = 4
    MKA = 5
    ANNOUNCEMENT_GENERIC = 6
    ANNOUNCEMENT_SPECIFIC = 7
    ANNOUNCEMENT_REQUEST = 8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EapolHeader:
    """The four octets after the EtherType 888E (802.1X-2020 11.3).

    ```
     0                   1                   2                   3
    +---------------+---------------+-------------------------------+
    |    Version    |  Packet Type  |      Packet Body Length       |
    +---------------+---------------+-------------------------------+
    ```

    `packet_type` may be one that `EapolType` does not name. Octets behind the body are padding.

    Raises:
        LocalError: a field does not fit its place.
    """

    version: int = 3
    packet_type: int
    body_octets: int

    def __post_init__(self) -> None:
        if not (0 <= self.version < 256 and 0 <= self.packet_type < 256 and 0 <= self.body_octets < 65536):
            raise LocalError(f"a field does not fit the EAPOL header: {self}")

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """The header at the start of `octets`, which hold at least the body that it announces.

        Raises:
            WireError: the frame ends within the header or the body.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an EAPOL header has {HEADER_OCTETS} octets, here are {len(octets)}")
        body_octets = int.from_bytes(octets[2:4], "big")
        if len(octets) - HEADER_OCTETS < body_octets:
            raise WireError(f"an EAPOL body of {body_octets} octets is cut to {len(octets) - HEADER_OCTETS}")
        return cls(version=octets[0], packet_type=octets[1], body_octets=body_octets)

    def emit(self) -> bytes:
        """The header's four octets."""
        return bytes((self.version, self.packet_type)) + self.body_octets.to_bytes(2, "big")
