"""Policies: lifetimes with their jitter, and what no policy may say, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.ike.policy import ChildPolicy, IkePolicy, Lifetime, Mode
from dataplane.ike.suite import IkeSuite
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import Transform, TransformType, encr, integ, ke, prf
from tests.exchange.ike.pair import LEFT_PEER, child_policy, esp_proposal, ike_proposal

GCM, CBC, SHA256 = encr("ENCR_AES_GCM_16", 256), encr("ENCR_AES_CBC", 256), integ("AUTH_HMAC_SHA2_256_128")


def ike(*transforms: Transform) -> Proposal:
    return Proposal(protocol=SecurityProtocol.IKE, transforms=transforms)


def esp(*transforms: Transform) -> Proposal:
    return Proposal(protocol=SecurityProtocol.ESP, transforms=transforms)


PRF, KE, NO_KE = prf("PRF_HMAC_SHA2_256"), ke(19), ke(0)


@pytest.mark.parametrize(("octets", "part"), [(b"\x00\x00", 0.9), (b"\x80\x00", 0.85), (b"\xff\xff", 0.8)])
def test_soft_limits_lie_before_the_hard_ones_by_margin_and_jitter(octets: bytes, part: float) -> None:
    limits = Lifetime(seconds=3600, octets=1_000_000).draw(lambda count: octets)
    assert (limits.hard_seconds, limits.hard_octets) == (3600, 1_000_000)
    assert limits.soft_seconds == pytest.approx(3600 * part, rel=1e-4)
    assert limits.soft_octets == pytest.approx(1_000_000 * part, rel=1e-4)


def test_without_a_limit_in_octets_there_is_none() -> None:
    limits = Lifetime(seconds=10).draw(bytes)
    assert limits.soft_octets is limits.hard_octets is None


WEAK = "DES has a 56-bit key and falls to exhaustion"


@pytest.mark.parametrize(("call", "says"), [
    (lambda: Lifetime(seconds=0), "longer than nothing"),
    (lambda: Lifetime(seconds=1, octets=0), "longer than nothing"),
    (lambda: Lifetime(seconds=1, margin=0.5, jitter=0.5), "leave nothing of a lifetime"),
    (lambda: Lifetime(seconds=1, margin=-0.1), "leave nothing"),
    (lambda: IkePolicy(proposals=()), "at least one proposal"),
    (lambda: IkePolicy(proposals=(esp_proposal(),)), "is not for IKE"),
    (lambda: IkePolicy(proposals=(ike(GCM, PRF),)), "KE missing"),
    (lambda: IkePolicy(proposals=(ike(GCM, KE),)), "PRF missing"),
    (lambda: IkePolicy(proposals=(ike(GCM, PRF, Transform(type=TransformType.KE, id=99)),)), "KE_99 unknown"),
    (lambda: IkePolicy(proposals=(ike(CBC, PRF, KE),)), "ciphers need an integrity check"),
    (lambda: IkePolicy(proposals=(ike(GCM, SHA256, PRF, KE),)), "AEADs must not have one"),
    (lambda: IkePolicy(proposals=(ike(CBC, GCM, SHA256, PRF, KE),)), "ciphers need an integrity check"),
    (lambda: IkePolicy(proposals=(ike(encr("ENCR_NULL"), SHA256, PRF, KE),), allow_insecure=True), "always encrypted"),
    (lambda: IkePolicy(proposals=(ike(GCM, PRF, NO_KE),)), "always has a key exchange"),
    (lambda: IkePolicy(proposals=(ike(encr("ENCR_DES"), SHA256, PRF, KE),)), WEAK),
    (lambda: IkePolicy(proposals=(ike(encr("ENCR_3DES"), SHA256, PRF, KE),)), "3DES has 64-bit blocks"),
    (lambda: IkePolicy(proposals=(ike(GCM, prf("PRF_HMAC_MD5"), KE),)), "allow_insecure would let it"),
    (lambda: ChildPolicy(name="n", proposals=(esp(encr("ENCR_NULL"), SHA256),)), "NULL encrypts nothing"),
    (lambda: ChildPolicy(name="n", proposals=(esp(CBC, integ("AUTH_HMAC_MD5_96")),)), "MD5 is deprecated"),
    (lambda: ChildPolicy(name="n", proposals=(esp_proposal(),), local=()), "child n has no traffic selectors"),
    (lambda: replace(LEFT_PEER, psk=Secret(b"")), "empty shared key"),
    (lambda: replace(LEFT_PEER, remote=None, mode=Mode.INITIATOR), "no address to call"),
    (lambda: replace(LEFT_PEER, children=(child_policy(), child_policy())), "two children of one name"),
    (lambda: replace(LEFT_PEER, fragment_octets=127), "at least 128 octets, not 127"),
    (lambda: IkeSuite.of(esp_proposal()), "is not a choice for IKE"),
    (lambda: IkeSuite.of(ike_proposal(19, 20)), "is not a choice for IKE"),
    (lambda: IkeSuite.of(ike(CBC, PRF, KE)), "is not a choice for IKE"),
])  # fmt: skip
def test_misuse_says_what_would_be_right(call: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        call()


def test_what_is_insecure_is_taken_when_it_was_asked_for() -> None:
    IkePolicy(proposals=(ike(encr("ENCR_3DES"), integ("AUTH_HMAC_MD5_96"), PRF, ke(2)),), allow_insecure=True)
    ChildPolicy(name="n", proposals=(esp(encr("ENCR_NULL"), SHA256),), allow_insecure=True)


def test_what_is_weak_is_taken_and_can_be_told() -> None:
    azure = ike(CBC, integ("AUTH_HMAC_SHA1_96"), prf("PRF_HMAC_SHA1"), ke(2))
    IkePolicy(proposals=(azure,))
    assert [text.split(":")[0] for text in azure.objections] == ["AUTH_HMAC_SHA1_96", "PRF_HMAC_SHA1", "MODP_1024"]


def test_a_suite_in_words() -> None:
    suite = IkeSuite.of(ike(CBC, SHA256, PRF, KE))
    assert str(suite) == "ENCR_AES_CBC_256/AUTH_HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256"
