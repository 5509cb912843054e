"""The Linux kernel's names of ESP's algorithms, and IANA's for the same."""

from __future__ import annotations

from typing import Final

from lab.capture.foreign.found import NotImportedError

_CIPHERS: Final = {
    "cbc(aes)": "ENCR_AES_CBC",
    "aes": "ENCR_AES_CBC",
    "cbc(des3_ede)": "ENCR_3DES",
    "des3_ede": "ENCR_3DES",
    "cbc(des)": "ENCR_DES",
    "des": "ENCR_DES",
    "ecb(cipher_null)": "ENCR_NULL",
    "cipher_null": "ENCR_NULL",
    "rfc3686(ctr(aes))": "ENCR_AES_CTR",
    "cbc(camellia)": "ENCR_CAMELLIA_CBC",
    "camellia": "ENCR_CAMELLIA_CBC",
    "cbc(blowfish)": "ENCR_BLOWFISH",
    "blowfish": "ENCR_BLOWFISH",
    "cbc(cast5)": "ENCR_CAST",
    "cast5": "ENCR_CAST",
}
_AEADS: Final = {
    **{("rfc4106(gcm(aes))", bits): f"ENCR_AES_GCM_{bits // 8}" for bits in (64, 96, 128)},
    **{("rfc4309(ccm(aes))", bits): f"ENCR_AES_CCM_{bits // 8}" for bits in (64, 96, 128)},
    ("rfc4543(gcm(aes))", 128): "ENCR_NULL_AUTH_AES_GMAC",
    ("rfc7539esp(chacha20,poly1305)", 128): "ENCR_CHACHA20_POLY1305",
}
_MACS: Final = {
    ("md5", 96): "AUTH_HMAC_MD5_96",
    ("md5", 128): "AUTH_HMAC_MD5_128",
    ("sha1", 96): "AUTH_HMAC_SHA1_96",
    ("sha1", 160): "AUTH_HMAC_SHA1_160",
    ("sha256", 128): "AUTH_HMAC_SHA2_256_128",
    ("sha384", 192): "AUTH_HMAC_SHA2_384_192",
    ("sha512", 256): "AUTH_HMAC_SHA2_512_256",
    ("xcbc(aes)", 96): "AUTH_AES_XCBC_96",
    ("cmac(aes)", 96): "AUTH_AES_CMAC_96",
}
# What the kernel cuts an ICV to where nobody says it: SHA-256's is that of a draft, and no RFC's.
_DEFAULT_BITS: Final = {"sha384": 192, "sha512": 256}


def cipher(name: str) -> str:
    """IANA's name for a cipher."""
    try:
        return _CIPHERS[name]
    except KeyError:
        raise NotImportedError(f"cipher {name[:40]!r}, which has no number at IANA or none known here") from None


def aead(name: str, bits: str) -> str:
    """IANA's name for an AEAD with an ICV of so many bits."""
    try:
        return _AEADS[name, int(bits)]
    except (KeyError, ValueError):
        text = f"AEAD {name[:40]!r} with an ICV of {bits[:10]!r} bits, which has no number at IANA or none known here"
        raise NotImportedError(text) from None


def mac(name: str, bits: str | None) -> str:
    """IANA's name for a MAC that is cut to so many bits, or to what the kernel cuts it to."""
    plain = name.removeprefix("hmac(").removesuffix(")") if name.startswith("hmac(") else name
    try:
        return _MACS[plain, _DEFAULT_BITS.get(plain, 96) if bits is None else int(bits)]
    except (KeyError, ValueError):
        cut = bits or _DEFAULT_BITS.get(plain, 96)
        text = f"{name[:40]!r} cut to {cut} bits, which has no number at IANA or none that is known here"
        hint = "; RFC 4868 cuts it to 128" if plain == "sha256" else ""
        raise NotImportedError(text + hint) from None
