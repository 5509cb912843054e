"""Key exchange by IANA's group numbers: public values out, peers' values checked before they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from dataplane.crypto.modp import MODP_GROUPS, ModpGroup, modp_group
from dataplane.errors import LocalError, WireError

_CURVES: Final[dict[int, ec.EllipticCurve]] = {19: ec.SECP256R1(), 20: ec.SECP384R1(), 21: ec.SECP521R1()}
_X25519: Final = 31
_X25519_OCTETS: Final = 32

GROUPS: Final = (*MODP_GROUPS, *_CURVES, _X25519)


class KeyExchange(Protocol):
    """One side's private value, with its `public` octets as a KE payload carries them (RFC 7296 3.4)."""

    group: int
    public: bytes

    def shared(self, peer_public: bytes) -> bytes:
        """g^ir, always as long as the group says, leading zeros kept.

        Raises:
            WireError: the peer's value has a wrong length or must not be used (RFC 6989 2, RFC 8031 3).
        """
        ...


def generate(group: int, random: Callable[[int], bytes]) -> KeyExchange:
    """A fresh key exchange; `random(n)` gives n octets that nobody can foresee.

    Raises:
        LocalError: no such group.
    """
    if group in _CURVES:
        order = _CURVES[group].group_order
        # 64 bits more than the order has: the remainder's bias is then not measurable (FIPS 186-5 A.2.1).
        wide = int.from_bytes(random(_curve_octets(group) + 8), "big")
        return _Curve(group, wide % (order - 1) + 1)
    if group in MODP_GROUPS:
        numbers = modp_group(group)
        exponent = int.from_bytes(random(numbers.exponent_octets + 8), "big")
        limit = numbers.q or 1 << (8 * numbers.exponent_octets)
        return _Modp(group, exponent % (limit - 2) + 2)
    if group == _X25519:
        return _Montgomery(random(_X25519_OCTETS))
    raise _no_group(group)


def from_private(group: int, private: bytes) -> KeyExchange:
    """The key exchange of a known private value, big-endian (X25519: its 32 octets): for published vectors.

    Raises:
        LocalError: no such group, or the value is out of the group's range.
    """
    value = int.from_bytes(private, "big")
    if group in _CURVES:
        if not 0 < value < _CURVES[group].group_order:
            raise LocalError(f"a private value of group {group} lies between 0 and the curve's order")
        return _Curve(group, value)
    if group in MODP_GROUPS:
        if not 1 < value < modp_group(group).p - 1:
            raise LocalError(f"a private value of group {group} lies between 1 and p - 1")
        return _Modp(group, value)
    if group == _X25519:
        if len(private) != _X25519_OCTETS:
            raise LocalError(f"a private value of group {group} has {_X25519_OCTETS} octets, not {len(private)}")
        return _Montgomery(private)
    raise _no_group(group)


def public_octets(group: int) -> int:
    """The length of a public value in octets.

    Raises:
        LocalError: no such group.
    """
    if group in _CURVES:
        return 2 * _curve_octets(group)
    if group in MODP_GROUPS:
        return modp_group(group).octets
    if group == _X25519:
        return _X25519_OCTETS
    raise _no_group(group)


def _no_group(group: int) -> LocalError:
    return LocalError(f"no key exchange group {group}; there are {', '.join(map(str, GROUPS))}")


def _curve_octets(group: int) -> int:
    return (_CURVES[group].key_size + 7) // 8


def _check_length(group: int, peer_public: bytes) -> None:
    if len(peer_public) != public_octets(group):  # RFC 7296 3.4
        raise WireError(f"a public value of group {group} has {public_octets(group)} octets, not {len(peer_public)}")


@final
class _Modp:
    """Diffie-Hellman over a prime field.

    By Python's own `pow`: the library computes no public value from a given exponent, spends 70 ms to check group 2's
    prime at each exchange, and has announced the end of its support. `pow` does not hide an exponent from whoever can
    measure it closely; exponents are used once.
    """

    __slots__ = ("_exponent", "_numbers", "group", "public")

    def __init__(self, group: int, exponent: int) -> None:
        self.group = group
        self._numbers: Final[ModpGroup] = modp_group(group)
        self._exponent: Final = exponent
        self.public = pow(self._numbers.g, exponent, self._numbers.p).to_bytes(self._numbers.octets, "big")

    def shared(self, peer_public: bytes) -> bytes:
        _check_length(self.group, peer_public)
        numbers = self._numbers
        y = int.from_bytes(peer_public, "big")
        if not 1 < y < numbers.p - 1:  # RFC 6989 2.1
            raise WireError(f"a public value of group {self.group} lies between 1 and p - 1")
        if numbers.q is not None and pow(y, numbers.q, numbers.p) != 1:  # RFC 6989 2.2
            raise WireError(f"a public value of group {self.group} lies in the subgroup of order q")
        return pow(y, self._exponent, numbers.p).to_bytes(numbers.octets, "big")


@final
class _Curve:
    """Diffie-Hellman over a prime curve; public values are x || y, the secret is x (RFC 5903 7)."""

    __slots__ = ("_private", "group", "public")

    def __init__(self, group: int, private: int) -> None:
        self.group = group
        self._private: Final = ec.derive_private_key(private, _CURVES[group])
        point = self._private.public_key().public_numbers()
        octets = _curve_octets(group)
        self.public = point.x.to_bytes(octets, "big") + point.y.to_bytes(octets, "big")

    def shared(self, peer_public: bytes) -> bytes:
        _check_length(self.group, peer_public)
        octets = _curve_octets(self.group)
        x = int.from_bytes(peer_public[:octets], "big")
        y = int.from_bytes(peer_public[octets:], "big")
        try:
            peer = ec.EllipticCurvePublicNumbers(x, y, _CURVES[self.group]).public_key()
        except ValueError:  # RFC 6989 2.3
            raise WireError(f"a public value of group {self.group} is a point of its curve") from None
        return self._private.exchange(ec.ECDH(), peer)


@final
class _Montgomery:
    """X25519 (RFC 8031)."""

    __slots__ = ("_private", "group", "public")

    def __init__(self, private: bytes) -> None:
        self.group = _X25519
        self._private: Final = X25519PrivateKey.from_private_bytes(private)
        self.public = self._private.public_key().public_bytes_raw()

    def shared(self, peer_public: bytes) -> bytes:
        _check_length(self.group, peer_public)
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(peer_public))
        except ValueError:  # RFC 7748 6.1: the result would be all zeros
            raise WireError(f"a public value of group {self.group} is not of small order") from None
