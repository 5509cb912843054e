"""The cipher suites as data. What they have in common, AES-GCM with a 16-octet ICV, is in `protect` and `validate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from dataplane.errors import LocalError

SALT_OCTETS: Final = 12
SSCI_OCTETS: Final = 4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CipherSuite:
    """One row of 802.1AE-2018 Table 14-1. `identifier` is the EUI-64 that MKA names it by; `xpn`: PNs have 64 bits."""

    name: str
    identifier: bytes
    key_octets: int
    xpn: bool

    @property
    def greatest_pn(self) -> int:
        """The last PN that an SA may use (802.1AE-2018 10.5.2)."""
        return (1 << 64) - 1 if self.xpn else (1 << 32) - 1

    @property
    def pending_pn_exhaustion(self) -> int:
        """The PN at which a fresh SAK is due (802.1X-2020 9.8)."""
        return 0xC000_0000_0000_0000 if self.xpn else 0xC000_0000


GCM_AES_128: Final = CipherSuite(  # 802.1AE-2018 14.5, the Default Cipher Suite
    name="GCM-AES-128", identifier=bytes.fromhex("0080c20001000001"), key_octets=16, xpn=False
)
GCM_AES_256: Final = CipherSuite(  # 802.1AE-2018 14.6
    name="GCM-AES-256", identifier=bytes.fromhex("0080c20001000002"), key_octets=32, xpn=False
)
GCM_AES_XPN_128: Final = CipherSuite(  # 802.1AE-2018 14.7
    name="GCM-AES-XPN-128", identifier=bytes.fromhex("0080c20001000003"), key_octets=16, xpn=True
)
GCM_AES_XPN_256: Final = CipherSuite(  # 802.1AE-2018 14.8
    name="GCM-AES-XPN-256", identifier=bytes.fromhex("0080c20001000004"), key_octets=32, xpn=True
)

CIPHER_SUITES: Final = (GCM_AES_128, GCM_AES_256, GCM_AES_XPN_128, GCM_AES_XPN_256)

_BY_NAME: Final = {suite.name: suite for suite in CIPHER_SUITES}
_BY_IDENTIFIER: Final = {suite.identifier: suite for suite in CIPHER_SUITES} | {
    # The identifier as 802.1AE-2006 printed it; peers that learnt it from there still say so.
    bytes.fromhex("0080020001000001"): GCM_AES_128
}


def suite_named(name: str) -> CipherSuite:
    """The suite of this name, as `GCM-AES-XPN-256`.

    Raises:
        LocalError: there is none.
    """
    if name not in _BY_NAME:
        raise LocalError(f"no cipher suite {name!r}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def suite_identified(identifier: bytes) -> CipherSuite | None:
    """The suite of this 8-octet identifier, or None when it is nobody's we implement."""
    return _BY_IDENTIFIER.get(identifier)
