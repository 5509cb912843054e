"""Keys as tables that Wireshark and tshark read: `esp_sa` and `ikev2_decryption_table` of a configuration folder.

The words in them are those that the two dissectors of Wireshark 4.0 compare with, octet by octet. A word that they do
not know would make them refuse the whole table, so what they cannot do is left out, with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dataplane.crypto.secret import Secret
from lab.capture.keys import EspSa, IkeSa, IkeSk, Key
from lab.errors import InputError

ESP_TABLE: Final = "esp_sa"
IKE_TABLE: Final = "ikev2_decryption_table"
_MARK: Final = "# Written by wireproof from a key log. Holds keys: whoever reads this reads the traffic.\n"

_ESP_ENCRYPTIONS: Final = {
    "ENCR_NULL": "NULL",
    "ENCR_DES": "DES-CBC [RFC2405]",
    "ENCR_3DES": "TripleDES-CBC [RFC2451]",
    "ENCR_AES_CBC": "AES-CBC [RFC3602]",
    "ENCR_AES_GCM_16": "AES-GCM with 16 octet ICV [RFC4106]",
}
_ESP_INTEGRITIES: Final = {
    "AUTH_HMAC_MD5_96": "HMAC-MD5-96 [RFC2403]",
    "AUTH_HMAC_SHA1_96": "HMAC-SHA-1-96 [RFC2404]",
    "AUTH_HMAC_SHA2_256_128": "HMAC-SHA-256-128 [RFC4868]",
    "AUTH_HMAC_SHA2_384_192": "HMAC-SHA-384-192 [RFC4868]",
    "AUTH_HMAC_SHA2_512_256": "HMAC-SHA-512-256 [RFC4868]",
}
# An ICV that is cut off and not looked at, by its octets.
_ESP_UNCHECKED: Final = {
    octets: f"ANY {8 * octets} bit authentication [no checking]" for octets in (8, 12, 16, 24, 32)
}  # fmt: skip
_IKE_ENCRYPTIONS: Final = {
    ("ENCR_3DES", 24): "3DES [RFC2451]",
    **{("ENCR_AES_CBC", bits // 8): f"AES-CBC-{bits} [RFC3602]" for bits in (128, 192, 256)},
    **{
        ("ENCR_AES_GCM_16", bits // 8 + 4): f"AES-GCM-{bits} with 16 octet ICV [RFC5282]" for bits in (128, 192, 256)
    },
}  # fmt: skip
_IKE_INTEGRITIES: Final = {
    "AUTH_HMAC_MD5_96": "HMAC_MD5_96 [RFC2403]",
    "AUTH_HMAC_MD5_128": "HMAC_MD5_128 [RFC4595]",
    "AUTH_HMAC_SHA1_96": "HMAC_SHA1_96 [RFC2404]",
    "AUTH_HMAC_SHA1_160": "HMAC_SHA1_160 [RFC4595]",
    "AUTH_HMAC_SHA2_256_128": "HMAC_SHA2_256_128 [RFC4868]",
    "AUTH_HMAC_SHA2_384_192": "HMAC_SHA2_384_192 [RFC4868]",
    "AUTH_HMAC_SHA2_512_256": "HMAC_SHA2_512_256 [RFC4868]",
}
_IKE_NO_INTEGRITY: Final = "NONE [RFC4306]"


class _LeftOutError(Exception):
    """Wireshark cannot do it; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Rows of both tables, each once; `notes` say what was left out or will not be checked, and why."""

    esp: tuple[str, ...]
    ike: tuple[str, ...]
    notes: tuple[str, ...]


def tables_of(keys: Iterable[Key]) -> Tables:
    """The tables for keys of a key log; MACsec's and MKA's have no place in them."""
    esp: dict[str, None] = {}
    ike: dict[str, None] = {}
    notes: dict[str, None] = {}
    others = 0
    for key in keys:
        try:
            if isinstance(key, EspSa):
                esp |= dict.fromkeys(_esp_rows(key))
                if key.esn:
                    notes[f"{key.key_id}: its extended sequence numbers are unknown to Wireshark 4.0: {_esn(key)}"] = (
                        None
                    )
            elif isinstance(key, IkeSa | IkeSk):
                ike[_ike_row(key)] = None
            else:
                others += 1
        except _LeftOutError as reason:
            notes[f"{key.key_id} is left out: Wireshark 4.0 cannot do {reason}"] = None
    if others:
        notes[f"left out, {others} of MACsec and MKA: Wireshark 4.0 has no table for such keys"] = None
    return Tables(esp=tuple(esp), ike=tuple(ike), notes=tuple(notes))


def write(folder: Path, tables: Tables) -> tuple[Path, ...]:
    """Write both tables into a folder, made if there is none, with mode 0600; the files.

    Raises:
        InputError: a table is there that was not written here, or the folder cannot be written to.
    """
    contents = {ESP_TABLE: tables.esp, IKE_TABLE: tables.ike}
    paths = tuple(folder / name for name in contents)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in paths:
            if path.exists() and not path.read_text(errors="replace").startswith(_MARK):
                raise InputError(f"{path} is there and was not written by wireproof; choose another folder or move it")
        for path, rows in zip(paths, contents.values(), strict=True):
            _replace(path, _MARK + "".join(f"{row}\n" for row in rows))
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return paths


def _replace(path: Path, text: str) -> None:
    """A new file in place of an old one, never readable by others."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    fresh.replace(path)


def _esp_rows(sa: EspSa) -> list[str]:
    """One row or, where the key log does not say which IP version is around it, one for each."""
    encryption = _ESP_ENCRYPTIONS.get(sa.encryption.name)
    if encryption is None:
        raise _LeftOutError(f"{sa.encryption.name} in ESP")
    integrity, integrity_key = "NULL", ""
    if sa.integrity is not None:
        known = None if sa.esn else _ESP_INTEGRITIES.get(sa.integrity.name)
        integrity = known or _ESP_UNCHECKED.get(sa.integrity.icv_octets, "")
        if not integrity:
            raise _LeftOutError(f"{sa.integrity.name} in ESP")
        integrity_key = _hex(sa.integrity_key) if known else ""
    versions = ("IPv4", "IPv6") if sa.dst is None else (f"IPv{sa.dst.version}",)
    destination = "*" if sa.dst is None else str(sa.dst)
    return [
        _quoted(
            version,
            "*",
            destination,
            f"0x{sa.spi.hex()}",
            encryption,
            _hex(sa.encryption_key),
            integrity,
            integrity_key,
        )
        for version in versions
    ]


def _esn(sa: EspSa) -> str:
    return "packets will look altered" if sa.integrity is None else "the ICV is not checked"


def _ike_row(sa: IkeSa | IkeSk) -> str:
    encryption = _IKE_ENCRYPTIONS.get((sa.encryption.name, len(sa.sk_ei)))
    if encryption is None:
        raise _LeftOutError(f"{sa.encryption.name} in IKEv2")
    integrity = _IKE_NO_INTEGRITY if sa.integrity is None else _IKE_INTEGRITIES.get(sa.integrity.name)
    if integrity is None:
        raise _LeftOutError(f"{sa.integrity.name if sa.integrity else ''} in IKEv2")
    checks = [b"" if key is None else key.reveal() for key in (sa.sk_ai, sa.sk_ar)]
    ciphers = [key.reveal() for key in (sa.sk_ei, sa.sk_er)]
    return ",".join((
        sa.spi_i.hex(), sa.spi_r.hex(), *(key.hex() for key in ciphers), _quoted(encryption),
        *(key.hex() for key in checks), _quoted(integrity),
    ))  # fmt: skip


def _hex(key: Secret | None) -> str:
    return "" if key is None or not len(key) else f"0x{key.reveal().hex()}"


def _quoted(*words: str) -> str:
    return ",".join(f'"{word}"' for word in words)
