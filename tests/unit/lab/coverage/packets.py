"""Frames built by hand, protected with short code of the tests' own."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from dataplane.crypto.aead import aes_gcm
from dataplane.crypto.cbc import Cbc
from dataplane.crypto.hmac import HmacKey
from lab.capture.frame import ETHERNET, Direction, Frame
from lab.capture.keyfields import Fields
from lab.capture.keys import EspSa, IkeSa, MacsecSak

A = bytes.fromhex("020000000001")
B = bytes.fromhex("020000000002")
A4, B4 = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
A6, B6 = bytes.fromhex("fd" + "00" * 14 + "01"), bytes.fromhex("fd" + "00" * 14 + "02")
SAK = bytes(range(16))
ESP_KEY = bytes(range(0x20, 0x34))
SPI_AB, SPI_BA = b"\xc0\0\0\1", b"\xc0\0\0\2"


def ethernet(payload: bytes, ether_type: int = 0x0800, *, source: bytes = A, target: bytes = B,
             tags: bytes = b"") -> bytes:  # fmt: skip
    return target + source + tags + struct.pack("!H", ether_type) + payload


def ipv4(protocol: int, payload: bytes, *, source: bytes = A4, target: bytes = B4, placed: int = 0, ident: int = 0,
         options: bytes = b"", total: int | None = None) -> bytes:  # fmt: skip
    length = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(payload) if total is None else total, ident, placed, 64,
        protocol, 0, source, target,
    ) + options  # fmt: skip
    checksum = 65535 - sum(struct.unpack(f"!{length // 2}H", head)) % 65535
    return head[:10] + struct.pack("!H", checksum) + head[12:] + payload


def ipv6(header: int, payload: bytes, *, source: bytes = A6, target: bytes = B6) -> bytes:
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), header, 64, source, target) + payload


def udp(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def ping(payload: bytes = bytes(56), *, source: bytes = A4, target: bytes = B4) -> bytes:
    return ipv4(1, b"\x08\0\0\0\0\1\0\1" + payload, source=source, target=target)


def pieces(protocol: int, payload: bytes, size: int, *, ident: int = 7, source: bytes = A4,
           target: bytes = B4) -> Iterator[bytes]:  # fmt: skip
    """The IPv4 fragments of a datagram, `size` octets of payload each."""
    for at in range(0, len(payload), size):
        more = 0x2000 if at + size < len(payload) else 0
        yield ipv4(protocol, payload[at : at + size], source=source, target=target, placed=more | at // 8, ident=ident)


def pieces6(protocol: int, payload: bytes, size: int, *, ident: int = 7) -> Iterator[bytes]:
    for at in range(0, len(payload), size):
        more = 1 if at + size < len(payload) else 0
        yield ipv6(44, struct.pack("!BBHI", protocol, 0, at | more, ident) + payload[at : at + size])


def macsec(clear: bytes, *, pn: int = 1, tci: int = 0x2C, sak: bytes = SAK, sci: bytes | None = None,
           tags: bytes = b"") -> bytes:  # fmt: skip
    """Protect a clear frame: the TCI decides about SCI and encryption."""
    source = clear[6:12]
    sci = sci or source + (b"\0\0" if tci & 0x10 else b"\0\1")
    data = clear[12:]
    short = len(data) if len(data) < 48 else 0
    tag = b"\x88\xe5" + bytes((tci, short)) + struct.pack("!I", pn) + (sci if tci & 0x20 else b"")
    head = clear[:12] + tag
    nonce = sci + struct.pack("!I", pn)
    seal = aes_gcm(sak).seal
    sealed = seal(nonce, data, head) if tci & 8 else data + seal(nonce, b"", head + data)
    return clear[:12] + tags + tag + sealed


def trailer(payload: bytes, next_header: int = 4, block: int = 4) -> bytes:
    count = (-len(payload) - 2) % block
    return payload + bytes(range(1, count + 1)) + bytes((count, next_header))


def esp_gcm(
    payload: bytes, *, spi: bytes = SPI_AB, sequence: int = 1, key: bytes = ESP_KEY, esn: bool = False
) -> bytes:
    low = struct.pack("!I", sequence & 0xFFFFFFFF)
    aad = spi + (struct.pack("!Q", sequence) if esn else low)
    iv = struct.pack("!Q", sequence)
    return spi + low + iv + aes_gcm(key[:-4]).seal(key[-4:] + iv, trailer(payload), aad)


def esp_cbc(payload: bytes, *, cipher: str, key: bytes, hash_name: str, mac_key: bytes, icv: int, spi: bytes = SPI_AB,
            sequence: int = 1, esn: bool = False) -> bytes:  # fmt: skip
    block = {"AES": 16, "3DES": 8, "DES": 8, "": 4}[cipher]
    clear = trailer(payload, block=block)
    body = clear
    if cipher:
        iv = bytes(range(block))
        body = iv + Cbc(key, cipher).encrypt(iv, clear)
    packet = spi + struct.pack("!I", sequence & 0xFFFFFFFF) + body
    high = struct.pack("!I", sequence >> 32) if esn else b""
    return packet + HmacKey(hash_name, mac_key).digest(packet, high)[:icv]


def sak_key(source: bytes = A, *, an: int = 0, sak: bytes = SAK, port: bytes = b"\0\1") -> MacsecSak:
    return MacsecSak.read(Fields({"type": "macsec-sak", "sci": (source + port).hex(), "an": an,
                                  "cipher_suite": "GCM-AES-128", "sak": sak.hex()}))  # fmt: skip


def esp_key(spi: bytes = SPI_AB, *, key: bytes = ESP_KEY, encryption: str = "ENCR_AES_GCM_16",
            **more: object) -> EspSa:  # fmt: skip
    return EspSa.read(Fields({"type": "esp-sa", "spi": spi.hex(), "encryption": encryption,
                              "encryption_key": key.hex(), "mode": "tunnel", **more}))  # fmt: skip


def ike_key(**fields: object) -> IkeSa:
    known: dict[str, object] = {
        "type": "ike-sa", "spi_i": "01" * 8, "spi_r": "02" * 8, "encryption": "ENCR_AES_GCM_16",
        "prf": "PRF_HMAC_SHA2_256", "sk_d": "00", "sk_pi": "00", "sk_pr": "00", "sk_ei": "31" * 20, "sk_er": "32" * 20,
    }  # fmt: skip
    return IkeSa.read(Fields(known | fields))


KEYS = (sak_key(A), sak_key(B), esp_key(SPI_AB), esp_key(SPI_BA))


def frames(octets: Iterable[bytes], *, link_type: int = ETHERNET, near: bytes | None = None) -> tuple[Frame, ...]:
    """Numbered frames, a microsecond apart. With `near`, what that address sends goes out, the rest comes in."""
    result = []
    for number, each in enumerate(octets, 1):
        direction = None
        if near is not None:
            direction = Direction.OUTBOUND if each[6:12] == near else Direction.INBOUND
        result.append(Frame(number, each, len(each), number * 1000, link_type, direction, 0))
    return tuple(result)
