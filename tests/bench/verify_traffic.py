"""The capture that `verify_bench` judges: half MACsec, half ESP, all authentic, sealed by bare AEAD calls.

Two directions of each, one SA a direction. Inside is plain UDP over IPv4 with right checksums, as a real path has it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

from dataplane.crypto.aead import Aead, aes_gcm

# Octets on the wire, without FCS, of an ordinary mix (7 small : 4 middle : 1 large), and of full frames alone.
MIXES = {"imix": (90,) * 7 + (590,) * 4 + (1514,), "large": (1514,)}

_A, _B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_ADDRESS = {_A: bytes([10, 7, 0, 1]), _B: bytes([10, 7, 0, 2])}
_SALT = bytes.fromhex("e630e81a48de86a21c66fa6d")
_ESP_SALT = bytes.fromhex("b1b2b3b4")


class _Macsec:
    """One SC with GCM-AES-XPN-256 and an explicit SCI: SecTAG of 14 octets from the TCI on, ICV of 16."""

    def __init__(self, source: bytes, target: bytes, ssci: int) -> None:
        self.sak = bytes(range(ssci, ssci + 32))
        self.sci = source + b"\0\1"
        self.ssci = ssci
        self._ends = target + source
        self._aead: Aead = aes_gcm(self.sak)
        self._mask = int.from_bytes(ssci.to_bytes(4, "big") + bytes(8), "big") ^ int.from_bytes(_SALT, "big")
        self._pn = 0

    def seal(self, octets: int) -> bytes:
        self._pn += 1
        data = octets - 28 - 16
        clear = b"\x08\x00" + packet(data - 2, self._pn)
        tag = b"\x88\xe5\x2c" + bytes([data if data < 48 else 0]) + self._pn.to_bytes(4, "big") + self.sci
        head = self._ends + tag
        return head + self._aead.seal((self._pn ^ self._mask).to_bytes(12, "big"), clear, head)

    @property
    def key(self) -> dict[str, object]:
        return {"type": "macsec-sak", "sci": self.sci.hex(), "an": 0, "cipher_suite": "GCM-AES-XPN-256",
                "sak": self.sak.hex(), "ssci": f"{self.ssci:08x}", "salt": _SALT.hex()}  # fmt: skip


class _Esp:
    """One SA with AES-GCM-256 in tunnel mode, right behind IPv4."""

    def __init__(self, source: bytes, target: bytes, spi: int) -> None:
        self.secret = bytes(range(spi & 0xFF, (spi & 0xFF) + 32))
        self.spi = spi
        self._link = target + source + b"\x08\x00"
        self._ends = _ADDRESS[source] + _ADDRESS[target]
        self.target = ".".join(map(str, _ADDRESS[target]))
        self._aead: Aead = aes_gcm(self.secret)
        self._sequence = 0

    def seal(self, octets: int) -> bytes:
        self._sequence += 1
        # Behind Ethernet, IPv4, ESP header and IV come the packet, padding, pad length, next header and ICV.
        room = octets - 14 - 20 - 8 - 8 - 16
        pad = bytes(range(1, 1 + (-room) % 4)) if room % 4 else b""
        inner = packet(room - 2 - len(pad), self._sequence)
        header = self.spi.to_bytes(4, "big") + self._sequence.to_bytes(4, "big")
        iv = self._sequence.to_bytes(8, "big")
        sealed = self._aead.seal(_ESP_SALT + iv, inner + pad + bytes([len(pad), 4]), header)
        return self._link + ipv4(50, self._ends, header + iv + sealed, self._sequence)

    @property
    def key(self) -> dict[str, object]:
        return {"type": "esp-sa", "spi": f"{self.spi:08x}", "dst": self.target, "encryption": "ENCR_AES_GCM_16",
                "encryption_key": (self.secret + _ESP_SALT).hex(), "mode": "tunnel"}  # fmt: skip


def ipv4(protocol: int, ends: bytes, payload: bytes, number: int) -> bytes:
    """A datagram with a right checksum."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, 0x4000, 64, protocol, 0) + ends
    checksum = 0xFFFF - int.from_bytes(head, "big") % 0xFFFF
    return head[:10] + checksum.to_bytes(2, "big") + head[12:] + payload


def packet(octets: int, number: int) -> bytes:
    """A UDP datagram of so many octets, IPv4 header and all."""
    payload = number.to_bytes(8, "big").ljust(octets - 28, b"\xa5")[: octets - 28]
    datagram = struct.pack(">HHHH", 5001, 5002, 8 + len(payload), 0) + payload
    return ipv4(17, bytes([192, 168, 1, 1, 10, 0, 2, 4]), datagram, number)


def write(folder: Path, frames: int, mix: str) -> tuple[Path, Path]:
    """Write so many frames as classic pcap, and the key log; give both paths."""
    senders: list[_Macsec | _Esp] = [
        _Macsec(_A, _B, 1), _Esp(_A, _B, 0xC0000001), _Macsec(_B, _A, 2), _Esp(_B, _A, 0xC0000002)
    ]  # fmt: skip
    capture, key_log = folder / f"verify-{mix}.pcap", folder / "verify.keys.jsonl"
    with capture.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for records in _records(senders, frames, MIXES[mix]):
            stream.write(records)
    key_log.write_text("".join(json.dumps(sender.key) + "\n" for sender in senders))
    return capture, key_log


def _records(senders: list[_Macsec | _Esp], frames: int, sizes: tuple[int, ...]) -> Iterator[bytes]:
    parts = []
    for number in range(frames):
        frame = senders[number % len(senders)].seal(sizes[number // len(senders) % len(sizes)])
        seconds, rest = divmod(number, 100_000)
        parts.append(struct.pack("<IIII", 1_700_000_000 + seconds, rest * 10, len(frame), len(frame)) + frame)
        if len(parts) == 1000:
            yield b"".join(parts)
            parts.clear()
    yield b"".join(parts)
