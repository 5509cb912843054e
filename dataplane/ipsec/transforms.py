"""Transforms by IANA's numbers and names, and what each means: key lengths, IVs, ICVs, and how good it still is.

A transform that stands in no table here is known by its number alone; it can be parsed, shown and declined, not used.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from dataplane.errors import LocalError


class TransformType(enum.IntEnum):
    """RFC 7296 3.3.2."""

    ENCR = 1
    PRF = 2
    INTEG = 3
    KE = 4
    ESN = 5


class Strength(enum.Enum):
    """GOOD is today's advice, WEAK works and is reported, INSECURE is refused unless it was asked for by name."""

    GOOD = "good"
    WEAK = "weak"
    INSECURE = "insecure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """What an ENCR transform needs. All lengths are in octets but `key_bits`, the lengths its keys may have.

    `states_key_length` says whether a proposal carries the Key Length attribute. `salt_octets` follow the key in KEYMAT
    (RFC 4106 8.1). `alignment` is what payload and trailer are padded to. `icv_octets` is 0 unless `is_aead`.
    """

    name: str
    key_bits: tuple[int, ...]
    iv_octets: int
    alignment: int
    states_key_length: bool = True
    salt_octets: int = 0
    icv_octets: int = 0
    block_cipher: str | None = None
    is_confidential: bool = True

    @property
    def is_aead(self) -> bool:
        """Whether it brings its own ICV, so that it is proposed without an INTEG transform (RFC 5282 8)."""
        return self.icv_octets > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What an INTEG transform needs; lengths in octets. `hash_name` is the HMAC's."""

    name: str
    hash_name: str
    key_octets: int
    icv_octets: int


_AES_BITS: Final = (128, 192, 256)

ENCRYPTION: Final = {
    2: Encryption(
        name="ENCR_DES", key_bits=(64,), iv_octets=8, alignment=8, states_key_length=False, block_cipher="DES"
    ),
    3: Encryption(
        name="ENCR_3DES", key_bits=(192,), iv_octets=8, alignment=8, states_key_length=False, block_cipher="3DES"
    ),
    11: Encryption(
        name="ENCR_NULL", key_bits=(0,), iv_octets=0, alignment=4, states_key_length=False, is_confidential=False
    ),
    12: Encryption(name="ENCR_AES_CBC", key_bits=_AES_BITS, iv_octets=16, alignment=16, block_cipher="AES"),
    20: Encryption(
        name="ENCR_AES_GCM_16", key_bits=_AES_BITS, iv_octets=8, alignment=4, salt_octets=4, icv_octets=16
    ),
    28: Encryption(
        name="ENCR_CHACHA20_POLY1305", key_bits=(256,), iv_octets=8, alignment=4, states_key_length=False,
        salt_octets=4, icv_octets=16,
    ),
}  # fmt: skip

PRF: Final = {
    1: "PRF_HMAC_MD5",
    2: "PRF_HMAC_SHA1",
    5: "PRF_HMAC_SHA2_256",
    6: "PRF_HMAC_SHA2_384",
    7: "PRF_HMAC_SHA2_512",
    8: "PRF_AES128_CMAC",
}

INTEGRITY: Final = {
    1: Integrity(name="AUTH_HMAC_MD5_96", hash_name="MD5", key_octets=16, icv_octets=12),
    2: Integrity(name="AUTH_HMAC_SHA1_96", hash_name="SHA1", key_octets=20, icv_octets=12),
    12: Integrity(name="AUTH_HMAC_SHA2_256_128", hash_name="SHA2_256", key_octets=32, icv_octets=16),
    13: Integrity(name="AUTH_HMAC_SHA2_384_192", hash_name="SHA2_384", key_octets=48, icv_octets=24),
    14: Integrity(name="AUTH_HMAC_SHA2_512_256", hash_name="SHA2_512", key_octets=64, icv_octets=32),
}

KE: Final = {
    0: "NONE",
    2: "MODP_1024",
    5: "MODP_1536",
    14: "MODP_2048",
    15: "MODP_3072",
    16: "MODP_4096",
    19: "ECP_256",
    20: "ECP_384",
    21: "ECP_521",
    24: "MODP_2048_256",
    31: "CURVE25519",
}

_NAMES: Final[dict[TransformType, dict[int, str]]] = {
    TransformType.ENCR: {number: encryption.name for number, encryption in ENCRYPTION.items()},
    TransformType.PRF: PRF,
    TransformType.INTEG: {0: "NONE"} | {number: integrity.name for number, integrity in INTEGRITY.items()},
    TransformType.KE: KE,
    TransformType.ESN: {0: "NO_ESN", 1: "ESN"},
}

# RFC 8221 5 and 6, RFC 8247 2.1 to 2.4, RFC 9395: what is not, or no longer, recommended, and why.
_JUDGED: Final[dict[tuple[TransformType, int], tuple[Strength, str]]] = {
    (TransformType.ENCR, 2): (Strength.INSECURE, "DES has a 56-bit key and falls to exhaustion (RFC 8221 5)"),
    (TransformType.ENCR, 3): (Strength.INSECURE, "3DES has 64-bit blocks that collide after a few GB (RFC 8221 5)"),
    (TransformType.ENCR, 11): (Strength.INSECURE, "NULL encrypts nothing (RFC 8221 5)"),
    (TransformType.PRF, 1): (Strength.INSECURE, "MD5 is deprecated (RFC 9395 3)"),
    (TransformType.PRF, 2): (Strength.WEAK, "SHA-1 is on its way out (RFC 8247 2.2)"),
    (TransformType.INTEG, 1): (Strength.INSECURE, "MD5 is deprecated (RFC 9395 3)"),
    (TransformType.INTEG, 2): (Strength.WEAK, "SHA-1 is on its way out (RFC 8221 6)"),
    (TransformType.KE, 2): (Strength.WEAK, "a 1024-bit group is within reach of a state (RFC 8247 2.4)"),
    (TransformType.KE, 5): (Strength.WEAK, "a 1536-bit group is too small for today (RFC 8247 2.4)"),
    (TransformType.KE, 24): (Strength.WEAK, "the group's parameters have no known origin (RFC 8247 2.4)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One transform of a proposal; `key_bits` is its Key Length attribute (RFC 7296 3.3.5), None when absent."""

    type: TransformType
    id: int
    key_bits: int | None = None

    @property
    def name(self) -> str:
        """IANA's name, as `ENCR_AES_CBC`; `ENCR_99` for a number that this package does not know."""
        return _NAMES[self.type].get(self.id, f"{self.type.name}_{self.id}")

    @property
    def is_known(self) -> bool:
        """Whether this package can do it, its key length included."""
        if self.id not in _NAMES[self.type]:
            return False
        if self.type is not TransformType.ENCR:
            return self.key_bits is None
        about = ENCRYPTION[self.id]
        return self.key_bits in about.key_bits if about.states_key_length else self.key_bits is None

    @property
    def strength(self) -> Strength:
        """How good it still is."""
        return _JUDGED.get((self.type, self.id), (Strength.GOOD, ""))[0]

    @property
    def objection(self) -> str:
        """Why it is not good, with the document that says so; empty for a good one."""
        return _JUDGED.get((self.type, self.id), (Strength.GOOD, ""))[1]

    def __str__(self) -> str:
        return self.name if self.key_bits is None else f"{self.name}_{self.key_bits}"


def encr(name: str, key_bits: int | None = None) -> Transform:
    """An ENCR transform by name, as `encr("ENCR_AES_CBC", 256)`; a key length where its proposals state one.

    Raises:
        LocalError: no such transform, or not with this key length.
    """
    return _named(TransformType.ENCR, name, key_bits)


def prf(name: str) -> Transform:
    """A PRF transform by name, as `PRF_HMAC_SHA2_256`.

    Raises:
        LocalError: no such transform.
    """
    return _named(TransformType.PRF, name)


def integ(name: str) -> Transform:
    """An INTEG transform by name, as `AUTH_HMAC_SHA2_256_128`.

    Raises:
        LocalError: no such transform.
    """
    return _named(TransformType.INTEG, name)


def ke(group: int) -> Transform:
    """The key exchange method of a group number.

    Raises:
        LocalError: no such group.
    """
    if group not in KE:
        raise LocalError(f"no key exchange group {group}; there are {', '.join(map(str, KE))}")
    return Transform(type=TransformType.KE, id=group)


NO_ESN: Final = Transform(type=TransformType.ESN, id=0)
ESN: Final = Transform(type=TransformType.ESN, id=1)


def encryption(transform: Transform) -> Encryption:
    """What a known ENCR transform needs.

    Raises:
        LocalError: it is of another type, not known, or has a key length that it cannot have.
    """
    if transform.type is not TransformType.ENCR or not transform.is_known:
        raise LocalError(f"{transform} is no encryption that can be done")
    return ENCRYPTION[transform.id]


def integrity(transform: Transform) -> Integrity:
    """What a known INTEG transform, other than NONE, needs.

    Raises:
        LocalError: it is something else.
    """
    if transform.type is not TransformType.INTEG or transform.id not in INTEGRITY:
        raise LocalError(f"{transform} is no integrity check that can be done")
    return INTEGRITY[transform.id]


def _named(kind: TransformType, name: str, key_bits: int | None = None) -> Transform:
    for number, known in _NAMES[kind].items():
        if known == name:
            transform = Transform(type=kind, id=number, key_bits=key_bits)
            if not transform.is_known:
                wanted = " or ".join(map(str, ENCRYPTION[number].key_bits))
                stated = ENCRYPTION[number].states_key_length
                raise LocalError(f"{name} takes {f'a key length of {wanted} bits' if stated else 'no key length'}")
            return transform
    raise LocalError(f"no {kind.name} transform {name}; there are {', '.join(_NAMES[kind].values())}")
