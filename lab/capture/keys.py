"""The kinds of key that a key log holds: what each is, how it is read from an object, how it is written as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self, TypeAlias

from dataplane.crypto.secret import Secret
from lab.capture.algorithms import ENCRYPTIONS, INTEGRITIES, PRFS, Encryption, Integrity
from lab.capture.keyfields import FieldError, Fields, IPAddress

# Cipher suite -> octets of a SAK (802.1AE-2018 14.5 to 14.8).
CIPHER_SUITES: Final = {
    "GCM-AES-128": 16,
    "GCM-AES-256": 32,
    "GCM-AES-XPN-128": 16,
    "GCM-AES-XPN-256": 32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MkaCak:
    """A connectivity association key and its name (802.1X-2020 9.3.1); `segment` is where it is used, if known."""

    TYPE: ClassVar = "mka-cak"
    ckn: bytes
    cak: Secret
    segment: str | None = None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read one object; raises FieldError."""
        return cls(
            ckn=fields.octets("ckn", *range(1, 33)),
            cak=fields.secret("cak", 16, 32),
            segment=fields.text("segment"),
        )

    @property
    def key_id(self) -> str:
        """What names the key and gives nothing of it away."""
        return f"mka-cak {self.ckn.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MacsecSak:
    """A SAK as one SC uses it. `ssci` and `salt` are there with XPN suites alone."""

    TYPE: ClassVar = "macsec-sak"
    sci: bytes
    an: int
    cipher_suite: str
    sak: Secret
    ssci: bytes | None
    salt: bytes | None
    confidentiality_offset: int
    first_pn: int

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read one object; raises FieldError."""
        suite = fields.choice("cipher_suite", CIPHER_SUITES)
        xpn = "XPN" in suite
        offset = fields.number("confidentiality_offset", 0, 50, 0)
        if offset not in (0, 30, 50):
            raise FieldError("`confidentiality_offset` must be 0, 30 or 50")
        return cls(
            sci=fields.octets("sci", 8),
            an=fields.an(),
            cipher_suite=suite,
            sak=fields.secret("sak", CIPHER_SUITES[suite]),
            ssci=fields.octets("ssci", 4) if xpn else None,
            salt=fields.octets("salt", 12) if xpn else None,
            confidentiality_offset=offset,
            first_pn=fields.number("first_pn", 1, 2**64 - 1 if xpn else 2**32 - 1, 1),
        )

    @property
    def key_id(self) -> str:
        """What names the key and gives nothing of it away."""
        return f"macsec-sak {self.sci.hex()} an {self.an}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSa:
    """The keys of an IKE SA (RFC 7296 2.14); `sk_ai` and `sk_ar` are None with an AEAD."""

    TYPE: ClassVar = "ike-sa"
    spi_i: bytes
    spi_r: bytes
    encryption: Encryption
    integrity: Integrity | None
    prf: str
    sk_d: Secret
    sk_ai: Secret | None
    sk_ar: Secret | None
    sk_ei: Secret
    sk_er: Secret
    sk_pi: Secret
    sk_pr: Secret

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read one object; raises FieldError."""
        encryption, integrity = _transforms(fields, "sk_ai", "sk_ar")
        lengths = () if integrity is None else _integrity_lengths(integrity)
        return cls(
            spi_i=fields.octets("spi_i", 8),
            spi_r=fields.octets("spi_r", 8),
            encryption=encryption,
            integrity=integrity,
            prf=fields.choice("prf", PRFS),
            sk_d=fields.secret("sk_d"),
            sk_ai=None if integrity is None else fields.secret("sk_ai", *lengths),
            sk_ar=None if integrity is None else fields.secret("sk_ar", *lengths),
            sk_ei=fields.secret("sk_ei", *encryption.key_octets),
            sk_er=fields.secret("sk_er", *encryption.key_octets),
            sk_pi=fields.secret("sk_pi"),
            sk_pr=fields.secret("sk_pr"),
        )

    @property
    def key_id(self) -> str:
        """What names the key and gives nothing of it away."""
        return f"ike-sa {self.spi_i.hex()} {self.spi_r.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSk:
    """What of an IKE SA opens its SK payloads, and no more: all that Wireshark's tables tell."""

    TYPE: ClassVar = "ike-sk"
    spi_i: bytes
    spi_r: bytes
    encryption: Encryption
    integrity: Integrity | None
    sk_ai: Secret | None
    sk_ar: Secret | None
    sk_ei: Secret
    sk_er: Secret

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read one object; raises FieldError."""
        encryption, integrity = _transforms(fields, "sk_ai", "sk_ar")
        lengths = () if integrity is None else _integrity_lengths(integrity)
        return cls(
            spi_i=fields.octets("spi_i", 8),
            spi_r=fields.octets("spi_r", 8),
            encryption=encryption,
            integrity=integrity,
            sk_ai=None if integrity is None else fields.secret("sk_ai", *lengths),
            sk_ar=None if integrity is None else fields.secret("sk_ar", *lengths),
            sk_ei=fields.secret("sk_ei", *encryption.key_octets),
            sk_er=fields.secret("sk_er", *encryption.key_octets),
        )

    @property
    def key_id(self) -> str:
        """What names the key and gives nothing of it away."""
        return f"ike-sk {self.spi_i.hex()} {self.spi_r.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EspSa:
    """One ESP SA. Without `dst`, any destination; `first_seq` is the first full sequence number to expect."""

    TYPE: ClassVar = "esp-sa"
    spi: bytes
    dst: IPAddress | None
    encryption: Encryption
    encryption_key: Secret
    integrity: Integrity | None
    integrity_key: Secret | None
    esn: bool
    mode: str
    first_seq: int

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read one object; raises FieldError."""
        encryption, integrity = _transforms(fields, "integrity_key")
        esn = fields.flag("esn")
        keyless = encryption.key_octets == (0,) and not fields.has("encryption_key")
        return cls(
            spi=fields.octets("spi", 4),
            dst=fields.address("dst"),
            encryption=encryption,
            encryption_key=Secret(b"") if keyless else fields.secret("encryption_key", *encryption.key_octets),
            integrity=integrity,
            integrity_key=None if integrity is None else fields.secret("integrity_key", *_integrity_lengths(integrity)),
            esn=esn,
            mode=fields.choice("mode", ("tunnel", "transport")),
            first_seq=fields.number("first_seq", 0, 2**64 - 1 if esn else 2**32 - 1, 1),
        )

    @property
    def key_id(self) -> str:
        """What names the key and gives nothing of it away."""
        return f"esp-sa {self.spi.hex()}" + (f" to {self.dst}" if self.dst else "")


Key: TypeAlias = MkaCak | MacsecSak | IkeSa | IkeSk | EspSa


def _transforms(fields: Fields, *integrity_keys: str) -> tuple[Encryption, Integrity | None]:
    encryption = ENCRYPTIONS[fields.choice("encryption", ENCRYPTIONS)]
    if encryption.aead:
        for name in ("integrity", *integrity_keys):
            fields.absent(name, f"{encryption.name} authenticates by itself")
        return encryption, None
    return encryption, INTEGRITIES[fields.choice("integrity", INTEGRITIES)]


def _integrity_lengths(integrity: Integrity) -> tuple[int, ...]:
    return (integrity.key_octets,) if integrity.can_open else ()
