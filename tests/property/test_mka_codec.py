"""MKPDUs of any content: what is emitted is parsed as the same, is sealed, and no other octets pass the seal."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.crypto.secret import Secret
from dataplane.mka.keys import Cak, number_sscis, xpn_salt
from dataplane.mka.mkpdu import ICV_OCTETS, Mkpdu, seal
from dataplane.mka.paramsets.announced import Announcement, Kmd
from dataplane.mka.paramsets.basic import BasicParameterSet, MacsecCapability
from dataplane.mka.paramsets.distributed import DistributedCak, DistributedSak
from dataplane.mka.paramsets.header import SetHeader
from dataplane.mka.paramsets.peerlists import LivePeerList, PeerId, PotentialPeerList
from dataplane.mka.paramsets.registry import ParameterSet, UnknownSet
from dataplane.mka.paramsets.sakuse import KeyIdentifier, KeyUse, SakUse, Xpn

octet = st.integers(0, 255)
word = st.integers(0, (1 << 32) - 1)
mi = st.binary(min_size=12, max_size=12)
flag = st.booleans()
peers = st.lists(st.builds(PeerId, mi, word), max_size=5).map(tuple)
key_use = st.builds(
    KeyUse,
    identifier=st.builds(KeyIdentifier, mi, word),
    an=st.integers(0, 3),
    transmits=flag,
    receives=flag,
    lowest_pn=word,
)
basic = st.builds(
    BasicParameterSet,
    version=octet,
    key_server_priority=octet,
    key_server=flag,
    macsec_desired=flag,
    macsec_capability=st.sampled_from(MacsecCapability),
    sci=st.binary(min_size=8, max_size=8),
    mi=mi,
    mn=word,
    ckn=st.binary(min_size=1, max_size=32),
)


def opaque(kind: int, second: int, nibble: int, body: bytes) -> UnknownSet:
    return UnknownSet(header=SetHeader(kind, second, nibble, len(body)), body=body)


parameter_set: st.SearchStrategy[ParameterSet] = st.one_of(
    st.builds(LivePeerList, key_server_ssci=octet, peers=peers),
    st.builds(PotentialPeerList, peers=peers),
    st.builds(SakUse, latest=key_use, old=key_use, plain_transmit=flag, plain_receive=flag, delay_protect=flag),
    st.builds(
        DistributedSak,
        an=st.integers(0, 3),
        confidentiality=st.integers(0, 3),
        kn=word,
        cipher_suite=st.binary(min_size=8, max_size=8),
        wrapped=st.sampled_from([24, 40]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    ),
    st.builds(DistributedCak, wrapped_cak_and_ckn=st.binary(min_size=25, max_size=72)),
    st.builds(Kmd, name=st.binary(max_size=50)),
    st.builds(Announcement, octets=st.binary(max_size=50)),
    st.builds(Xpn, suspension_time=octet, latest_high=word, old_high=word),
    st.builds(opaque, st.integers(9, 254), octet, st.integers(0, 15), st.binary(max_size=30)),
)
mkpdus = st.builds(Mkpdu, basic=basic, sets=st.lists(parameter_set, max_size=6).map(tuple), icv_indicator=flag)


@settings(max_examples=200)
@given(mkpdu=mkpdus)
def test_what_is_emitted_is_parsed_as_the_same(mkpdu: Mkpdu) -> None:
    body = mkpdu.emit()
    assert len(body) % 4 == 0
    assert Mkpdu.parse(body + bytes(ICV_OCTETS)) == mkpdu


@settings(max_examples=100)
@given(mkpdu=mkpdus, octets=st.sampled_from([16, 32]), data=st.data())
def test_a_sealed_frame_tolerates_no_change(mkpdu: Mkpdu, octets: int, data: st.DataObject) -> None:
    cak = Cak(cak=Secret(bytes(range(octets))), ckn=mkpdu.basic.ckn)
    frame = seal(mkpdu, cak.ick.reveal(), mkpdu.basic.sci[:6])
    assert cak.sealed_frame(frame)
    changed = bytearray(frame)
    changed[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    assert not cak.sealed_frame(bytes(changed))


@given(identifier=st.builds(KeyIdentifier, mi, word))
def test_xpn_salt_octet_by_octet(identifier: KeyIdentifier) -> None:
    kn = identifier.kn.to_bytes(4, "big")
    mixed = kn[2:] + kn[:2] + bytes(8)  # the low half first
    assert xpn_salt(identifier) == bytes(a ^ b for a, b in zip(identifier.mi, mixed, strict=True))


@given(scis=st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=8, unique=True))
def test_sscis_count_down_the_scis(scis: list[bytes]) -> None:
    numbers = number_sscis(scis)
    assert sorted(numbers.values()) == list(range(1, len(scis) + 1))
    assert all((numbers[a] < numbers[b]) == (a > b) for a in scis for b in scis if a != b)
