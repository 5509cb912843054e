"""IPsec of Azure's VPN gateways, in Azure's spelling, and what each word means in IANA's.

A meaning is a name, with a key length in bits where the name alone does not say it; a group is its number, 0 for none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

Encryption: TypeAlias = tuple[str, int | None]

_CIPHERS: Final[dict[str, Encryption]] = {
    "GCMAES256": ("ENCR_AES_GCM_16", 256),
    "GCMAES128": ("ENCR_AES_GCM_16", 128),
    "AES256": ("ENCR_AES_CBC", 256),
    "AES192": ("ENCR_AES_CBC", 192),
    "AES128": ("ENCR_AES_CBC", 128),
    "DES3": ("ENCR_3DES", None),
    "DES": ("ENCR_DES", None),
}
IKE_ENCRYPTION: Final = _CIPHERS
IPSEC_ENCRYPTION: Final[dict[str, Encryption]] = _CIPHERS | {
    "GCMAES192": ("ENCR_AES_GCM_16", 192),
    "None": ("ENCR_NULL", None),
}

# What checks integrity; None: the cipher does so itself.
INTEGRITY: Final = {
    "SHA384": "AUTH_HMAC_SHA2_384_192",
    "SHA256": "AUTH_HMAC_SHA2_256_128",
    "SHA1": "AUTH_HMAC_SHA1_96",
    "MD5": "AUTH_HMAC_MD5_96",
}
IPSEC_INTEGRITY: Final[dict[str, str | None]] = {
    "GCMAES256": None,
    "GCMAES192": None,
    "GCMAES128": None,
    "SHA256": INTEGRITY["SHA256"],
    "SHA1": INTEGRITY["SHA1"],
    "MD5": INTEGRITY["MD5"],
}

# The integrity of IKE names its PRF as well; beside GCM, it is the PRF alone.
IKE_PRF: Final = {
    "SHA384": "PRF_HMAC_SHA2_384",
    "SHA256": "PRF_HMAC_SHA2_256",
    "SHA1": "PRF_HMAC_SHA1",
    "MD5": "PRF_HMAC_MD5",
}

DH_GROUPS: Final = {
    "DHGroup1": 1,
    "DHGroup2": 2,
    "DHGroup14": 14,
    "DHGroup2048": 14,
    "DHGroup24": 24,
    "ECP256": 19,
    "ECP384": 20,
}
PFS_GROUPS: Final = {
    "None": 0,
    "PFS1": 1,
    "PFS2": 2,
    "PFS14": 14,
    "PFS2048": 14,
    "PFS24": 24,
    "ECP256": 19,
    "ECP384": 20,
}

LEAST_SA_SECONDS: Final = 300
LEAST_SA_KILOBYTES: Final = 1024
MOST_SA: Final = (1 << 31) - 1  # both are signed 32-bit numbers of the API

# Never negotiated, and not to be configured.
IKE_SA_SECONDS: Final = 28_800
# What a route-based gateway has without a policy of one's own.
SA_SECONDS: Final = 27_000
SA_KILOBYTES: Final = 102_400_000

DPD_SECONDS: Final = 45
DPD_RANGE: Final = (9, 3600)

CONNECTION_MODES: Final = ("Default", "InitiatorOnly", "ResponderOnly")

# What paths over a gateway carry, and the MSS to clamp to.
TUNNEL_MTU: Final = 1400
TUNNEL_MSS: Final = 1350


@dataclass(frozen=True, slots=True)
class Offer:
    """A row of the default proposals: words of the tables above; for IKE, the integrity is the PRF's too."""

    encryption: str
    integrity: str
    group: str


IKE_DEFAULTS: Final = (
    Offer("AES256", "SHA1", "DHGroup2"),
    Offer("AES256", "SHA256", "DHGroup2"),
    Offer("AES128", "SHA1", "DHGroup2"),
    Offer("AES128", "SHA256", "DHGroup2"),
    Offer("DES3", "SHA1", "DHGroup2"),
    Offer("DES3", "SHA256", "DHGroup2"),
)

# When the gateway begins; ...
IPSEC_DEFAULTS: Final = (
    Offer("GCMAES256", "GCMAES256", "None"),
    Offer("AES256", "SHA1", "None"),
    Offer("DES3", "SHA1", "None"),
    Offer("AES256", "SHA256", "None"),
    Offer("AES128", "SHA1", "None"),
    Offer("DES3", "SHA256", "None"),
)

# ... and when it answers.
IPSEC_ACCEPTED: Final = (
    *IPSEC_DEFAULTS,
    Offer("DES", "SHA1", "None"),
    Offer("AES256", "SHA1", "PFS1"),
    Offer("AES256", "SHA1", "PFS2"),
    Offer("AES256", "SHA1", "PFS14"),
    Offer("AES128", "SHA1", "PFS1"),
    Offer("AES128", "SHA1", "PFS2"),
    Offer("AES128", "SHA1", "PFS14"),
    Offer("DES3", "SHA1", "PFS1"),
    Offer("DES3", "SHA1", "PFS2"),
    Offer("DES3", "SHA256", "PFS2"),
    Offer("AES256", "SHA256", "PFS1"),
    Offer("AES256", "SHA256", "PFS2"),
    Offer("AES256", "SHA256", "PFS14"),
    Offer("AES256", "SHA1", "PFS24"),
    Offer("AES256", "SHA256", "PFS24"),
    Offer("AES128", "SHA256", "None"),
    Offer("AES128", "SHA256", "PFS1"),
    Offer("AES128", "SHA256", "PFS2"),
    Offer("AES128", "SHA256", "PFS14"),
    Offer("DES3", "SHA1", "PFS14"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKeyRule:
    """What a secret must be to serve as a shared key: the text itself is the key.

    `least` and `most` are for a secret that is made: random octets, of which each gives two hex digits.
    """

    text: str = "a shared key has 1 to 128 printable ASCII characters"
    least: int = 1
    most: int = 64

    def octets(self, value: str) -> bytes:
        """Read a secret's value.

        Raises:
            ValueError: it breaks the rule. Says how many characters there are, never which.
        """
        if not all(" " <= character <= "~" for character in value):
            raise ValueError(f"it holds something other than printable ASCII; {self.text}")
        if not 1 <= len(value) <= 128:
            raise ValueError(f"it holds {len(value)} characters; {self.text}")
        return value.encode("ascii")


SHARED_KEY_RULE: Final = SharedKeyRule()
