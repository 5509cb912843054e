"""Key exchange: fixed lengths, leading zeros, and the public values that must not be used."""

from __future__ import annotations

import os

import pytest

from dataplane.crypto.keyexchange import GROUPS, from_private, generate, public_octets
from dataplane.crypto.modp import MODP_GROUPS, modp_group
from dataplane.errors import LocalError, WireError

CURVES = (19, 20, 21)


@pytest.mark.parametrize("group", GROUPS)
def test_both_sides_agree_and_lengths_are_fixed(group: int) -> None:
    ours, theirs = generate(group, os.urandom), generate(group, os.urandom)
    assert ours.group == group
    assert ours.public != theirs.public
    assert len(ours.public) == len(theirs.public) == public_octets(group)
    shared = ours.shared(theirs.public)
    assert shared == theirs.shared(ours.public)
    assert len(shared) == (public_octets(group) // 2 if group in CURVES else public_octets(group))


@pytest.mark.parametrize("group", GROUPS)
def test_entropy_is_the_callers_and_the_same_gives_the_same(group: int) -> None:
    def random(octets: int) -> bytes:
        return bytes(range(1, octets + 1))

    assert generate(group, random).public == generate(group, random).public


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("octet", [0x00, 0xFF])
def test_the_ends_of_the_random_range_are_usable(group: int, octet: int) -> None:
    peer = generate(group, os.urandom)
    ours = generate(group, lambda octets: bytes([octet]) * octets)
    assert ours.shared(peer.public) == peer.shared(ours.public)


@pytest.mark.parametrize("group", MODP_GROUPS)
@pytest.mark.parametrize("name", ["0", "1", "p-1", "p", "p+1", "2^n-1"])
def test_public_values_outside_the_field_are_refused(group: int, name: str) -> None:
    numbers = modp_group(group)
    value = {
        "0": 0, "1": 1, "p-1": numbers.p - 1, "p": numbers.p, "p+1": numbers.p + 1, "2^n-1": 256**numbers.octets - 1
    }[name]  # fmt: skip
    with pytest.raises(WireError, match="between 1 and p - 1"):
        generate(group, os.urandom).shared(value.to_bytes(numbers.octets, "big"))


def test_group_24_takes_members_of_its_subgroup_only() -> None:
    numbers = modp_group(24)
    assert numbers.q is not None
    assert (numbers.p - 1) % numbers.q == 0
    assert pow(numbers.g, numbers.q, numbers.p) == 1
    outsider = next(y for y in range(2, 100) if pow(y, numbers.q, numbers.p) != 1)
    with pytest.raises(WireError, match="subgroup"):
        generate(24, os.urandom).shared(outsider.to_bytes(256, "big"))


@pytest.mark.parametrize("group", MODP_GROUPS)
def test_primes_are_prime(group: int) -> None:
    """Fermat to two bases; and (p - 1) / 2 too where the prime is a safe one."""
    numbers = modp_group(group)
    suspects = [numbers.p, (numbers.p - 1) // 2 if numbers.q is None else numbers.q]
    assert all(pow(base, n - 1, n) == 1 for n in suspects for base in (2, 3))
    assert numbers.p.bit_length() == 8 * numbers.octets


@pytest.mark.parametrize("group", CURVES)
def test_points_off_the_curve_are_refused(group: int) -> None:
    ours, theirs = generate(group, os.urandom), generate(group, os.urandom)
    half = len(theirs.public) // 2
    for bad in (
        bytes(2 * half),
        b"\xff" * (2 * half),
        theirs.public[:-1] + bytes([theirs.public[-1] ^ 1]),
        theirs.public[half:] + theirs.public[:half],
    ):
        with pytest.raises(WireError, match="point of its curve"):
            ours.shared(bad)


@pytest.mark.parametrize(
    "small",
    [
        bytes(32),
        bytes([1]) + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ],
    ids=["0", "1", "order 8", "p-1", "p"],
)
def test_x25519_values_of_small_order_are_refused(small: bytes) -> None:
    with pytest.raises(WireError, match="small order"):
        generate(31, os.urandom).shared(small)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_public_value_of_another_length_is_refused(group: int, change: int) -> None:
    ours = generate(group, os.urandom)
    with pytest.raises(WireError, match=f"has {public_octets(group)} octets, not {public_octets(group) + change}"):
        ours.shared(bytes(public_octets(group) + change))


@pytest.mark.parametrize("group", [2, 24, 19])
def test_leading_zeros_stay(group: int) -> None:
    """One exchange in 256 has a public value that starts with zero; it must stay as long as any other."""
    peer = from_private(group, b"\x07")
    found = next(
        ours
        for ours in (from_private(group, x.to_bytes(4, "big")) for x in range(300, 6000))
        if ours.shared(peer.public)[0] == 0 or ours.public[0] == 0
    )
    assert len(found.public) == public_octets(group)
    assert len(found.shared(peer.public)) == len(peer.shared(peer.public))
    assert found.shared(peer.public) == peer.shared(found.public)


def test_misuse_is_named() -> None:
    with pytest.raises(LocalError, match="no key exchange group 1; there are 2, 5, 14"):
        generate(1, os.urandom)
    with pytest.raises(LocalError, match="no key exchange group 99"):
        from_private(99, b"\x01")
    with pytest.raises(LocalError, match="no key exchange group 0"):
        public_octets(0)
    for group in (14, 19):
        with pytest.raises(LocalError, match=f"private value of group {group}"):
            from_private(group, b"\x00")
    with pytest.raises(LocalError, match="has 32 octets, not 1"):
        from_private(31, b"\x01")
