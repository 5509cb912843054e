"""Frames of every kind that a capture can hold, drawn at random, with the keys of most of them."""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Callable

from dataplane.crypto.aead import aes_gcm
from dataplane.crypto.cmac import aes_cmac
from lab.capture.frame import Direction, Frame
from lab.capture.keyfields import Fields
from lab.capture.keys import MacsecSak
from tests.captures.cases import renumber
from tests.unit.lab.coverage.mka_members import seal_xpn
from tests.unit.lab.coverage.packets import (
    A4,
    A6,
    B4,
    B6,
    KEYS,
    A,
    B,
    esp_cbc,
    esp_gcm,
    esp_key,
    ethernet,
    ipv4,
    ipv6,
    macsec,
    pieces,
    ping,
    trailer,
    udp,
)

TOKEN = b"0123456789abcdef0f1e2d3c4b5a6978"
OTHER = b"fedcba98765432100f1e2d3c4b5a6978"
XPN_SCI, XPN_SAK, XPN_SALT = b"\2\0\0\0\0\x0a\0\1", bytes(range(32)), bytes(range(12))
CBC_KEY, SHA_KEY = bytes(range(16)), bytes(range(32))
GMAC_KEY, ESN_KEY = bytes(range(40, 60)), bytes(range(80, 100))
_SPIS = {name: bytes([0xD0, 0, 0, place]) for place, name in enumerate(("cbc", "gmac", "esn", "null", "cmac", "both"))}
MADE_KEYS = (
    *KEYS,
    MacsecSak.read(Fields({"type": "macsec-sak", "sci": XPN_SCI.hex(), "an": 0, "cipher_suite": "GCM-AES-XPN-256",
                           "sak": XPN_SAK.hex(), "ssci": "00000001", "salt": XPN_SALT.hex()})),
    esp_key(_SPIS["cbc"], key=CBC_KEY, encryption="ENCR_AES_CBC", integrity="AUTH_HMAC_SHA2_256_128",
            integrity_key=SHA_KEY.hex()),
    esp_key(_SPIS["gmac"], key=GMAC_KEY, encryption="ENCR_NULL_AUTH_AES_GMAC"),
    esp_key(_SPIS["esn"], key=ESN_KEY, esn=True),
    esp_key(_SPIS["null"], key=b"", encryption="ENCR_NULL", integrity="AUTH_HMAC_SHA2_256_128",
            integrity_key=SHA_KEY.hex()),
    esp_key(_SPIS["cmac"], key=b"", encryption="ENCR_NULL", integrity="AUTH_AES_CMAC_96",
            integrity_key=CBC_KEY.hex()),
    esp_key(_SPIS["both"], key=ESN_KEY, dst="10.0.0.2"), esp_key(_SPIS["both"], key=GMAC_KEY),
)  # fmt: skip


class Traffic:
    """Draws frames. Packet and sequence numbers rise, and jump; payloads hold tokens now and then."""

    def __init__(self, seed: int, *, tokens: bool) -> None:
        self._dice = random.Random(seed)
        self._tokens = tokens
        self._pn = 0
        self._wide = self._dice.choice((0, 2**32 - 20, 2**33))
        self._tcp = {True: 1000, False: 2**32 - 300}
        self._kept = b""

    def frames(self, count: int) -> tuple[Frame, ...]:
        """So many frames; most alike, as in a real capture, the others of any kind."""
        kinds: list[Callable[[], bytes]] = [
            self._macsec, self._xpn, self._esp, self._clear, self._odd, self._macsec, self._xpn, self._esp, self._clear
        ]  # fmt: skip
        usual = self._dice.choice(kinds)
        made = []
        for number in range(count):
            octets = self._dice.choice((usual, usual, *kinds))()
            if self._dice.random() < 0.03:
                place = self._dice.randrange(len(octets))
                octets = octets[:place] + bytes([octets[place] ^ 1 << self._dice.randrange(8)]) + octets[place + 1 :]
            length = len(octets)
            if self._dice.random() < 0.02:
                octets = octets[: self._dice.randrange(length)]
            direction = self._dice.choice((None, None, None, Direction.INBOUND))
            made.append(Frame(1, octets, length, 1_700_000_000_000_000_000 + number * 999, 1, direction, 0))
        return renumber(made)

    def _payload(self) -> bytes:
        plain = self._dice.randbytes(self._dice.choice((0, 1, 8, 20, 40, 47, 48, 60, 200, 900)))
        if self._tokens and self._dice.random() < 0.1:
            token = self._dice.choice((TOKEN, TOKEN.decode().encode("utf-16-be"), base64.b64encode(b"x" + TOKEN)))
            return plain + token + plain[:3]
        return plain

    def _clear(self) -> bytes:
        return self._tagged(self._packet())

    def _tagged(self, packet: bytes, source: bytes = b"") -> bytes:
        tags = self._dice.choice((b"", b"", b"", b"\x81\0\0\5", b"\x88\xa8\0\7\x81\0\0\5", b"\x81\0\0\5" * 6))
        ether_type = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        return ethernet(packet, ether_type, tags=tags, source=source or self._dice.choice((A, B)))

    def _packet(self) -> bytes:
        payload = self._payload()
        return self._dice.choice((
            lambda: ping(payload), lambda: ipv4(17, udp(5001, 5002, payload)), self._segment, self._segment,
            lambda: ipv6(17, udp(5001, 5002, payload)), lambda: ipv6(6, bytes(12) + b"\x50\2" + bytes(6) + payload),
            lambda: ipv4(89, payload), lambda: ipv4(17, udp(500, 500, payload)), lambda: ipv4(2, payload),
            lambda: ipv4(17, udp(4500, 4500, payload)), lambda: ipv6(58, b"\x80" + payload), lambda: ipv6(58, b"\x87"),
            lambda: ipv4(17, udp(1, 2, payload), options=b"\1\1\1\1"), lambda: ipv4(17, payload),
            lambda: ipv6(0, b"\x11\0" + bytes(6) + udp(7, 8, payload)), lambda: ipv4(1, payload)[:-1],
        ))()  # fmt: skip

    def _segment(self) -> bytes:
        """TCP, of which a token may lie across two segments, or the first comes late."""
        near = self._dice.random() < 0.5
        payload = self._kept or self._payload()
        self._kept = b""
        if self._tokens and self._dice.random() < 0.3:
            at = self._dice.randrange(1, len(OTHER))
            payload, self._kept = payload + OTHER[:at], OTHER[at:]
        sequence, self._tcp[True] = self._tcp[True], self._tcp[True] + len(payload)
        if not near and not payload:
            sequence += 7
        head = struct.pack("!HHIIBBHHH", 80, 1025, sequence % 2**32, 0, 0x50, 0x10, 1000, 0, 0)
        return ipv4(6, head + payload)

    def _esp_packet(self) -> tuple[int, bytes]:
        """Who is told as the next header, and a packet of one of the SAs."""
        self._pn += 1
        inner, sequence = self._packet(), self._pn
        wide = self._wide + self._pn
        head = struct.pack("!I", sequence)
        sealed = self._dice.choice((
            lambda: esp_gcm(inner, sequence=sequence), lambda: esp_gcm(inner, sequence=sequence, spi=b"\xc0\0\0\2"),
            lambda: esp_cbc(inner, cipher="AES", key=CBC_KEY, hash_name="SHA2_256", mac_key=SHA_KEY, icv=16,
                            spi=_SPIS["cbc"], sequence=sequence),
            lambda: esp_gcm(inner, key=ESN_KEY, spi=_SPIS["esn"], sequence=wide, esn=True),
            lambda: esp_cbc(inner, cipher="", key=b"", hash_name="SHA2_256", mac_key=SHA_KEY, icv=16,
                            spi=_SPIS["null"], sequence=sequence),
            lambda: _SPIS["cmac"] + head + trailer(inner)
            + aes_cmac(CBC_KEY, _SPIS["cmac"] + head + trailer(inner))[:12],
            lambda: _gmac(head, inner), lambda: esp_gcm(inner, key=self._dice.choice((ESN_KEY, GMAC_KEY)),
                                                        spi=_SPIS["both"], sequence=sequence),
            lambda: esp_gcm(inner, spi=b"\xee\0\0\1", sequence=sequence),
        ))()  # fmt: skip
        return 50, sealed

    def _esp(self) -> bytes:
        return self._tagged(self._tunnel())

    def _tunnel(self) -> bytes:
        protocol, sealed = self._esp_packet()
        if self._dice.random() < 0.3:
            protocol, sealed = 17, udp(4500, self._dice.choice((4500, 1027)), sealed)
        target4, target6 = self._dice.choice((A4, B4)), self._dice.choice((A6, B6))
        return ipv6(protocol, sealed, target=target6) if self._dice.random() < 0.3 else (
            ipv4(protocol, sealed, target=target4))  # fmt: skip

    def _inside(self) -> bytes:
        return self._tagged(self._dice.choice((self._packet, self._packet, self._tunnel))(), source=A)

    def _macsec(self) -> bytes:
        self._pn += 1
        clear = self._inside() if self._dice.random() < 0.9 else ethernet(self._payload(), 0x0806, source=A)
        tci = self._dice.choice((0x2C, 0x2C, 0x2C, 0x0C, 0x4C, 0x20, 0x00, 0x1C, 0x2D, 0x24))
        tags = self._dice.choice((b"", b"", b"", b"\x81\0\0\7"))
        return macsec(clear, pn=self._pn, tci=tci, tags=tags)

    def _xpn(self) -> bytes:
        self._pn += 1
        if self._dice.random() < 0.01:
            self._wide += self._dice.choice((2**31, 2**32, 2**33))
        pn = self._wide + self._pn - self._dice.choice((0, 0, 0, 3))
        return seal_xpn(XPN_SCI, XPN_SAK, 1, XPN_SALT, pn=max(pn, 1), data=self._inside()[14:].ljust(46, b"\0"))

    def _odd(self) -> bytes:
        payload = self._payload()
        return self._dice.choice((
            lambda: ethernet(bytes(28), 0x0806), lambda: ethernet(payload, 0x88CC), lambda: payload,
            lambda: ethernet(self._dice.choice(tuple(pieces(6, bytes(20) + payload, 16)))),
            lambda: ethernet(self._dice.choice(tuple(pieces(50, esp_gcm(bytes(90)), 48)))),
            lambda: macsec(macsec(ethernet(ping(payload)))), lambda: ethernet(b"\x03\x05\x00\x00" + payload, 0x888E),
            lambda: ethernet(payload, 0x88E5), lambda: ethernet(ping(payload)[:30]), lambda: B + A + b"\x08",
        ))() or b"\0"  # fmt: skip


def _gmac(head: bytes, inner: bytes) -> bytes:
    spi, iv, clear = _SPIS["gmac"], b"12345678", trailer(inner)
    return spi + head + iv + clear + aes_gcm(GMAC_KEY[:16]).seal(GMAC_KEY[16:] + iv, b"", spi + head + iv + clear)
