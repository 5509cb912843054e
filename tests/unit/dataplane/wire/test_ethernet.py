"""Each case goes both ways, and is cut at every length."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.wire.ethernet import EthernetHeader, EtherType, VlanTag, mac_text

DESTINATION = bytes.fromhex("020000000002")
SOURCE = bytes.fromhex("020000000001")
C_TAG = VlanTag(priority=5, drop_eligible=True, vlan=0xABC)
S_TAG = VlanTag(protocol=EtherType.S_TAG, vlan=4)

CASES = [
    pytest.param((), 0x0800, "0800", id="untagged"),
    pytest.param((C_TAG,), 0x86DD, "8100babc86dd", id="one tag"),
    pytest.param((S_TAG, C_TAG), 0x88E5, "88a800048100babc88e5", id="two tags"),
    pytest.param((), 0x0026, "0026", id="802.3 length"),
]


@pytest.mark.parametrize(("tags", "ether_type", "after_addresses"), CASES)
def test_parse_and_emit(tags: tuple[VlanTag, ...], ether_type: int, after_addresses: str) -> None:
    header = EthernetHeader(destination=DESTINATION, source=SOURCE, tags=tags, ether_type=ether_type)
    octets = DESTINATION + SOURCE + bytes.fromhex(after_addresses)
    assert header.emit() == octets
    assert EthernetHeader.parse(octets + b"payload") == header
    assert EthernetHeader.parse(memoryview(octets)) == header
    assert header.length == len(octets)
    assert header.is_length == (ether_type == 0x26)
    for cut in range(len(octets)):
        with pytest.raises(WireError):
            EthernetHeader.parse(octets[:cut])


def test_a_tag_alone() -> None:
    assert VlanTag.parse(C_TAG.emit() + b"\x08\x00") == C_TAG
    with pytest.raises(WireError, match="0x0800 begins no VLAN tag"):
        VlanTag.parse(bytes.fromhex("08000001"))
    with pytest.raises(WireError, match="here are 3"):
        VlanTag.parse(b"\x81\x00\x00")


def test_fields_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LocalError):
        VlanTag(vlan=4096)
    with pytest.raises(LocalError):
        VlanTag(priority=8)
    with pytest.raises(LocalError):
        VlanTag(protocol=0x9100)
    with pytest.raises(LocalError):
        EthernetHeader(destination=DESTINATION, source=SOURCE, ether_type=0x8100)
    with pytest.raises(LocalError):
        EthernetHeader(destination=b"short", source=SOURCE, ether_type=0x0800)


def test_mac_text() -> None:
    assert mac_text(memoryview(SOURCE)) == "02:00:00:00:00:01"
