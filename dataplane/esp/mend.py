"""The few octets of an inner packet that a tunnel may change: TCP's MSS, and ECN after congestion outside."""

from __future__ import annotations

from typing import Final

from dataplane.wire.checksum import updated_checksum

_TCP_OCTETS: Final = 20
FLAGS_OFFSET: Final = 13
_CHECKSUM: Final = 16
SYN: Final = 0x02
_END, _NO_OPERATION, _MSS = 0, 1, 2

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3


def is_syn(packet: bytes | bytearray | memoryview, transport: int) -> bool:
    """Whether the TCP segment at `transport` opens a connection."""
    return len(packet) > transport + FLAGS_OFFSET and bool(packet[transport + FLAGS_OFFSET] & SYN)


def clamp_mss(packet: bytearray | memoryview, transport: int, greatest: int) -> None:
    """Bring the MSS option of the SYN whose TCP header is at `transport` down to `greatest`, in place (RFC 9293 3.7.1).

    A header that is cut short or malformed is left as it is: its receiver decides.
    """
    if len(packet) < transport + _TCP_OCTETS:
        return
    end = min(transport + 4 * (packet[transport + 12] >> 4), len(packet))
    place = transport + _TCP_OCTETS
    while place < end and packet[place] != _END:
        if packet[place] == _NO_OPERATION:
            place += 1
            continue
        if place + 1 == end or packet[place + 1] < 2:
            return
        if packet[place] == _MSS and packet[place + 1] == 4 and place + 4 <= end:
            _lower_mss(packet, transport, place + 2, greatest)
            return
        place += packet[place + 1]


def _lower_mss(packet: bytearray | memoryview, transport: int, place: int, greatest: int) -> None:
    old = packet[place : place + 2]
    if int.from_bytes(old, "big") <= greatest:
        return
    before = bytes(old)
    packet[place : place + 2] = greatest.to_bytes(2, "big")
    after = bytes(packet[place : place + 2])
    if (place - transport) % 2:  # the option lies across two words of the checksum: each octet is in the other half
        before, after = before[::-1], after[::-1]
    field = slice(transport + _CHECKSUM, transport + _CHECKSUM + 2)
    checksum = updated_checksum(
        int.from_bytes(packet[field], "big"), int.from_bytes(before, "big"), int.from_bytes(after, "big")
    )
    packet[field] = checksum.to_bytes(2, "big")


def merged_ecn(inner: int, outer: int) -> int | None:
    """The ECN of a packet that leaves a tunnel; None: it is to be dropped (RFC 6040 4.2, figure 4)."""
    if outer == CE:
        return None if inner == NOT_ECT else CE
    return ECT_1 if outer == ECT_1 and inner == ECT_0 else inner


def set_ecn(packet: bytearray | memoryview, ecn: int) -> None:
    """Write the ECN field of an IP packet in place, with IPv4's checksum."""
    if packet[0] >> 4 == 6:
        packet[1] = packet[1] & 0xCF | ecn << 4
        return
    before = int.from_bytes(packet[:2], "big")
    packet[1] = packet[1] & 0xFC | ecn
    checksum = updated_checksum(int.from_bytes(packet[10:12], "big"), before, int.from_bytes(packet[:2], "big"))
    packet[10:12] = checksum.to_bytes(2, "big")
