"""A host that pings and answers pings and ARP, in plain octets: the far end of a wire."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

_IPV4 = b"\x08\x00"
_ARP = b"\x08\x06"
_WHO_HAS = bytes.fromhex("0001080006040001")
_IS_AT = bytes.fromhex("0001080006040002")
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


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Whom to ping."""

    mac: bytes
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class EchoHost:
    """One address on one wire."""

    mac: bytes
    address: IPv4Address

    def request(self, peer: Neighbour, sequence: int, payload: bytes) -> bytes:
        """An Ethernet frame with an echo request."""
        message = struct.pack("!HH", _IDENTIFIER, sequence) + payload
        return self._frame(peer.mac, peer.address.packed, _REQUEST, message)

    def answer(self, frame: bytes) -> bytes | None:
        """The echo or ARP reply that a frame asks for; None when it asks for none."""
        if frame[12:22] == _ARP + _WHO_HAS and frame[38:42] == self.address.packed:
            return frame[6:12] + self.mac + _ARP + _IS_AT + self.mac + self.address.packed + frame[22:32]
        message = self._icmp(frame)
        if message is None or message[0] != _REQUEST:
            return None
        return self._frame(frame[6:12], frame[26:30], _REPLY, message[4:])

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

    def _frame(self, mac: bytes, address: bytes, kind: int, rest: bytes) -> bytes:
        message = struct.pack("!BBH", kind, 0, checksum(bytes((kind, 0, 0, 0)) + rest)) + rest
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, _ICMP, 0)
        header += self.address.packed + address
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return mac + self.mac + _IPV4 + header + message
