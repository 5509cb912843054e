"""MKPDUs: their ICV with and without indicator, and every shape in which a SAK is distributed."""

from __future__ import annotations

import struct

import pytest

from dataplane.crypto.secret import Secret
from lab.capture.keys import MkaCak
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.macsec import MacsecOpener
from lab.coverage.mka import MkaOpener
from tests.unit.lab.coverage.mka_members import (
    CAK,
    CKN,
    Member,
    distribute,
    distributed_sak,
    hear,
    live_peers,
    parameter_set,
    seal_xpn,
)

SERVER = Member(sci=bytes.fromhex("0200000000010001"), mi=b"M" * 12)
PEER = Member(sci=bytes.fromhex("0200000000020001"), mi=b"P" * 12)
KEY = MkaCak(ckn=CKN, cak=Secret(CAK))


@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("octets", [16, 32])
@pytest.mark.parametrize("ckn", [b"1", b"12345", bytes(32)])
def test_the_icv(indicator: bool, octets: int, ckn: bytes) -> None:
    cak = bytes(range(octets))
    member = Member(sci=SERVER.sci, mi=SERVER.mi, cak=cak, ckn=ckn)
    frame = member.mkpdu(live_peers([PEER]), indicator=indicator)
    key = MkaCak(ckn=ckn, cak=Secret(cak))
    assert hear(MkaOpener([key]), frame) == census.AUTHENTICATED
    assert hear(MkaOpener([key]), frame + bytes(3)) == census.AUTHENTICATED, "padding behind the ICV"
    assert hear(MkaOpener([key]), frame[:6] + PEER.sci[:6] + frame[12:]) == census.FAILED
    assert hear(MkaOpener([MkaCak(ckn=ckn, cak=Secret(bytes(octets)))]), frame) == census.FAILED
    assert hear(MkaOpener([MkaCak(ckn=ckn + b"?", cak=Secret(cak))]), frame) == census.NO_KEY
    assert hear(MkaOpener([]), frame) == census.NO_KEY


def test_the_newest_of_several_caks_and_the_others() -> None:
    other = MkaCak(ckn=CKN, cak=Secret(bytes(16)))
    for keys in ([KEY, other], [other, KEY]):
        assert hear(MkaOpener(keys), SERVER.mkpdu()) == census.AUTHENTICATED


def test_an_unknown_algorithm_agility_has_no_key() -> None:
    assert hear(MkaOpener([KEY]), SERVER.mkpdu(agility=b"\0\x80\xc2\2")) == census.NO_KEY


@pytest.mark.parametrize("length", [27, 28, 61, 0xFFF])
def test_a_basic_parameter_set_that_cannot_be(length: int) -> None:
    frame = bytearray(SERVER.mkpdu())
    frame[20:22] = struct.pack("!H", 0xE000 | length)
    sight = ethernet(bytes(frame), len(frame))
    found = MkaOpener([KEY]).open(bytes(frame), sight.start, sight.end)
    assert (found.kind, found.outcome) == (census.MALFORMED, None)


@pytest.mark.parametrize(("suite", "name", "octets"), [
    (None, "GCM-AES-128", 16), (1, "GCM-AES-128", 16), (2, "GCM-AES-256", 32), (3, "GCM-AES-XPN-128", 16),
    (4, "GCM-AES-XPN-256", 32),
])  # fmt: skip
def test_every_suite_is_unwrapped(suite: int | None, name: str, octets: int) -> None:
    """Bodies of 28, 36 and 52 octets (802.1X-2020 11.11.3)."""
    sak = bytes(range(octets))
    _, told = distribute([SERVER, PEER], number=0x00010002, suite=suite, sak=sak)
    assert (told.cipher_suite, told.sak.reveal(), told.an) == (name, sak, 0)
    assert told.member_scis == (PEER.sci, SERVER.sci)
    assert told.salt == bytes(a ^ b for a, b in zip(SERVER.mi, b"\0\2\0\1" + bytes(8), strict=True))


def test_the_suite_as_it_was_misprinted() -> None:
    opener = MkaOpener([KEY])
    body = bytes(3) + b"\1" + b"\0\x80\2\0\1\0\0\1" + SERVER.wrapped(bytes(16))
    hear(opener, SERVER.mkpdu(parameter_set(4, 0x10, body)))
    assert [told.cipher_suite for told in opener.distributed()] == ["GCM-AES-128"]


@pytest.mark.parametrize(("field", "offset"), [(0, 0), (1, 0), (2, 30), (3, 50)])
@pytest.mark.parametrize("an", range(4))
def test_an_and_confidentiality_offset(field: int, offset: int, an: int) -> None:
    opener = MkaOpener([KEY])
    hear(opener, SERVER.mkpdu(distributed_sak(SERVER, 1, None, bytes(16), an=an, offset=field)))
    (told,) = opener.distributed()
    assert (told.an, told.confidentiality_offset) == (an, offset)


@pytest.mark.parametrize("body", [
    b"", bytes(27), bytes(28), bytes(36), bytes(4) + b"\0\x80\xc2\0\1\0\0\x09" + SERVER.wrapped(bytes(16)),
    bytes(4) + b"\0\x80\xc2\0\1\0\0\2" + SERVER.wrapped(bytes(16)), bytes(4) + SERVER.wrapped(bytes(32)),
])  # fmt: skip
def test_what_is_no_sak_is_left_alone(body: bytes) -> None:
    """No body (no MACsec), cut ones, ones that do not unwrap, unknown suites, keys of another suite's length."""
    opener = MkaOpener([KEY])
    assert hear(opener, SERVER.mkpdu(parameter_set(4, 0x10, body))) == census.AUTHENTICATED
    assert list(opener.distributed()) == []


def test_a_forged_mkpdu_distributes_nothing() -> None:
    opener = MkaOpener([KEY])
    frame = bytearray(SERVER.mkpdu(distributed_sak(SERVER, 1, None, bytes(16))))
    frame[-1] ^= 1
    assert hear(opener, bytes(frame)) == census.FAILED
    assert list(opener.distributed()) == []


def test_parameter_sets_that_run_over_are_not_followed() -> None:
    opener = MkaOpener([KEY])
    assert hear(opener, SERVER.mkpdu(bytes((4, 0x10, 0x0F, 0xFF)) + bytes(8))) == census.AUTHENTICATED
    assert list(opener.distributed()) == []


def test_an_ssci_that_was_not_to_be_known_is_found() -> None:
    """The capture began when the peer list was of one member only; the frame comes from a third."""
    opener = MkaOpener([KEY])
    third = Member(sci=bytes.fromhex("0200000000090001"), mi=b"T" * 12)
    hear(opener, SERVER.mkpdu(live_peers([PEER]), distributed_sak(SERVER, 1, 4, bytes(range(32)))))
    for member in (PEER, third):
        hear(opener, member.mkpdu())
    (told,) = opener.distributed()
    assert told.ranked_scis == (PEER.sci, SERVER.sci)
    sas = MacsecOpener((), [told])
    for sci, rank in ((third.sci, 1), (PEER.sci, 2), (SERVER.sci, 3)):
        frame = seal_xpn(sci, bytes(range(32)), rank, told.salt, pn=9)
        sight = ethernet(frame, len(frame))
        assert sas.open(frame, sight.start, sight.end).outcome == census.AUTHENTICATED


def test_a_capture_that_begins_after_many_packets() -> None:
    """The lowest acceptable PN, with its upper half, tells where (802.1X-2020 11.11.3, the XPN set)."""
    opener = MkaOpener([KEY])
    identifier = SERVER.mi + bytes(3) + b"\1"
    use = identifier + struct.pack("!I", 0x80000000) + bytes(20)
    for member in (SERVER, PEER):
        hear(opener, member.mkpdu(
            live_peers([PEER]), parameter_set(3, 0x40, use), distributed_sak(SERVER, 1, 4, bytes(32)),
            parameter_set(8, 0, struct.pack("!II", 7, 0)),
        ))  # fmt: skip
    told = next(iter(opener.distributed()))
    assert told.lowest_pn == 7 << 32 | 0x80000000
    frame = seal_xpn(PEER.sci, bytes(32), 1, told.salt, pn=8 << 32 | 3)
    sight = ethernet(frame, len(frame))
    assert MacsecOpener((), [told]).open(frame, sight.start, sight.end).outcome == census.AUTHENTICATED
