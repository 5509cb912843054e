"""SKEYSEED, the keys of an IKE SA, of its rekeyed successor and of its children, against published vectors."""

from __future__ import annotations

from dataplane.crypto.prf import Prf
from dataplane.crypto.secret import Secret
from dataplane.ike.keymat import Freshness, rekeyed_skeyseed, skeyseed
from tests.vectors.load import Vector, each

PRFS = {"HMAC-SHA1": "PRF_HMAC_SHA1", "sha1": "PRF_HMAC_SHA1"} | {
    f"sha{bits}": f"PRF_HMAC_SHA2_{bits}" for bits in (256, 384, 512)
}


@each("ike_esp.json", "ikev2_skeyseed")
def test_skeyseed(vector: Vector) -> None:
    nonces = vector.octets("Ni_Nr")
    fresh = Freshness(ni=nonces[: len(nonces) // 2], nr=nonces[len(nonces) // 2 :])
    seed = skeyseed(Prf(PRFS[vector.text("prf")]), fresh, vector.octets("g_ir"))
    assert seed == vector.octets("SKEYSEED")


@each("ike_esp.json", "ikev2_kdf_full")
def test_whole_key_hierarchy(vector: Vector) -> None:
    prf = Prf(PRFS[vector.text("prf")])
    fresh = Freshness(
        ni=vector.octets("Ni"), nr=vector.octets("Nr"), spi_i=vector.octets("SPIi"), spi_r=vector.octets("SPIr")
    )
    seed = skeyseed(prf, fresh, vector.octets("g_ir"))
    assert seed == vector.octets("SKEYSEED")
    material = prf.plus(seed, fresh.ni + fresh.nr + fresh.spi_i + fresh.spi_r, len(vector.octets("DKM")))
    assert material == vector.octets("DKM")
    sk_d = Secret(material[: vector.number("SK_d_length")])
    assert rekeyed_skeyseed(prf, sk_d, fresh, vector.octets("g_ir_new")) == vector.octets("SKEYSEED_rekey")
    for shared, expected in ((b"", "DKM_child"), (vector.octets("g_ir_new"), "DKM_child_dh")):
        keymat = prf.plus(sk_d.reveal(), shared + fresh.ni + fresh.nr, len(vector.octets(expected)))
        assert keymat == vector.octets(expected)
