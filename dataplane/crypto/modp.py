"""The prime-field groups of IKE, as numbers (RFC 2409 6.2, RFC 3526, RFC 5114 2.3)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ModpGroup:
    """Prime `p` of `octets` octets, generator `g`; `q` where the generator spans a small subgroup of that order.

    `exponent_octets` is the length of a private exponent: at least twice the group's strength (RFC 3526 8).
    """

    p: int
    g: int
    q: int | None
    octets: int
    exponent_octets: int


# Group: bits of the prime, the constant that makes it one, octets of an exponent (RFC 2409 6.2, RFC 3526 2 to 5).
_SAFE_PRIMES: Final = {
    2: (1024, 129093, 32),
    5: (1536, 741804, 32),
    14: (2048, 124476, 48),
    15: (3072, 1690314, 48),
    16: (4096, 240904, 64),
}

_GROUP_24: Final = ModpGroup(
    p=int(
        "87A8E61DB4B6663CFFBBD19C651959998CEEF608660DD0F25D2CEED4435E3B00E00DF8F1D61957D4FAF7DF4561B2AA30"
        "16C3D91134096FAA3BF4296D830E9A7C209E0C6497517ABD5A8A9D306BCF67ED91F9E6725B4758C022E0B1EF4275BF7B"
        "6C5BFC11D45F9088B941F54EB1E59BB8BC39A0BF12307F5C4FDB70C581B23F76B63ACAE1CAA6B7902D52526735488A0E"
        "F13C6D9A51BFA4AB3AD8347796524D8EF6A167B5A41825D967E144E5140564251CCACB83E6B486F6B3CA3F7971506026"
        "C0B857F689962856DED4010ABD0BE621C3A3960A54E710C375F26375D7014103A4B54330C198AF126116D2276E11715F"
        "693877FAD7EF09CADB094AE91E1A1597",
        16,
    ),
    g=int(
        "3FB32C9B73134D0B2E77506660EDBD484CA7B18F21EF205407F4793A1A0BA12510DBC15077BE463FFF4FED4AAC0BB555"
        "BE3A6C1B0C6B47B1BC3773BF7E8C6F62901228F8C28CBB18A55AE31341000A650196F931C77A57F2DDF463E5E9EC144B"
        "777DE62AAAB8A8628AC376D282D6ED3864E67982428EBC831D14348F6F2F9193B5045AF2767164E1DFC967C1FB3F2E55"
        "A4BD1BFFE83B9C80D052B985D182EA0ADB2A3B7313D3FE14C8484B1E052588B9B7D2BBD2DF016199ECD06E1557CD0915"
        "B3353BBB64E0EC377FD028370DF92B52C7891428CDC67EB6184B523D1DB246C32F63078490F00EF8D647D148D4795451"
        "5E2327CFEF98C582664B4C0F6CC41659",
        16,
    ),
    q=0x8CF83642A709A097B447997640129DA299B1A47D1EB3750BA308B0FE64F5FBD3,
    octets=256,
    exponent_octets=32,
)

MODP_GROUPS: Final = (*_SAFE_PRIMES, 24)


@functools.cache
def modp_group(group: int) -> ModpGroup:
    """The numbers of a group in MODP_GROUPS."""
    if group == 24:
        return _GROUP_24
    bits, constant, exponent_octets = _SAFE_PRIMES[group]
    # RFC 2409 6.2, RFC 3526 2: p = 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + c)
    p = 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (_pi(bits - 130) + constant)
    return ModpGroup(p=p, g=2, q=None, octets=bits // 8, exponent_octets=exponent_octets)


def _pi(bits: int) -> int:
    """2^bits times pi, rounded down, by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 32
    one = 1 << (bits + guard)
    return (16 * _arctan_inverse(5, one) - 4 * _arctan_inverse(239, one)) >> guard


def _arctan_inverse(n: int, one: int) -> int:
    """Arctan(1/n) times `one`."""
    power = one // n
    total = power
    divisor = 1
    while power:
        power //= -n * n
        divisor += 2
        total += power // divisor
    return total
