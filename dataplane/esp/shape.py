"""How long the parts of an ESP packet are under a suite (RFC 4303 2). Lengths only; no keys, no octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import encryption, integrity
from dataplane.wire.esp import HEADER_OCTETS

TRAILER_OCTETS: Final = 2
PADDING: Final = bytes(range(1, 256))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Lengths in octets. The text is what is encrypted: inner packet, padding, pad length and next header.

    `is_chained` says that a CBC context runs on from packet to packet, with a block of randomness before each text.
    """

    iv: int
    alignment: int
    icv: int
    is_aead: bool
    is_chained: bool
    esn: bool

    @classmethod
    def of(cls, suite: EspSuite) -> Self:
        """The lengths of a suite."""
        about = encryption(suite.encryption)
        return cls(
            iv=about.iv_octets,
            alignment=about.alignment,
            icv=about.icv_octets if suite.integrity is None else integrity(suite.integrity).icv_octets,
            is_aead=about.is_aead,
            is_chained=about.block_cipher is not None,
            esn=suite.esn,
        )

    @property
    def head(self) -> int:
        """How much lies before the text in the octets that the cipher is given."""
        return self.iv if self.is_chained else 0

    @property
    def slack(self) -> int:
        """How far behind a packet's ICV a chained context wants room, without writing there."""
        return max(0, self.iv - 1 - self.icv) if self.is_chained else 0

    @property
    def text_offset(self) -> int:
        """Where the text starts in the packet."""
        return HEADER_OCTETS + self.iv

    @property
    def overhead(self) -> int:
        """What is added to the text."""
        return HEADER_OCTETS + self.iv + self.icv

    def padding(self, inner: int) -> int:
        """The padding of an inner packet of so many octets: no more than the alignment asks for (RFC 4303 2.4)."""
        return -(inner + TRAILER_OCTETS) % self.alignment

    def text(self, inner: int) -> int:
        """The text's length."""
        return inner + self.padding(inner) + TRAILER_OCTETS

    def packet(self, inner: int) -> int:
        """The ESP packet's length."""
        return self.text(inner) + self.overhead

    def greatest_inner(self, packet: int) -> int:
        """The greatest inner packet that an ESP packet of at most so many octets carries; below 0 when none."""
        return (packet - self.overhead) // self.alignment * self.alignment - TRAILER_OCTETS

    def is_possible(self, packet: int) -> bool:
        """Whether an ESP packet of so many octets can be of this shape (RFC 4303 2.4: whole blocks or words)."""
        text = packet - self.overhead
        return text >= self.alignment and text % self.alignment == 0


def trailer(padding: int, next_header: int) -> bytes:
    """Padding 1, 2, 3, ..., its length, and the next header (RFC 4303 2.4)."""
    return PADDING[:padding] + bytes((padding, next_header))
