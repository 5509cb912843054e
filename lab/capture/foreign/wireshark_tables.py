"""Wireshark's tables `esp_sa` and `ikev2_decryption_table`, which strongSwan's save-keys plugin writes, too.

Both are comma-separated. ESP: IP version, source, destination, SPI, encryption and its key, authentication and its key,
in newer versions how long sequence numbers are. IKEv2: both SPIs, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from typing import Final

from lab.capture.foreign.found import Found, NotImportedError, Object

_VERSIONS: Final = ("ipv4", "ipv6", "any")
_SPI: Final = re.compile(r"0x([0-9a-f]{1,8})", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"\s*\[.*\]$")
_GCM: Final = re.compile(r"aes-gcm(?: with (8|12|16) octet icv)?")
_IKE_AEAD: Final = re.compile(r"aes-(gcm|ccm)-\d+ with (8|12|16) octet icv")
_UNCHECKED: Final = re.compile(r"any (\d+)[ -]bits?\b.*")

_ESP_ENCRYPTIONS: Final = {
    "null": "ENCR_NULL",
    "tripledes-cbc": "ENCR_3DES",
    "aes-cbc": "ENCR_AES_CBC",
    "aes-ctr": "ENCR_AES_CTR",
    "des-cbc": "ENCR_DES",
    "cast5-cbc": "ENCR_CAST",
    "blowfish-cbc": "ENCR_BLOWFISH",
    "chacha20 with poly1305": "ENCR_CHACHA20_POLY1305",
    "aes-gcm with iiv and 16 octet icv": "ENCR_AES_GCM_16_IIV",
    "chacha20 with poly1305 and iiv": "ENCR_CHACHA20_POLY1305_IIV",
}
_IKE_ENCRYPTIONS: Final = {
    "3des": "ENCR_3DES",
    "null": "ENCR_NULL",
    **{f"aes-cbc-{bits}": "ENCR_AES_CBC" for bits in (128, 192, 256)},
    **{f"aes-ctr-{bits}": "ENCR_AES_CTR" for bits in (128, 192, 256)},
}
_INTEGRITIES: Final = {
    "hmac-md5-96": "AUTH_HMAC_MD5_96",
    "hmac-md5-128": "AUTH_HMAC_MD5_128",
    "hmac-sha-1-96": "AUTH_HMAC_SHA1_96",
    "hmac-sha1-96": "AUTH_HMAC_SHA1_96",
    "hmac-sha1-160": "AUTH_HMAC_SHA1_160",
    "aes-xcbc-mac-96": "AUTH_AES_XCBC_96",
    **{f"hmac-sha-{a}-{b}": f"AUTH_HMAC_SHA2_{a}_{b}" for a, b in ((256, 128), (384, 192), (512, 256))},
    **{f"hmac-sha2-{a}-{b}": f"AUTH_HMAC_SHA2_{a}_{b}" for a, b in ((256, 128), (384, 192), (512, 256))},
}


def claims(line: str) -> bool:
    """Whether a line is a row of one of the tables."""
    row = _row(line)
    return row is not None and (_is_esp(row) or _is_ike(row))


def read(file: str, lines: list[str], found: Found) -> None:
    """Read every row of a file; lines that are none are passed over."""
    for number, line in enumerate(lines, 1):
        row = _row(line)
        if row is None:
            continue
        try:
            if _is_esp(row):
                found.key(file, number, _esp(row))
            elif _is_ike(row):
                found.key(file, number, _ike(row))
            elif line.strip() and not line.startswith("#"):
                raise NotImportedError("no row of esp_sa or of ikev2_decryption_table: those have 8 columns or more")
        except NotImportedError as error:
            found.problem(file, number, str(error))


def _row(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), None)
    except csv.Error:
        return None


def _is_esp(row: list[str]) -> bool:
    return len(row) >= 8 and row[0].lower() in _VERSIONS


def _is_ike(row: list[str]) -> bool:
    return len(row) == 8 and all(re.fullmatch(r"[0-9a-fA-F]{16}", spi) for spi in row[:2])


def _esp(row: list[str]) -> Object:
    _, _, destination, spi, encryption, key, integrity, integrity_key, *more = row
    digits = _SPI.fullmatch(spi)
    if digits is None:
        raise NotImportedError("an SA for any SPI, or for many: a key log names each SPI, as 0x12345678")
    names = _esp_names(encryption, integrity)
    length = more[0] if more else ""
    return {
        "type": "esp-sa",
        "spi": digits.group(1).lower().rjust(8, "0"),
        "dst": _destination(destination),
        "encryption": names[0],
        "encryption_key": _key(key) if key else None,
        "integrity": names[1],
        "integrity_key": None if names[1] is None else _key(integrity_key),
        "esn": True if length.startswith("64") else None,
        "mode": "tunnel",
    }


def _esp_names(encryption: str, integrity: str) -> tuple[str, str | None]:
    cipher, check = _plain(encryption), _plain(integrity)
    unchecked = _UNCHECKED.fullmatch(integrity.strip().lower())
    gcm = _GCM.fullmatch(cipher)
    if gcm:
        # Rows without the length of the ICV have it in the other column, or are of before there was another.
        octets = gcm.group(1) or (str(int(unchecked.group(1)) // 8) if unchecked else "16")
        return f"ENCR_AES_GCM_{octets}", None
    name = _named(_ESP_ENCRYPTIONS, cipher, "encryption")
    if "POLY1305" in name or "IIV" in name:
        return name, None
    if unchecked or check == "null":
        raise NotImportedError("an SA without a key to check its ICV with: nothing can be proven by it")
    return name, _named(_INTEGRITIES, check, "authentication")


def _ike(row: list[str]) -> Object:
    spi_i, spi_r, sk_ei, sk_er, encryption, sk_ai, sk_ar, integrity = row
    cipher = _plain(encryption)
    aead = _IKE_AEAD.fullmatch(cipher)
    fields: Object = {"type": "ike-sk", "spi_i": spi_i.lower(), "spi_r": spi_r.lower(), "sk_ei": sk_ei.lower(),
                      "sk_er": sk_er.lower()}  # fmt: skip
    if aead:
        return fields | {"encryption": f"ENCR_AES_{aead.group(1).upper()}_{aead.group(2)}"}
    name = _named(_IKE_ENCRYPTIONS, cipher, "encryption")
    check = _plain(integrity)
    if check == "none" or _UNCHECKED.fullmatch(integrity.strip().lower()):
        raise NotImportedError("an IKE SA without keys to check its ICVs with: nothing can be proven by it")
    return fields | {
        "encryption": name, "integrity": _named(_INTEGRITIES, check, "integrity"), "sk_ai": sk_ai.lower(),
        "sk_ar": sk_ar.lower(),
    }  # fmt: skip


def _plain(name: str) -> str:
    """A name without its reference, the same however it is spelt."""
    return _REFERENCE.sub("", name.strip()).lower().replace("_", "-")


def _named(names: dict[str, str], name: str, what: str) -> str:
    if name not in names:
        raise NotImportedError(f"{what} {name[:40]!r}, which has no number at IANA or none that is known here")
    return names[name]


def _key(text: str) -> str:
    """A key in hex: written so behind 0x, else as text."""
    if text[:2].lower() == "0x":
        return text[2:].lower()
    return text.encode().hex()


def _destination(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None  # any, or a pattern: the SPI has to tell
