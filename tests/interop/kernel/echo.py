"""A host that pings and answers pings, in plain octets: the far end of a wire. ARP is left to static entries."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

_IPV4 = b"\x08\x00"
_ICMP = 1
_REQUEST, _REPLY = 8, 0
_IDENTIFIER = 0x7770


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoHost:
    """One address on one wire, and the neighbour that it talks to."""

    mac: bytes
    address: IPv4Address
    peer_mac: bytes
    peer_address: IPv4Address

    def request(self, sequence: int, payload: bytes) -> bytes:
        """An Ethernet frame with an echo request."""
        return self._frame(_REQUEST, struct.pack("!HH", _IDENTIFIER, sequence) + payload)

    def answer(self, frame: bytes) -> bytes | None:
        """The echo reply that a frame asks for; None when it asks for none."""
        message = self._icmp(frame)
        if message is None or message[0] != _REQUEST:
            return None
        return self._frame(_REPLY, message[4:])

    def replied(self, frame: bytes) -> tuple[int, bytes] | None:
        """Sequence number and payload, if the frame is an echo reply to this host."""
        message = self._icmp(frame)
        if message is None or message[0] != _REPLY or message[4:6] != struct.pack("!H", _IDENTIFIER):
            return None
        return int.from_bytes(message[6:8], "big"), message[8:]

    def _icmp(self, frame: bytes) -> bytes | None:
        """The ICMP message in a frame to this host; None where there is none, or a checksum is wrong."""
        if len(frame) < 42 or frame[:6] != self.mac or frame[12:14] != _IPV4 or frame[14] != 0x45:
            return None
        packet = frame[14 : 14 + int.from_bytes(frame[16:18], "big")]
        if packet[9] != _ICMP or packet[16:20] != self.address.packed or checksum(packet[:20]) or checksum(packet[20:]):
            return None
        return packet[20:]

    def _frame(self, kind: int, rest: bytes) -> bytes:
        message = struct.pack("!BBH", kind, 0, checksum(bytes((kind, 0, 0, 0)) + rest)) + rest
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0)
        header += self.address.packed + self.peer_address.packed
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return self.peer_mac + self.mac + _IPV4 + header + message
