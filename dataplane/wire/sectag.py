"""The MACsec tag and the lengths it implies. What a cipher suite decides (PN 0, the meaning of E and C) is not here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.wire.ethernet import EtherType

SHORT_TAG_OCTETS: Final = 8
LONG_TAG_OCTETS: Final = 16
SCI_OCTETS: Final = 8
ICV_OCTETS: Final = 16
SHORT_DATA_LIMIT: Final = 48
"""Secure Data of fewer octets states its length in SL (802.1AE-2018 9.7)."""

# The TCI's bits in the third octet; the two lowest are the AN (802.1AE-2018 9.5, 9.6).
VERSION: Final = 0x80
ES: Final = 0x40
SC: Final = 0x20
SCB: Final = 0x10
E: Final = 0x08
C: Final = 0x04
AN_MASK: Final = 0x03

PORT_ES: Final = b"\x00\x01"
"""The port identifier of an end station's SCI (802.1AE-2018 9.9)."""
PORT_SCB: Final = b"\x00\x00"
"""The port identifier of a single copy broadcast SCI (802.1AE-2018 9.9)."""


def short_length(secure_data_octets: int) -> int:
    """What SL says for so many octets of Secure Data: their number below 48, else 0 (802.1AE-2018 9.7)."""
    return secure_data_octets if secure_data_octets < SHORT_DATA_LIMIT else 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SecTag:
    """The SecTAG from its EtherType on (802.1AE-2018 9.3).

    ```
     0                   1                   2                   3
    +-------------------------------+-+-+-+-+-+-+---+---+-----------+
    |     MACsec EtherType 88E5     |V|E|S|S|E|C|AN |0 0|    SL     |
    |                               | |S|C|C| | |   |   |           |
    |                               | | | |B| | |   |   |           |
    +-------------------------------+-+-+-+-+-+-+---+---+-----------+
    |                         Packet Number                         |
    +---------------------------------------------------------------+
    |               SCI, 8 octets, only when SC is set              |
    |                                                               |
    +---------------------------------------------------------------+
    ```

    `es` and `scb` are bits; SC is set when there is an `sci`. `encrypted` is E, `changed` is C, `pn` the low 32 bits of
    the packet number, `sl` the short length.

    Raises:
        LocalError: a field does not fit its place, or the combination is one that 802.1AE-2018 9.5 forbids.
    """

    es: bool = False
    scb: bool = False
    encrypted: bool
    changed: bool
    an: int
    sl: int = 0
    pn: int
    sci: bytes | None = None

    def __post_init__(self) -> None:
        if self.sci is not None and (len(self.sci) != SCI_OCTETS or self.es or self.scb):
            raise LocalError("an SCI in the SecTAG has 8 octets and excludes ES and SCB")
        if not (0 <= self.an < 4 and 0 <= self.sl < SHORT_DATA_LIMIT and 0 <= self.pn < 1 << 32):
            raise LocalError(f"AN is below 4, SL below {SHORT_DATA_LIMIT}, the PN below 2^32: {self}")

    @property
    def length(self) -> int:
        """How many octets the tag has, its EtherType included; the Secure Data begins there."""
        return SHORT_TAG_OCTETS if self.sci is None else LONG_TAG_OCTETS

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """The tag at the start of `octets`, which begin with the MACsec EtherType and may go on.

        Raises:
            WireError: not a SecTAG, cut short, or invalid by its own octets (802.1AE-2018 9.12).
        """
        if len(octets) < SHORT_TAG_OCTETS:
            raise WireError(f"a SecTAG has at least {SHORT_TAG_OCTETS} octets, here are {len(octets)}")
        if int.from_bytes(octets[:2], "big") != EtherType.MACSEC:
            raise WireError("no MACsec EtherType")
        tci, sl = octets[2], octets[3]
        if tci & VERSION:  # 802.1AE-2018 9.12 a)
            raise WireError("the SecTAG's version is not 0")
        has_sci = bool(tci & SC)
        if has_sci and tci & (ES | SCB):  # 802.1AE-2018 9.12 b)
            raise WireError("the SecTAG has SC set together with ES or SCB")
        if sl >= SHORT_DATA_LIMIT:  # 802.1AE-2018 9.7: bits 7 and 8 are zero; 48 and more is no short length
            raise WireError(f"the SecTAG's SL octet is {sl}, not below {SHORT_DATA_LIMIT}")
        if has_sci and len(octets) < LONG_TAG_OCTETS:
            raise WireError("the SecTAG ends within its SCI")
        return cls(
            es=bool(tci & ES),
            scb=bool(tci & SCB),
            encrypted=bool(tci & E),
            changed=bool(tci & C),
            an=tci & AN_MASK,
            sl=sl,
            pn=int.from_bytes(octets[4:8], "big"),
            sci=bytes(octets[8:16]) if has_sci else None,
        )

    def emit(self) -> bytes:
        """The tag's 8 or 16 octets."""
        tci = self.an | self.es * ES | self.scb * SCB | self.encrypted * E | self.changed * C
        if self.sci is not None:
            tci |= SC
        head = EtherType.MACSEC.to_bytes(2, "big") + bytes((tci, self.sl)) + self.pn.to_bytes(4, "big")
        return head if self.sci is None else head + self.sci

    def secure_data_octets(self, after_tag: int, *, padding_allowed: bool = False) -> int:
        """How many of the `after_tag` octets behind the tag are Secure Data; the ICV's 16 octets follow it.

        A MAC pads short frames behind the ICV. 802.1AE-2018 9.12 wants the exact length all the same; with
        `padding_allowed` what follows a short frame's ICV is left out.

        Raises:
            WireError: the frame's length contradicts SL (802.1AE-2018 9.12).
        """
        available = after_tag - ICV_OCTETS
        if self.sl:
            if available == self.sl or (padding_allowed and available > self.sl):
                return self.sl
            raise WireError(f"SL says {self.sl} octets of Secure Data, the frame has room for {available}")
        if available < SHORT_DATA_LIMIT:
            raise WireError(f"SL 0 means at least {SHORT_DATA_LIMIT} octets of Secure Data, here are {available}")
        return available
