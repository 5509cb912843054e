"""Scapy as a second opinion, where it is right.

It knows no replay, no receive SA by its AN, no padding behind the ICV and no ES of its own, and its XPN cannot recover
an upper half, so each frame gets an SA of its own with the full PN.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding
from dataplane.macsec.counters import Accepted
from dataplane.macsec.suites import CIPHER_SUITES, CipherSuite
from dataplane.wire.ethernet import VlanTag
from dataplane.wire.sectag import SecTag
from tests.unit.dataplane.macsec.pair import A_MAC, A_SSCI, B_MAC, clear_frame, make_sak, receiver, sci_of, sender

SIZES = (20, 34, 59, 60, 61, 100, 1514)
XPN_START = 0x2_00000003


class Scapy(Protocol):
    """Scapy's MACsec for one frame, octets to octets."""

    def protect(self, clear: bytes) -> bytes: ...

    def open(self, protected: bytes) -> bytes: ...


def scapy(sak: Sak, encoding: SciEncoding, *, an: int, pn: int, authenticated_octets: int | None = None) -> Scapy:
    from scapy.contrib.macsec import MACsecSA
    from scapy.layers.l2 import Ether

    xpn = {"xpn_en": True, "ssci": A_SSCI, "salt": sak.salt} if sak.suite.xpn else {}
    sa = MACsecSA(
        sci=sci_of(encoding), an=an, pn=pn, key=sak.key.reveal(), icvlen=16, encrypt=int(sak.confidentiality),
        send_sci=int(encoding is SciEncoding.EXPLICIT), **xpn,
    )  # fmt: skip

    class OneFrame:
        def protect(self, clear: bytes) -> bytes:
            return bytes(sa.encrypt(sa.encap(Ether(clear)), assoclen=authenticated_octets))

        def open(self, protected: bytes) -> bytes:
            return bytes(sa.decap(sa.decrypt(Ether(protected), assoclen=authenticated_octets)))

    return OneFrame()


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("encoding", SciEncoding)
@pytest.mark.parametrize("confidentiality", [False, True])
def test_scapy_opens_what_we_protect(suite: CipherSuite, encoding: SciEncoding, *, confidentiality: bool) -> None:
    sak = make_sak(suite, confidentiality=confidentiality)
    first_pn = XPN_START if suite.xpn else 3
    a = sender(sak, an=3, next_pn=first_pn, generation=Generation(sci_encoding=encoding))
    for pn, size in enumerate(SIZES, first_pn):
        outcome = a.protect_frame(clear_frame(size))
        assert isinstance(outcome, Accepted)
        assert scapy(sak, encoding, an=3, pn=pn).open(outcome.octets) == clear_frame(size)


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("encoding", [SciEncoding.EXPLICIT, SciEncoding.IMPLIED])
@pytest.mark.parametrize("confidentiality", [False, True])
def test_we_open_what_scapy_protects(suite: CipherSuite, encoding: SciEncoding, *, confidentiality: bool) -> None:
    sak = make_sak(suite, confidentiality=confidentiality)
    first_pn = XPN_START if suite.xpn else 3
    b, channel = receiver(sak, an=1, next_pn=first_pn)
    for pn, size in enumerate(SIZES, first_pn):
        protected = scapy(sak, encoding, an=1, pn=pn).protect(clear_frame(size))
        assert b.validate_frame(protected) == Accepted(clear_frame(size))
    assert channel.counters.InPktsOK == len(SIZES)


@pytest.mark.parametrize("offset", [30, 50])
def test_confidentiality_offset(offset: int) -> None:
    sak, clear = make_sak(confidentiality_offset=offset), clear_frame(200)
    second = scapy(sak, SciEncoding.EXPLICIT, an=0, pn=1, authenticated_octets=28 + offset)
    assert sender(sak).protect_frame(clear) == Accepted(second.protect(clear))
    assert receiver(sak)[0].validate_frame(second.protect(clear)) == Accepted(clear)


@pytest.mark.parametrize(
    "tag",
    [
        SecTag(encrypted=True, changed=True, an=2, sl=42, pn=0xB2C28465, sci=A_MAC + b"\x00\x07"),
        SecTag(es=True, encrypted=False, changed=False, an=0, pn=1),
        SecTag(scb=True, encrypted=True, changed=True, an=1, sl=2, pn=0xFFFFFFFF),
        SecTag(encrypted=False, changed=True, an=3, pn=0),
    ],
)
def test_sectag(tag: SecTag) -> None:
    from scapy.contrib.macsec import MACsec

    theirs = MACsec(tag.emit()[2:])
    assert (theirs.Ver, theirs.reserved) == (0, 0)
    fields = (theirs.ES, theirs.SCB, theirs.E, theirs.C, theirs.AN, theirs.SL, theirs.PN)
    assert fields == (tag.es, tag.scb, tag.encrypted, tag.changed, tag.an, tag.sl, tag.pn)
    assert (bytes(theirs.SCI) if theirs.SC else None) == tag.sci


def test_vlan_tag() -> None:
    from scapy.layers.l2 import Dot1Q, Ether

    tagged = bytes(Ether(dst=B_MAC.hex(":"), src=A_MAC.hex(":")) / Dot1Q(prio=5, vlan=4000, type=0x88E5))
    assert VlanTag.parse(tagged[12:]) == VlanTag(priority=5, vlan=4000)
