"""Transforms: IANA's numbers and names, key lengths, and what is weak or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataplane.crypto.hmac import HmacKey
from dataplane.crypto.keyexchange import GROUPS
from dataplane.crypto.prf import PRF_NAMES
from dataplane.errors import LocalError
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import (
    ENCRYPTION,
    ESN,
    INTEGRITY,
    KE,
    NO_ESN,
    PRF,
    Strength,
    Transform,
    TransformType,
    encr,
    encryption,
    integ,
    integrity,
    ke,
    prf,
)

AES256, SHA256 = encr("ENCR_AES_CBC", 256), integ("AUTH_HMAC_SHA2_256_128")
GCM256, CHACHA = encr("ENCR_AES_GCM_16", 256), encr("ENCR_CHACHA20_POLY1305")


def test_everything_in_the_tables_can_be_done() -> None:
    assert set(PRF.values()) == set(PRF_NAMES)
    assert set(KE) - {0} == set(GROUPS)
    for about in INTEGRITY.values():
        key = HmacKey(about.hash_name, bytes(about.key_octets))
        assert about.icv_octets <= key.digest_octets == about.key_octets


def test_names_and_numbers() -> None:
    assert (str(AES256), AES256.name, AES256.id) == ("ENCR_AES_CBC_256", "ENCR_AES_CBC", 12)
    assert str(CHACHA) == "ENCR_CHACHA20_POLY1305"
    assert str(Transform(type=TransformType.ENCR, id=23, key_bits=192)) == "ENCR_23_192"
    assert str(ke(2)) == "MODP_1024"
    assert [str(NO_ESN), str(ESN)] == ["NO_ESN", "ESN"]
    assert prf("PRF_HMAC_SHA2_384").id == 6


@pytest.mark.parametrize(
    ("transform", "known"),
    [
        (AES256, True),
        (CHACHA, True),
        (ESN, True),
        (Transform(type=TransformType.ENCR, id=12), False),
        (Transform(type=TransformType.ENCR, id=12, key_bits=100), False),
        (Transform(type=TransformType.ENCR, id=28, key_bits=256), False),
        (Transform(type=TransformType.ENCR, id=13, key_bits=128), False),
        (Transform(type=TransformType.INTEG, id=12, key_bits=256), False),
        (Transform(type=TransformType.KE, id=1), False),
    ],
)
def test_what_is_known(transform: Transform, known: bool) -> None:
    assert transform.is_known is known


@pytest.mark.parametrize(
    ("transform", "strength", "says"),
    [
        (AES256, Strength.GOOD, ""),
        (ke(14), Strength.GOOD, ""),
        (ke(2), Strength.WEAK, "1024-bit"),
        (ke(24), Strength.WEAK, "no known origin"),
        (integ("AUTH_HMAC_SHA1_96"), Strength.WEAK, "SHA-1"),
        (encr("ENCR_3DES"), Strength.INSECURE, "64-bit blocks"),
        (encr("ENCR_DES"), Strength.INSECURE, "56-bit key"),
        (encr("ENCR_NULL"), Strength.INSECURE, "encrypts nothing"),
        (prf("PRF_HMAC_MD5"), Strength.INSECURE, "MD5"),
    ],
)
def test_how_good_each_is(transform: Transform, strength: Strength, says: str) -> None:
    assert transform.strength is strength
    assert says in transform.objection


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: encr("ENCR_AES_CBC"), "ENCR_AES_CBC takes a key length of 128 or 192 or 256 bits"),
        (lambda: encr("ENCR_CHACHA20_POLY1305", 256), "takes no key length"),
        (lambda: encr("ENCR_AES_CTR", 128), "no ENCR transform ENCR_AES_CTR; there are ENCR_DES"),
        (lambda: integ("SHA256"), "no INTEG transform SHA256"),
        (lambda: ke(1), "no key exchange group 1"),
        (lambda: encryption(SHA256), "no encryption that can be done"),
        (lambda: integrity(integ("NONE")), "no integrity check that can be done"),
    ],
)
def test_misuse_says_what_would_be_right(call: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        call()


@pytest.mark.parametrize(
    ("suite", "octets"),
    [
        (EspSuite(encryption=AES256, integrity=SHA256), (32, 32)),
        (EspSuite(encryption=encr("ENCR_AES_CBC", 128), integrity=integ("AUTH_HMAC_SHA1_96")), (16, 20)),
        (EspSuite(encryption=encr("ENCR_3DES"), integrity=integ("AUTH_HMAC_SHA2_512_256")), (24, 64)),
        (EspSuite(encryption=encr("ENCR_NULL"), integrity=integ("AUTH_HMAC_SHA2_384_192")), (0, 48)),
        (EspSuite(encryption=GCM256), (36, 0)),
        (EspSuite(encryption=encr("ENCR_AES_GCM_16", 192)), (28, 0)),
        (EspSuite(encryption=CHACHA, esn=True), (36, 0)),
    ],
    ids=str,
)
def test_keys_come_out_of_keymat_encryption_first(suite: EspSuite, octets: tuple[int, int]) -> None:
    keymat = bytes(range(suite.keymat_octets))
    keys = suite.keys(keymat)
    assert (len(keys.encryption), len(keys.integrity)) == octets
    assert keys.encryption.reveal() + keys.integrity.reveal() == keymat
    assert keymat.hex() not in repr(keys)
    with pytest.raises(LocalError, match=f"takes {len(keymat)} octets"):
        suite.keys(keymat + b"x")


def test_a_suite_is_whole() -> None:
    with pytest.raises(LocalError, match="checks integrity itself"):
        EspSuite(encryption=GCM256, integrity=SHA256)
    with pytest.raises(LocalError, match="needs an integrity check"):
        EspSuite(encryption=AES256)
    with pytest.raises(LocalError, match="no integrity check that can be done"):
        EspSuite(encryption=AES256, integrity=integ("NONE"))
    weak = EspSuite(encryption=encr("ENCR_3DES"), integrity=integ("AUTH_HMAC_SHA1_96"))
    assert [text.partition(":")[0] for text in weak.objections] == ["ENCR_3DES", "AUTH_HMAC_SHA1_96"]
    assert EspSuite(encryption=GCM256).objections == ()


def test_a_suite_of_a_chosen_proposal() -> None:
    def chosen(*transforms: Transform, protocol: SecurityProtocol = SecurityProtocol.ESP) -> Proposal:
        return Proposal(protocol=protocol, transforms=transforms)

    assert EspSuite.of(chosen(AES256, SHA256, ke(2), NO_ESN)) == EspSuite(encryption=AES256, integrity=SHA256)
    assert EspSuite.of(chosen(GCM256, integ("NONE"), ESN)) == EspSuite(encryption=GCM256, esn=True)
    assert str(EspSuite.of(chosen(AES256, SHA256, ESN))) == "ENCR_AES_CBC_256/AUTH_HMAC_SHA2_256_128/ESN"
    for bad in (chosen(SHA256), chosen(AES256, GCM256, SHA256), chosen(GCM256, protocol=SecurityProtocol.IKE)):
        with pytest.raises(LocalError, match="is not a choice for ESP"):
            EspSuite.of(bad)


def test_alignment_covers_the_block() -> None:
    for about in ENCRYPTION.values():
        assert about.alignment % 4 == 0
        assert about.block_cipher is None or about.iv_octets == about.alignment
