"""What every MKPDU begins with: who speaks, for which CA, how often it has spoken."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.mka.paramsets.header import HEADER_OCTETS, MI_OCTETS, SCI_OCTETS, SetHeader, padded
from dataplane.wire.fields import check_fields

CKN_LIMIT: Final = 32
"""A CKN has 1 to 32 octets (802.1X-2020 9.3.1)."""
MKA_VERSION: Final = 3
ALGORITHM_AGILITY: Final = bytes.fromhex("0080c201")
"""AES-CMAC with 128- or 256-bit keys (802.1X-2020 Table 9-1)."""

_FIXED_OCTETS: Final = 28


class MacsecCapability(enum.IntEnum):
    """What a member's SecY can do (802.1X-2020 Table 11-6)."""

    NONE = 0
    INTEGRITY = 1
    CONFIDENTIALITY = 2
    CONFIDENTIALITY_OFFSETS = 3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BasicParameterSet:
    """Who speaks, for which CA, how often it has spoken (802.1X-2020 Figure 11-8).

    ```
     0                   1                   2                   3
    +---------------+---------------+-+-+---+-----------------------+
    |  MKA Version  |  KS Priority  |K|D|Cap|  Body Length          |
    +---------------+---------------+-+-+---+-----------------------+
    |                        SCI, 8 octets                          |
    +---------------------------------------------------------------+
    |          Actor's Member Identifier (MI), 12 octets            |
    +---------------------------------------------------------------+
    |              Actor's Message Number (MN)                      |
    +---------------------------------------------------------------+
    |                    Algorithm Agility                          |
    +---------------------------------------------------------------+
    |              CAK Name (CKN), 1 to 32 octets                   |
    +---------------------------------------------------------------+
    ```

    K is `key_server`, D `macsec_desired`, Cap `macsec_capability`.

    Raises:
        LocalError: a field does not fit its place.
    """

    version: int = MKA_VERSION
    key_server_priority: int
    key_server: bool
    macsec_desired: bool
    macsec_capability: MacsecCapability
    sci: bytes
    mi: bytes
    mn: int
    algorithm_agility: bytes = ALGORITHM_AGILITY
    ckn: bytes

    def __post_init__(self) -> None:
        check_fields(version=(self.version, 8), key_server_priority=(self.key_server_priority, 8), mn=(self.mn, 32))
        if (len(self.sci), len(self.mi), len(self.algorithm_agility)) != (SCI_OCTETS, MI_OCTETS, 4):
            raise LocalError("an SCI has 8 octets, an MI 12, the algorithm agility 4")
        if not 1 <= len(self.ckn) <= CKN_LIMIT:
            raise LocalError(f"a CKN has 1 to {CKN_LIMIT} octets, not {len(self.ckn)}")

    @property
    def length(self) -> int:
        """Octets of the set with its header and padding."""
        return HEADER_OCTETS + padded(_FIXED_OCTETS + len(self.ckn))

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """The set at the start of `octets`, which may go on.

        Raises:
            WireError: cut short, or a CKN of no or of more than 32 octets.
        """
        header = SetHeader.parse(octets)
        if not 1 <= header.body_octets - _FIXED_OCTETS <= CKN_LIMIT:
            raise WireError(f"a basic parameter set has no body of {header.body_octets} octets")
        body = octets[HEADER_OCTETS : HEADER_OCTETS + header.body_octets]
        return cls(
            version=header.kind,
            key_server_priority=header.second,
            key_server=bool(header.nibble & 8),
            macsec_desired=bool(header.nibble & 4),
            macsec_capability=MacsecCapability(header.nibble & 3),
            sci=body[:8],
            mi=body[8:20],
            mn=int.from_bytes(body[20:24], "big"),
            algorithm_agility=body[24:28],
            ckn=body[28:],
        )

    def emit(self) -> bytes:
        """The set's octets, padding included."""
        nibble = self.key_server << 3 | self.macsec_desired << 2 | self.macsec_capability
        body = self.sci + self.mi + self.mn.to_bytes(4, "big") + self.algorithm_agility + self.ckn
        return SetHeader(self.version, self.key_server_priority, nibble).around(body)
