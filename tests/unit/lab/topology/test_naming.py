"""Names, and the addresses that follow from them."""

from __future__ import annotations

import pytest

from lab.topology import naming
from lab.topology.naming import NameRule


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (naming.NODE, ["ce", "vnet-gateway", "1", "a" * 15], ["", "a" * 16, "-a", "a-", "a--b", "A", "a.b", "a\n"]),
        (naming.LAB, ["x", "a" * 40], ["", "a" * 41, "a/b", "..", "a b"]),
        (naming.DEVICE, ["eth0", "a" * 11, "allo", "lo0"], ["", "a" * 12, "all", "default", "lo", "e.0", "0a"]),
        (naming.SEGMENT, ["ce--msee1", "link2"], ["", "-a", "a-", "a" * 41, "A", "a/b"]),
    ],
)  # fmt: skip
def test_rules(rule: NameRule, good: list[str], bad: list[str]) -> None:
    assert [name for name in good if rule.wrong(name)] == []
    assert [name for name in bad if not rule.wrong(name)] == []


def test_every_default_segment_of_two_nodes_can_name_a_segment() -> None:
    assert naming.SEGMENT.wrong(naming.default_segment("a" * 15, "b" * 15)) is None


def test_what_is_put_behind_an_interface_fits_what_linux_has() -> None:
    assert len("a" * 11 + ".sec") <= 15


def test_mac_addresses_are_local_unicast_and_follow_from_the_names() -> None:
    addresses = [naming.mac_address("t", f"n{i}", "e") for i in range(200)]
    assert all(address.words[0] & 0b11 == 0b10 for address in addresses)
    assert len(set(addresses)) == 200
    assert naming.mac_address("t", "n7", "e") == addresses[7]
    assert naming.mac_address("u", "n7", "e") != addresses[7]
    assert str(addresses[0]).count(":") == 5
