"""A link's MACsec policy, in the standard's terms; Azure's spelling stays in lab.azure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lab.model.secret import SecretReference


class SciEncoding(enum.StrEnum):
    """How a SecTAG names its SC (802.1AE-2018 9.5, 9.9)."""

    EXPLICIT = "explicit"
    END_STATION = "end-station"
    SCB = "scb"
    IMPLIED = "implied"


class CakChange(enum.StrEnum):
    """What a change of a link's CAK does.

    AZURE replaces the one pair that an end has: frames are lost until both ends have the new one. HITLESS adds the new
    pair beside the old one, which goes when both ends have both.
    """

    AZURE = "azure"
    HITLESS = "hitless"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticKeys:
    """A SAK for each direction, by the transmitting node. With an XPN suite: SAK, then the 12-octet salt."""

    saks: tuple[tuple[str, SecretReference], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MkaKeys:
    """The link keys itself by MKA from this CAK, which both ends hold and call by this CKN (802.1X-2020 9).

    With `delay_protection` a frame that was on its way for more than about two seconds is refused.
    """

    ckn: SecretReference
    cak: SecretReference
    change: CakChange
    delay_protection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MacsecPolicy:
    """What both ends of a link are told. `cipher_suite` is the standard's name, as `GCM-AES-XPN-256`."""

    cipher_suite: str
    sci_encoding: SciEncoding
    confidentiality: bool
    confidentiality_offset: int
    replay_window: int
    keys: StaticKeys | MkaKeys

    @property
    def is_xpn(self) -> bool:
        """Whether packet numbers have 64 bits (802.1AE-2018 14.7, 14.8)."""
        return "XPN" in self.cipher_suite


# SecTAG with an SCI, and ICV: what MACsec adds to a frame at most (802.1AE-2018 9.3, 9.11).
MACSEC_OCTETS = 32
# What a frame of 1518 octets takes of a wire: itself, MACsec, preamble and gap.
_FRAME_OCTETS = 1518 + MACSEC_OCTETS + 20


def seconds_at_line_rate(packets: int, gbps: int) -> float:
    """How long a port of this bandwidth takes to send so many frames of 1518 octets and nothing else."""
    return packets * _FRAME_OCTETS * 8 / (gbps * 1e9)
