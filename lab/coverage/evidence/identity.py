"""Which key protected a unit: its name, its id, and what must never repeat under it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, NamedTuple

from lab.capture.algorithms import Encryption, Integrity

ID_DIGITS: Final = 16
FOLD: Final = 0x9E3779B97F4A7C15  # any odd number; this one mixes well
_LABEL: Final = b"wireproof key id\0"


def key_id(*octets: bytes) -> str:
    """A name for key material that gives nothing of it away: the start of a hash, in hex."""
    return hashlib.sha256(_LABEL + b"".join(octets)).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIdentity:
    """One key in use, as far as a report may name it.

    `protocol` is macsec, esp or ike; `name` says whose it is, as `macsec-sak 0200000000010001 an 0`; `key` is its id.
    `domain` is alike for all units whose nonces must differ: the same key, and the same fixed part of the nonce.
    `number_bits` is how far packet or sequence numbers can count. `offset` is MACsec's confidentiality offset.
    """

    protocol: str
    name: str
    key: str
    algorithm: str
    key_bits: int
    domain: str
    number_bits: int
    confidential: bool = True
    offset: int = 0

    def __hash__(self) -> int:
        return hash(self.domain)  # one look-up a unit: quick, and good enough to tell keys apart


class Used(NamedTuple):
    """How one authentic unit was protected: the key, its number, its nonce beyond the domain, the end of its ICV.

    `octets` are those that were enciphered, or only authenticated where nothing is enciphered.
    """

    identity: KeyIdentity
    number: int
    nonce: int
    icv: int
    octets: int


def of_macsec(
    *, sak: bytes, sci: bytes, an: int, suite: str, ssci: bytes | None, salt: bytes, offset: int,
    learned: bool,
) -> KeyIdentity:  # fmt: skip
    """The identity of a SAK as one SC uses it (802.1AE-2018 14.5, 14.7)."""
    # The nonce is SCI || PN, or with XPN (SSCI || PN) xor salt: what stands before the PN belongs to the domain.
    fixed = sci if ssci is None else bytes(a ^ b for a, b in zip(ssci, salt[:4], strict=True))
    return KeyIdentity(
        protocol="macsec",
        name=f"macsec-sak {sci.hex()} an {an}" + (" distributed by MKA" if learned else ""),
        key=key_id(sak),
        algorithm=suite,
        key_bits=8 * len(sak),
        domain=key_id(sak, b"nonce", fixed),
        number_bits=32 if ssci is None else 64,
        offset=offset,
    )


def of_ipsec(
    *, protocol: str, name: str, encryption: Encryption, key: bytes, integrity: Integrity | None, number_bits: int,
    icv_key: bytes = b"",
) -> KeyIdentity:  # fmt: skip
    """The identity of the keys of an ESP SA, or of one direction of an IKE SA."""
    cipher = key[: len(key) - encryption.salt_octets]
    return KeyIdentity(
        protocol=protocol,
        name=name,
        key=key_id(key, icv_key),
        algorithm=transforms(encryption, integrity, len(cipher)),
        key_bits=8 * len(cipher),
        # Without a cipher there is no nonce to repeat; the numbers are under the key of the ICV.
        domain=key_id(key or icv_key, b"nonce"),
        number_bits=number_bits,
        confidential=encryption.confidential,
    )


def transforms(encryption: Encryption, integrity: Integrity | None, key_octets: int) -> str:
    """Encryption and integrity by their names, with the key's length where it is a matter of choice."""
    length = f"-{8 * key_octets}" if len(encryption.key_octets) > 1 else ""
    return encryption.name + length + (f" with {integrity.name}" if integrity else "")


def used_by_ipsec(identity: KeyIdentity, number: int, body: bytes, iv_octets: int, icv_octets: int) -> Used:
    """What a unit of ESP or IKE used; `body` is its IV, payload and ICV."""
    return Used(
        identity,
        number,
        folded(body[:iv_octets]) if iv_octets else number,
        int.from_bytes(body[-8:], "big"),
        len(body) - iv_octets - icv_octets,
    )


def folded(iv: bytes) -> int:
    """An IV as a number of 64 bits; of longer ones, both halves have a say."""
    if len(iv) <= 8:
        return int.from_bytes(iv, "big")
    return (int.from_bytes(iv[:8], "big") * FOLD + int.from_bytes(iv[8:], "big")) & 0xFFFFFFFFFFFFFFFF
