"""Transforms that are weak, with what the standards say of them. Data; a row a transform.

RFC 8247 is for IKEv2, RFC 8221 for ESP and AH. MUST- is what implementations must still have, and are about to lose.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Weakness(NamedTuple):
    """The code of the finding, and what the standard says."""

    code: str
    standing: str


_ENCRYPTION: Final = "weak-encryption"
_INTEGRITY: Final = "weak-integrity"
_PRF: Final = "weak-prf"
_GROUP: Final = "weak-group"

IN_IKE: Final = {
    "ENCR_DES": Weakness(_ENCRYPTION, "MUST NOT (RFC 8247 2.1)"),
    "ENCR_NULL": Weakness(_ENCRYPTION, "MUST NOT (RFC 8247 2.1)"),
    "ENCR_3DES": Weakness(_ENCRYPTION, "MAY, downgraded, with blocks of 64 bits (RFC 8247 2.1)"),
    "PRF_HMAC_MD5": Weakness(_PRF, "MUST NOT (RFC 8247 2.2)"),
    "PRF_HMAC_SHA1": Weakness(_PRF, "MUST-, about to be deprecated (RFC 8247 2.2)"),
    "AUTH_HMAC_MD5_96": Weakness(_INTEGRITY, "MUST NOT (RFC 8247 2.3)"),
    "AUTH_DES_MAC": Weakness(_INTEGRITY, "MUST NOT (RFC 8247 2.3)"),
    "AUTH_KPDK_MD5": Weakness(_INTEGRITY, "MUST NOT (RFC 8247 2.3)"),
    "AUTH_HMAC_SHA1_96": Weakness(_INTEGRITY, "MUST-, about to be deprecated (RFC 8247 2.3)"),
    "group 1": Weakness(_GROUP, "MUST NOT: broken within hours (RFC 8247 2.4)"),
    "group 2": Weakness(_GROUP, "SHOULD NOT: too narrow against a funded attacker (RFC 8247 2.4)"),
    "group 5": Weakness(_GROUP, "SHOULD NOT: its margin is too narrow (RFC 8247 2.4)"),
    "group 22": Weakness(_GROUP, "MUST NOT: small subgroup of unknown origin (RFC 8247 2.4)"),
    "group 23": Weakness(_GROUP, "SHOULD NOT: small subgroup of unknown origin (RFC 8247 2.4)"),
    "group 24": Weakness(_GROUP, "SHOULD NOT: small subgroup of unknown origin (RFC 8247 2.4)"),
}

IN_ESP: Final = {
    "ENCR_DES": Weakness(_ENCRYPTION, "MUST NOT (RFC 8221 5)"),
    "ENCR_BLOWFISH": Weakness(_ENCRYPTION, "MUST NOT (RFC 8221 5)"),
    "ENCR_3DES": Weakness(_ENCRYPTION, "SHOULD NOT, with blocks of 64 bits (RFC 8221 5)"),
    "AUTH_HMAC_MD5_96": Weakness(_INTEGRITY, "MUST NOT (RFC 8221 6)"),
    "AUTH_HMAC_MD5_128": Weakness(_INTEGRITY, "MD5, as AUTH_HMAC_MD5_96: MUST NOT (RFC 8221 6)"),
    "AUTH_DES_MAC": Weakness(_INTEGRITY, "MUST NOT (RFC 8221 6)"),
    "AUTH_KPDK_MD5": Weakness(_INTEGRITY, "MUST NOT (RFC 8221 6)"),
    "AUTH_HMAC_SHA1_96": Weakness(_INTEGRITY, "MUST-, about to be deprecated (RFC 8221 6)"),
    "AUTH_HMAC_SHA1_160": Weakness(_INTEGRITY, "SHA-1, as AUTH_HMAC_SHA1_96: MUST- (RFC 8221 6)"),
}


def base_name(transform: str) -> str:
    """A transform's name as the tables have it: without key length or what stands in brackets."""
    if transform.startswith("group "):
        return transform.partition(" (")[0]
    head, dash, tail = transform.rpartition("-")
    return head if dash and tail.isdigit() else transform
