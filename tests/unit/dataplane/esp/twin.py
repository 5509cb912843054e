"""A slow, obvious ESP: one packet at a time, a fresh cipher for each, a set for a window. It watches the fast one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from dataplane.crypto.aead import Aead, aes_gcm, chacha20_poly1305
from dataplane.crypto.cbc import Cbc
from dataplane.errors import IntegrityError
from dataplane.esp.counters import DiscardReason
from dataplane.esp.flow import flow_or_none, matches
from dataplane.esp.sa import SaParameters
from dataplane.ipsec.transforms import encryption, integrity

HASHES = {"MD5": "md5", "SHA1": "sha1", "SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
IN_NO_SA, IN_TOO_SHORT = DiscardReason.IN_NO_SA, DiscardReason.IN_TOO_SHORT


@dataclass
class Twin:
    """Both directions of one SA. `tail` in `seal` replaces padding, pad length and next header."""

    of: SaParameters
    window: int = 1024
    seen: set[int] = field(default_factory=set)
    highest: int = 0

    @property
    def esn(self) -> bool:
        return self.of.suite.esn

    def seal(self, inner: bytes, sequence: int, *, iv: bytes, tail: bytes | None = None) -> bytes:
        about = encryption(self.of.suite.encryption)
        if tail is None:
            pad = -(len(inner) + 2) % about.alignment
            tail = bytes(range(1, pad + 1)) + bytes((pad, 4 if inner[0] >> 4 == 4 else 41))
        text = inner + tail
        header = self.of.spi.to_bytes(4, "big") + (sequence % 2**32).to_bytes(4, "big")
        if about.is_aead:
            return header + iv + self.aead().seal(self.salt + iv, text, self.aad(sequence))
        sealed = text if about.block_cipher is None else self.cbc().encrypt(iv, text)
        return header + iv + sealed + self.icv(header + iv + sealed, sequence)

    def open(self, packet: bytes, sequence: int) -> bytes | None:
        """The text, by the full sequence number; None: not authentic."""
        about = encryption(self.of.suite.encryption)
        iv, rest = packet[8 : 8 + about.iv_octets], packet[8 + about.iv_octets :]
        if about.is_aead:
            try:
                return self.aead().open(self.salt + iv, rest, self.aad(sequence))
            except IntegrityError:
                return None
        icv = self.icv(b"", 0)
        sealed, theirs = rest[: -len(icv)], rest[-len(icv) :]
        if self.icv(packet[: -len(icv)], sequence) != theirs:
            return None
        return sealed if about.block_cipher is None else self.cbc().decrypt(iv, sealed)

    def receive(self, packet: bytes) -> bytes | DiscardReason:
        """RFC 4303 3.4 and RFC 4301 5.2, step by step."""
        about = encryption(self.of.suite.encryption)
        if len(packet) < 8:
            return IN_TOO_SHORT
        if int.from_bytes(packet[:4], "big") != self.of.spi:
            return IN_NO_SA
        text_octets = len(packet) - 8 - about.iv_octets - self.icv_octets
        if text_octets < about.alignment or text_octets % about.alignment:
            return IN_TOO_SHORT
        sequence = self.full(int.from_bytes(packet[4:8], "big"))
        if sequence in self.seen or sequence == 0 or sequence <= self.highest - self.window:
            return DiscardReason.IN_REPLAYED
        text = self.open(packet, sequence)
        if text is None:
            return DiscardReason.IN_NOT_AUTHENTIC
        self.seen.add(sequence)
        self.highest = max(self.highest, sequence)
        return self.inner(text)

    def inner(self, text: bytes) -> bytes | DiscardReason:
        pad, next_header = text[-2], text[-1]
        if pad + 2 > len(text) or text[len(text) - 2 - pad : len(text) - 2] != bytes(range(1, pad + 1)):
            return DiscardReason.IN_BAD_PADDING
        if next_header == 59:
            return DiscardReason.IN_DUMMY
        if next_header not in (4, 41):
            return DiscardReason.IN_BAD_NEXT_HEADER
        packet = text[: len(text) - 2 - pad]
        flow = flow_or_none(packet)
        if flow is None or packet[0] >> 4 != {4: 4, 41: 6}[next_header]:
            return DiscardReason.IN_BAD_INNER_PACKET
        if not matches(flow, self.of.remote, self.of.local):
            return DiscardReason.IN_SELECTORS_MISMATCH
        return packet[: flow.total_length]

    def full(self, low: int) -> int:
        """RFC 4303 A2.1: the number with these low bits that lies in the 2^32 numbers from the window's bottom on."""
        if not self.esn:
            return low
        bottom = max(1, self.highest - self.window + 1)
        return next(n for n in (low + (bottom & ~0xFFFFFFFF), low + (bottom & ~0xFFFFFFFF) + 2**32) if n >= bottom)

    @property
    def icv_octets(self) -> int:
        suite = self.of.suite
        return 16 if suite.integrity is None else integrity(suite.integrity).icv_octets

    def icv(self, octets: bytes, sequence: int) -> bytes:
        assert self.of.suite.integrity is not None
        about = integrity(self.of.suite.integrity)
        if self.esn:
            octets += (sequence >> 32).to_bytes(4, "big")
        mac = hmac.new(self.of.keys.integrity.reveal(), octets, getattr(hashlib, HASHES[about.hash_name]))
        return mac.digest()[: about.icv_octets]

    def aad(self, sequence: int) -> bytes:
        return self.of.spi.to_bytes(4, "big") + sequence.to_bytes(8 if self.esn else 4, "big")

    @property
    def salt(self) -> bytes:
        return self.of.keys.encryption.reveal()[-4:]

    def aead(self) -> Aead:
        make = chacha20_poly1305 if "CHACHA" in self.of.suite.encryption.name else aes_gcm
        return make(self.of.keys.encryption.reveal()[:-4])

    def cbc(self) -> Cbc:
        cipher = encryption(self.of.suite.encryption).block_cipher
        assert cipher is not None
        return Cbc(self.of.keys.encryption.reveal(), cipher)
