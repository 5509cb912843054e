"""Every entry of mka.json, both directions where there are two."""

from __future__ import annotations

import pytest

from dataplane.crypto.cbc import Cbc
from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.keywrap import unwrap, wrap
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError
from dataplane.mka.keys import Cak, kdf, number_sscis, xpn_salt
from dataplane.mka.mkpdu import Mkpdu, seal
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.sakuse import KeyIdentifier
from dataplane.wire.eapol import EapolHeader, EapolType
from dataplane.wire.ethernet import EthernetHeader, EtherType
from tests.vectors.load import Vector, each

FILE = "mka.json"


@each(FILE, "kdf")
def test_kdf(vector: Vector) -> None:
    label = vector.text("label_ascii").encode()
    output = kdf(vector.octets("key"), label, vector.octets("context"), vector.number("length_bits"))
    assert output == vector.octets("output")


@each(FILE, "cak", "ckn")
def test_what_eap_would_derive(vector: Vector) -> None:
    """EAP is not ours; the KDF with EAP's labels is."""
    context = vector.octets("mac1") + vector.octets("mac2")
    if vector.has("eap_sid"):
        context = vector.octets("eap_sid") + context
    label = vector.text("label_ascii").encode()
    output = kdf(vector.octets("msk_first16"), label, context, vector.number("length_bits"))
    assert output == vector.octets("output")


@each(FILE, "kek", "ick")
def test_kek_and_ick(vector: Vector) -> None:
    cak = Cak(cak=Secret(vector.octets("cak")), ckn=vector.octets("ckn"))
    derived = cak.kek if vector.text("kind") == "kek" else cak.ick
    assert derived.reveal() == vector.octets("output")


@each(FILE, "sak")
def test_sak(vector: Vector) -> None:
    cak = Cak(cak=Secret(vector.octets("cak")), ckn=b"any")
    members = vector.fields["mi_list"]
    assert isinstance(members, list)
    sak = cak.derive_sak(
        nonce=vector.octets("ks_nonce"), members=[bytes.fromhex(mi) for mi in members], kn=vector.number("kn")
    )
    assert sak.reveal() == vector.octets("output")


@each(FILE, "keywrap")
def test_key_wrap(vector: Vector) -> None:
    assert wrap(vector.octets("kek"), vector.octets("plain")) == vector.octets("wrapped")
    assert unwrap(vector.octets("kek"), vector.octets("wrapped")) == vector.octets("plain")


@each(FILE, "cmac")
def test_cmac(vector: Vector) -> None:
    assert aes_cmac(vector.octets("key"), vector.octets("data")) == vector.octets("mac")


@each(FILE, "ghash_subkey")
def test_the_block_cipher_under_gcm(vector: Vector) -> None:
    assert Cbc(vector.octets("key")).encrypt(bytes(16), bytes(16)) == vector.octets("output")


@each(FILE, "xpn_salt")
def test_xpn_salt(vector: Vector) -> None:
    identifier = KeyIdentifier(vector.octets("ks_mi"), vector.number("kn"))
    assert xpn_salt(identifier) == vector.octets("output")


@each(FILE, "xpn_ssci")
def test_xpn_ssci(vector: Vector) -> None:
    scis, numbers = vector.fields["scis"], vector.fields["output"]
    assert isinstance(scis, list)
    assert isinstance(numbers, dict)
    assert number_sscis(bytes.fromhex(sci) for sci in scis) == {bytes.fromhex(sci): n for sci, n in numbers.items()}


def body_of(frame: bytes) -> bytes:
    """The MKPDU in a frame that carries one."""
    ethernet = EthernetHeader.parse(frame)
    assert ethernet.ether_type == EtherType.EAPOL
    eapol = EapolHeader.parse(frame[ethernet.length :])
    assert eapol.packet_type == EapolType.MKA
    start = ethernet.length + 4
    return frame[start : start + eapol.body_octets]


@each(FILE, "mkpdu")
def test_mkpdu(vector: Vector) -> None:
    frame = vector.octets("frame")
    cak = Cak(cak=Secret(vector.octets("cak")), ckn=vector.octets("ckn"))
    assert (cak.ick.reveal(), cak.kek.reveal()) == (vector.octets("ick"), vector.octets("kek"))
    assert cak.sealed_frame(frame)
    assert frame[-16:] == vector.octets("icv")
    mkpdu = Mkpdu.parse(body_of(frame))
    assert mkpdu.basic.ckn == cak.ckn
    assert mkpdu.icv_indicator == vector.flag("icv_indicator")
    if vector.has("actor_mn"):
        assert mkpdu.basic.mn == vector.number("actor_mn")
    assert seal(mkpdu, cak.ick.reveal(), frame[6:12], frame[:6]) == frame


@pytest.mark.parametrize("flipped", range(1, 17))
@each(FILE, "mkpdu")
def test_a_flipped_bit_is_noticed(vector: Vector, flipped: int) -> None:
    frame = bytearray(vector.octets("frame"))
    frame[flipped * (len(frame) - 1) // 16] ^= 1 << flipped % 8
    assert not Cak(cak=Secret(vector.octets("cak")), ckn=vector.octets("ckn")).sealed_frame(bytes(frame))


@each(FILE, "mkpdu")
def test_distributed_sak(vector: Vector) -> None:
    mkpdu = Mkpdu.parse(body_of(vector.octets("frame")))
    distributed = mkpdu.find(DistributedSak)
    assert (distributed is not None) == vector.has("sak")
    if distributed is None:
        return
    cak = Cak(cak=Secret(vector.octets("cak")), ckn=vector.octets("ckn"))
    assert distributed.wrapped == vector.octets("wrapped_sak")
    assert cak.unwrap(distributed.wrapped).reveal() == vector.octets("sak")
    assert cak.wrap(Secret(vector.octets("sak"))) == distributed.wrapped
    with pytest.raises(IntegrityError):
        cak.unwrap(bytes(24))
    assert distributed.cipher_suite is None
    assert (distributed.kn, distributed.an) == (vector.number("kn"), vector.number("distributed_an"))
    assert distributed.confidentiality == vector.number("confidentiality_field")
