"""The parameter sets: one case list drives parse and emit, and each case is also cut at every length."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.paramsets.announced import Announcement, Kmd, Tlv
from dataplane.mka.paramsets.basic import BasicParameterSet, MacsecCapability
from dataplane.mka.paramsets.distributed import DistributedCak, DistributedSak
from dataplane.mka.paramsets.header import SetHeader
from dataplane.mka.paramsets.peerlists import LivePeerList, PeerId, PotentialPeerList
from dataplane.mka.paramsets.registry import ParameterSet, UnknownSet, parse_set
from dataplane.mka.paramsets.sakuse import KeyIdentifier, KeyUse, SakUse, Xpn

MI = bytes(range(12))
OTHER = bytes(range(100, 112))

CASES: list[tuple[str, ParameterSet]] = [
    ("01000000", LivePeerList(peers=())),
    ("01020010" + MI.hex() + "00000007", LivePeerList(key_server_ssci=2, peers=(PeerId(MI, 7),))),
    (
        "02000020" + MI.hex() + "00000007" + OTHER.hex() + "ffffffff",
        PotentialPeerList(peers=(PeerId(MI, 7), PeerId(OTHER, 0xFFFFFFFF))),
    ),
    ("03000000", SakUse()),
    ("0300c000", SakUse(plain_transmit=True, plain_receive=True)),
    (
        "03b91028" + MI.hex() + "00000009" + "000000aa" + OTHER.hex() + "00000008" + "000000bb",
        SakUse(
            latest=KeyUse(identifier=KeyIdentifier(MI, 9), an=2, transmits=True, receives=True, lowest_pn=0xAA),
            old=KeyUse(identifier=KeyIdentifier(OTHER, 8), an=2, transmits=False, receives=True, lowest_pn=0xBB),
            delay_protect=True,
        ),
    ),
    ("04400000", DistributedSak(an=1)),
    ("0490001c" + "00000003" + "aa" * 24, DistributedSak(an=2, confidentiality=1, kn=3, wrapped=b"\xaa" * 24)),
    (
        "04e00024" + "00000003" + "0080c20001000003" + "aa" * 24,
        DistributedSak(
            an=3, confidentiality=2, kn=3, cipher_suite=bytes.fromhex("0080c20001000003"), wrapped=b"\xaa" * 24
        ),
    ),
    (
        "04300034" + "00000003" + "0080c20001000004" + "aa" * 40,
        DistributedSak(
            an=0, confidentiality=3, kn=3, cipher_suite=bytes.fromhex("0080c20001000004"), wrapped=b"\xaa" * 40
        ),
    ),
    ("05000019" + "bb" * 25 + "000000", DistributedCak(wrapped_cak_and_ckn=b"\xbb" * 25)),
    ("06000003" + b"kmd".hex() + "00", Kmd(name=b"kmd")),
    ("07000006" + "e00401020304" + "0000", Announcement(octets=bytes.fromhex("e00401020304"))),
    ("083c0008" + "00000001" + "00000002", Xpn(suspension_time=60, latest_high=1, old_high=2)),
    ("c8abf002" + "cdef" + "0000", UnknownSet(header=SetHeader(200, 0xAB, 0xF, 2), body=bytes.fromhex("cdef"))),
]


def parsed(octets: bytes) -> ParameterSet:
    header = SetHeader.parse(octets)
    return parse_set(header, octets[4 : 4 + header.body_octets])


@pytest.mark.parametrize(("octets", "record"), CASES, ids=[type(record).__name__ for _, record in CASES])
def test_parse_and_emit(octets: str, record: ParameterSet) -> None:
    assert parsed(bytes.fromhex(octets)) == record
    assert record.emit().hex() == octets
    assert record.kind == bytes.fromhex(octets)[0]


@pytest.mark.parametrize(("octets", "record"), CASES, ids=[type(record).__name__ for _, record in CASES])
def test_cut_at_every_length(octets: str, record: ParameterSet) -> None:
    whole = bytes.fromhex(octets)
    for length in range(len(whole)):
        with pytest.raises(WireError):
            parsed(whole[:length])


@pytest.mark.parametrize(
    "octets",
    ["0100000f" + "00" * 16, "02000004" + "00" * 4, "03000014" + "00" * 20, "0400001b" + "00" * 28,
     "04000020" + "00" * 32, "05000018" + "00" * 24, "08000004" + "00" * 4],
)  # fmt: skip
def test_bodies_that_no_such_set_has(octets: str) -> None:
    with pytest.raises(WireError):
        parsed(bytes.fromhex(octets))


def test_announcement_tlvs() -> None:
    octets = bytes.fromhex("e00401020304" + "fe00" + "fe02aabb")
    assert list(Announcement(octets=octets).tlvs()) == [Tlv(112, b"\1\2\3\4"), Tlv(127, b""), Tlv(127, b"\xaa\xbb")]
    with pytest.raises(WireError, match="127"):
        list(Announcement(octets=octets[:-1]).tlvs())


@pytest.mark.parametrize("kek_octets", [16, 32])
def test_a_distributed_cak_is_split_by_the_length_of_the_kek(kek_octets: int) -> None:
    wrapped = bytes(kek_octets + 8)
    record = DistributedCak(wrapped_cak_and_ckn=wrapped + b"the ckn")
    assert record.split(kek_octets) == (wrapped, b"the ckn")
    with pytest.raises(WireError):
        DistributedCak(wrapped_cak_and_ckn=wrapped + bytes(33)).split(kek_octets)


BASIC = BasicParameterSet(
    key_server_priority=16,
    key_server=True,
    macsec_desired=True,
    macsec_capability=MacsecCapability.CONFIDENTIALITY_OFFSETS,
    sci=bytes(8),
    mi=MI,
    mn=1,
    ckn=b"odd",
)


def test_the_length_of_a_ckn_that_is_no_multiple_of_four_is_told_without_padding() -> None:
    octets = BASIC.emit()
    assert octets[2:4].hex() == "f01f"
    assert len(octets) == BASIC.length == 36
    assert BasicParameterSet.parse(octets) == BASIC


def test_an_mkpdu_is_cut_at_every_length() -> None:
    whole = Mkpdu(basic=BASIC, sets=tuple(record for _, record in CASES), icv_indicator=True)
    body = whole.emit() + bytes(16)
    assert Mkpdu.parse(body) == whole
    ends = set()
    for length in range(len(body)):
        try:
            ends.add(len(Mkpdu.parse(body[:length]).sets))
        except WireError:
            continue
    assert ends <= set(range(len(CASES) + 1))  # a cut may fall where a shorter MKPDU would end


@pytest.mark.parametrize("tail", ["ff00000c" + "00" * 4, "ff000010" + "00" * 16 + "01000000"])
def test_an_icv_indicator_stands_before_the_icv_alone(tail: str) -> None:
    with pytest.raises(WireError):
        Mkpdu.parse(BASIC.emit() + bytes.fromhex(tail) + bytes(12))


def test_records_hold_what_fits_their_fields() -> None:
    with pytest.raises(LocalError):
        LivePeerList(peers=(PeerId(b"short", 1),))
    with pytest.raises(LocalError):
        KeyUse(an=4)
    with pytest.raises(LocalError):
        SakUse(latest=KeyUse())
    with pytest.raises(LocalError):
        DistributedSak(wrapped=bytes(40))
    with pytest.raises(LocalError):
        DistributedSak(cipher_suite=bytes(8))
    with pytest.raises(LocalError):
        Kmd(name=bytes(4096)).emit()
