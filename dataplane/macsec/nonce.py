"""The 96-bit nonce of a frame: a base that is fixed for the SA, XOR the packet number.

```
GCM-AES-128, -256 (802.1AE-2018 14.5)         GCM-AES-XPN-128, -256 (802.1AE-2018 14.7)
+---------------------+-----------+           +-----------+---------------------+
|     SCI, 8 octets   |   PN, 4   |           |  SSCI, 4  |     PN, 8 octets    |   XOR salt, 12 octets
+---------------------+-----------+           +-----------+---------------------+
```
"""

from __future__ import annotations

from typing import Final, final

from dataplane.errors import LocalError
from dataplane.macsec.suites import SALT_OCTETS, SSCI_OCTETS
from dataplane.wire.sectag import SCI_OCTETS

NONCE_OCTETS: Final = 12


@final
class Nonces:
    """The nonces of one SA."""

    __slots__ = ("_base", "low_word")

    def __init__(self, base: bytes) -> None:
        self._base: Final = int.from_bytes(base, "big")
        self.low_word: Final = self._base & 0xFFFF_FFFF

    @classmethod
    def for_sci(cls, sci: bytes) -> Nonces:
        """Those of an SA with 32-bit PNs.

        Raises:
            LocalError: the SCI has not 8 octets.
        """
        if len(sci) != SCI_OCTETS:
            raise LocalError(f"an SCI has {SCI_OCTETS} octets, not {len(sci)}")
        return cls(sci + bytes(4))

    @classmethod
    def for_ssci(cls, ssci: bytes, salt: bytes) -> Nonces:
        """Those of an SA with extended packet numbering.

        Raises:
            LocalError: the SSCI has not 4, or the salt not 12 octets.
        """
        if len(ssci) != SSCI_OCTETS or len(salt) != SALT_OCTETS:
            raise LocalError(
                f"an SSCI has {SSCI_OCTETS} octets, not {len(ssci)}; a salt {SALT_OCTETS}, not {len(salt)}"
            )
        base = int.from_bytes(ssci + bytes(8), "big") ^ int.from_bytes(salt, "big")
        return cls(base.to_bytes(NONCE_OCTETS, "big"))

    def nonce(self, pn: int) -> bytes:
        """The nonce of the frame with this full PN."""
        return (self._base ^ pn).to_bytes(NONCE_OCTETS, "big")

    def prefix(self, pn: int) -> bytes:
        """The first 8 octets of the nonces of all PNs with this one's upper half.

        The last four are the low half XOR `low_word`.
        """
        return ((self._base ^ pn) >> 32).to_bytes(8, "big")
