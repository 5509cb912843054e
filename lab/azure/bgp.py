"""BGP with Azure: whose AS is which, what may be told, and how a session is secured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MICROSOFT_ASN: Final = 12076
"""The Microsoft edge's, on every ExpressRoute peering."""

GATEWAY_ASN: Final = 65515
"""A virtual network gateway's, and the only one it may have beside an ExpressRoute gateway."""

# Azure's own use of ASNs, and IANA's: neither can be a customer's.
_AZURE_PUBLIC: Final = (8074, 8075, 12076)
_AZURE_PRIVATE: Final = (65515, 65517, 65518, 65519, 65520)
_IANA: Final = ((0, 0), (23456, 23456), (64496, 64511), (65535, 65551), (4294967295, 4294967295))

MOST_FROM_VPN: Final = 4000
"""Prefixes that a VPN gateway takes by one session before it ends it."""

MOST_TO_ONPREM: Final = 1000
"""IPv4 prefixes that ExpressRoute tells on-premises by one connection before it drops it."""

MOST_FROM_ONPREM: Final = {"Local": 4000, "Standard": 4000, "Premium": 10000}
"""IPv4 prefixes that private peering takes from on-premises, by the circuit's SKU tier."""

APIPA: Final = ("169.254.21.0", "169.254.22.255")
"""The only range from which a custom BGP address of a VPN gateway may come."""


def why_reserved(asn: int) -> str | None:
    """Why an ASN cannot be a customer's; None when it can."""
    if asn in _AZURE_PUBLIC or asn in _AZURE_PRIVATE:
        known = ", ".join(map(str, (*_AZURE_PUBLIC, *_AZURE_PRIVATE)))
        return f"ASN {asn} is reserved by Azure ({known}); take another, as 65001"
    if any(low <= asn <= high for low, high in _IANA):
        return f"ASN {asn} is reserved by IANA (23456, 64496 to 64511, 65535 to 65551); take another, as 65001"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRule:
    """What a secret must hold to serve as the MD5 key of a peering (RFC 2385).

    `least` and `most` are the random octets from which one can be made, as hex digits; `characters` is Azure's limit.
    """

    text: str = "an MD5 key of a peering has 1 to 25 printable characters without quotes or spaces"
    least: int = 1
    most: int = 12
    characters: int = 25

    def octets(self, value: str) -> bytes:
        """Read a secret's value.

        Raises:
            ValueError: it breaks the rule. Says how long it is, never what it is.
        """
        if not 1 <= len(value) <= self.characters:
            raise ValueError(f"it holds {len(value)} characters; {self.text}")
        if not all(33 <= ord(sign) <= 126 and sign not in "\"'\\" for sign in value):
            raise ValueError(f"it holds a character that cannot be in one; {self.text}")
        return value.encode()


PASSWORD_RULE: Final = PasswordRule()
