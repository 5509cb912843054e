"""MKPDUs built by hand, and frames sealed with what they distribute: for tests of the verdict alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from dataplane.crypto.aead import aes_gcm
from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.keywrap import wrap
from dataplane.crypto.secret import Secret
from lab.capture.keys import MkaCak
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.mka import DistributedSak, MkaOpener, derive

CAK = bytes(range(0x40, 0x50))
CKN = b"a name of 19 octets"
GROUP = bytes.fromhex("0180c2000003")


@dataclass(frozen=True)
class Member:
    """A participant. Its source address is its SCI's."""

    sci: bytes
    mi: bytes
    cak: bytes = CAK
    ckn: bytes = CKN

    def mkpdu(self, *sets: bytes, indicator: bool = False, agility: bytes = b"\0\x80\xc2\1") -> bytes:
        """A whole frame with these parameter sets behind the basic one."""
        body = self.sci + self.mi + bytes(3) + b"\1" + agility + self.ckn
        basic = bytes((3, 16, 0xE0 | len(body) >> 8, len(body) & 255)) + pad(body)
        rest = b"".join(sets) + (bytes((255, 0, 0, 16)) if indicator else b"")
        eapol = struct.pack("!BBH", 3, 5, len(basic + rest) + 16) + basic + rest
        covered = GROUP + self.sci[:6] + b"\x88\x8e" + eapol
        ick = derive(self.cak, b"IEEE8021 ICK", self.ckn[:16].ljust(16, b"\0"), len(self.cak))
        return covered + aes_cmac(ick, covered)

    def wrapped(self, sak: bytes) -> bytes:
        """A SAK under this member's KEK."""
        return wrap(derive(self.cak, b"IEEE8021 KEK", self.ckn[:16].ljust(16, b"\0"), len(self.cak)), sak)


def pad(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def parameter_set(kind: int, second: int, body: bytes) -> bytes:
    return bytes((kind, second, len(body) >> 8, len(body) & 255)) + pad(body)


def live_peers(members: Sequence[Member]) -> bytes:
    return parameter_set(1, 0, b"".join(member.mi + bytes(3) + b"\1" for member in members))


def distributed_sak(server: Member, number: int, suite: int | None, sak: bytes, an: int = 0, offset: int = 1) -> bytes:
    """`suite` is the last octet of the cipher suite's id; None leaves the id out."""
    named = b"" if suite is None else b"\0\x80\xc2\0\1\0\0" + bytes([suite])
    body = number.to_bytes(4, "big") + named + server.wrapped(sak)
    return parameter_set(4, an << 6 | offset << 4, body)


def hear(opener: MkaOpener, frame: bytes) -> int | None:
    sight = ethernet(frame, len(frame))
    assert sight.kind == census.MKA
    return opener.open(frame, sight.start, sight.end).outcome


def distribute(
    members: Sequence[Member], *, number: int, suite: int | None, sak: bytes
) -> tuple[MkaOpener, DistributedSak]:
    """All members speak; the first is the key server."""
    opener = MkaOpener([MkaCak(ckn=CKN, cak=Secret(CAK))])
    for member in members[1:]:
        assert hear(opener, member.mkpdu(live_peers([one for one in members if one is not member]))) == 0
    server = members[0]
    assert hear(opener, server.mkpdu(live_peers(members[1:]), distributed_sak(server, number, suite, sak))) == 0
    (told,) = opener.distributed()
    return opener, told


def seal_xpn(sci: bytes, sak: bytes, ssci: int, salt: bytes, *, pn: int, an: int = 0, data: bytes = bytes(60)) -> bytes:
    """A frame from that SC, encrypted, with an explicit SCI."""
    nonce = (int.from_bytes(salt, "big") ^ (ssci << 64 | pn)).to_bytes(12, "big")
    head = (
        b"\x02\0\0\0\0\xff" + sci[:6] + b"\x88\xe5" + bytes((0x2C | an, 0)) + struct.pack("!I", pn & 0xFFFFFFFF) + sci
    )
    return head + aes_gcm(sak).seal(nonce, b"\x08\0" + data, head)
