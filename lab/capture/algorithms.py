"""IPsec's algorithms by their IANA names (IKEv2 parameters, transform types 1 to 3), as far as reading a wire needs.

A name that is not here is a misspelling. A name with `can_open` False exists, but its frames stay closed to us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Transform type 1. `key_octets` are the lengths allowed, the salt included; empty where nothing is opened.

    `block_octets` is what a ciphertext is a multiple of; `aead` says that the transform brings its own ICV;
    `confidential` is False for the transforms that leave the payload readable.
    """

    name: str
    key_octets: tuple[int, ...] = ()
    salt_octets: int = 0
    iv_octets: int = 0
    block_octets: int = 1
    aead: bool = False
    confidential: bool = True
    can_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """Transform type 3. `hash_name` is None for AES-CMAC, and for what is not computed here (`can_open` False)."""

    name: str
    key_octets: int = 0
    icv_octets: int = 0
    hash_name: str | None = None
    can_open: bool = False


def _aes_aead(name: str, **more: bool) -> Encryption:
    return Encryption(
        name=name, key_octets=(20, 28, 36), salt_octets=4, iv_octets=8, aead=True, can_open=True, **more
    )  # RFC 4106 8.1, RFC 4543 5.4


def _hmac(name: str, hash_name: str, key_octets: int, icv_octets: int) -> Integrity:
    return Integrity(name=name, key_octets=key_octets, icv_octets=icv_octets, hash_name=hash_name, can_open=True)


_ENCRYPTIONS: Final = (
    _aes_aead("ENCR_AES_GCM_16"),
    _aes_aead("ENCR_NULL_AUTH_AES_GMAC", confidential=False),
    Encryption(
        name="ENCR_CHACHA20_POLY1305", key_octets=(36,), salt_octets=4, iv_octets=8, aead=True, can_open=True
    ),  # RFC 7634 2
    Encryption(name="ENCR_AES_CBC", key_octets=(16, 24, 32), iv_octets=16, block_octets=16, can_open=True),
    Encryption(name="ENCR_3DES", key_octets=(24,), iv_octets=8, block_octets=8, can_open=True),
    Encryption(name="ENCR_DES", key_octets=(8,), iv_octets=8, block_octets=8, can_open=True),
    Encryption(name="ENCR_NULL", key_octets=(0,), confidential=False, can_open=True),
    *(
        Encryption(name=f"ENCR_{name}", aead=True)
        for name in (
            "AES_CCM_8", "AES_CCM_12", "AES_CCM_16", "AES_GCM_8", "AES_GCM_12", "CAMELLIA_CCM_8", "CAMELLIA_CCM_12",
            "CAMELLIA_CCM_16", "AES_CCM_8_IIV", "AES_GCM_16_IIV", "CHACHA20_POLY1305_IIV", "KUZNYECHIK_MGM_KTREE",
            "MAGMA_MGM_KTREE",
        )
    ),
    *(
        Encryption(name=f"ENCR_{name}")
        for name in (
            "DES_IV64", "RC5", "IDEA", "CAST", "BLOWFISH", "3IDEA", "DES_IV32", "AES_CTR", "CAMELLIA_CBC",
            "CAMELLIA_CTR",
        )
    ),
    *(
        Encryption(name=f"ENCR_{name}", aead=True, confidential=False)
        for name in ("KUZNYECHIK_MGM_MAC_KTREE", "MAGMA_MGM_MAC_KTREE")
    ),
)  # fmt: skip

_INTEGRITIES: Final = (
    _hmac("AUTH_HMAC_MD5_96", "MD5", 16, 12),  # RFC 2403
    _hmac("AUTH_HMAC_MD5_128", "MD5", 16, 16),  # RFC 4595
    _hmac("AUTH_HMAC_SHA1_96", "SHA1", 20, 12),  # RFC 2404
    _hmac("AUTH_HMAC_SHA1_160", "SHA1", 20, 20),  # RFC 4595
    _hmac("AUTH_HMAC_SHA2_256_128", "SHA2_256", 32, 16),  # RFC 4868 2.1
    _hmac("AUTH_HMAC_SHA2_384_192", "SHA2_384", 48, 24),
    _hmac("AUTH_HMAC_SHA2_512_256", "SHA2_512", 64, 32),
    Integrity(name="AUTH_AES_CMAC_96", key_octets=16, icv_octets=12, can_open=True),  # RFC 4494
    *(
        Integrity(name=name)
        for name in (
            "NONE", "AUTH_DES_MAC", "AUTH_KPDK_MD5", "AUTH_AES_XCBC_96", "AUTH_AES_128_GMAC", "AUTH_AES_192_GMAC",
            "AUTH_AES_256_GMAC",
        )
    ),
)  # fmt: skip

ENCRYPTIONS: Final = {transform.name: transform for transform in _ENCRYPTIONS}
INTEGRITIES: Final = {transform.name: transform for transform in _INTEGRITIES}
PRFS: Final = frozenset(
    f"PRF_{name}"
    for name in (
        "HMAC_MD5", "HMAC_SHA1", "HMAC_TIGER", "AES128_XCBC", "HMAC_SHA2_256", "HMAC_SHA2_384", "HMAC_SHA2_512",
        "AES128_CMAC", "HMAC_STREEBOG_512",
    )
)  # fmt: skip
