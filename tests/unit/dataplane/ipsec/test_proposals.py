"""The choice among proposals, as responder and as the initiator who checks the answer."""

from __future__ import annotations

import pytest

from dataplane.ipsec.proposals import Proposal, SecurityProtocol, choose, is_choice
from dataplane.ipsec.transforms import ESN, NO_ESN, Transform, TransformType, encr, integ, ke, prf

AES128, AES256 = encr("ENCR_AES_CBC", 128), encr("ENCR_AES_CBC", 256)
GCM128, GCM256 = encr("ENCR_AES_GCM_16", 128), encr("ENCR_AES_GCM_16", 256)
SHA1, SHA256, NONE = integ("AUTH_HMAC_SHA1_96"), integ("AUTH_HMAC_SHA2_256_128"), integ("NONE")
UNKNOWN = Transform(type=TransformType.ENCR, id=99, key_bits=128)


def esp(*transforms: Transform, number: int = 1, spi: str = "c0000001", unknown: bool = False) -> Proposal:
    return Proposal(
        protocol=SecurityProtocol.ESP,
        transforms=transforms,
        number=number,
        spi=bytes.fromhex(spi),
        has_unknown=unknown,
    )


@pytest.mark.parametrize(
    ("offers", "acceptable", "expected"),
    [
        ([esp(AES256, SHA256, NO_ESN)], [esp(AES256, SHA256, NO_ESN)], esp(AES256, SHA256, NO_ESN)),
        # The responder's order decides, over proposals and inside one.
        ([esp(AES128, AES256, SHA256)], [esp(AES256, AES128, SHA256)], esp(AES256, SHA256)),
        (
            [esp(GCM128, NO_ESN), esp(AES256, SHA256, NO_ESN, number=2, spi="c0000002")],
            [esp(AES256, SHA256, NO_ESN), esp(GCM128, NO_ESN)],
            esp(AES256, SHA256, NO_ESN, number=2, spi="c0000002"),
        ),
        # What is not known is passed over; a type that is not known spoils its proposal (RFC 7296 3.3.6).
        ([esp(UNKNOWN, AES256, SHA256)], [esp(UNKNOWN, AES256, SHA256)], None),
        ([esp(UNKNOWN, AES256, SHA256)], [esp(AES256, SHA256)], esp(AES256, SHA256)),
        ([esp(AES256, SHA256, unknown=True), esp(AES256, SHA256, number=2)], [esp(AES256, SHA256)],
         esp(AES256, SHA256, number=2)),
        # An absent type and its NONE say the same.
        ([esp(GCM256, NONE)], [esp(GCM256)], esp(GCM256, NONE)),
        ([esp(GCM256)], [esp(GCM256, NONE)], esp(GCM256)),
        ([esp(AES256, SHA256)], [esp(AES256, SHA256, NO_ESN)], esp(AES256, SHA256)),
        ([esp(GCM256, SHA256)], [esp(GCM256)], None),
        ([esp(AES256, SHA256)], [esp(AES256, SHA256, ke(2))], None),
        ([esp(AES256, SHA256, ke(0), ke(2))], [esp(AES256, SHA256)], esp(AES256, SHA256, ke(0))),
        ([esp(AES256, SHA256, ke(14), ke(2))], [esp(AES256, SHA256, ke(2))], esp(AES256, SHA256, ke(2))),
        # Nothing in common.
        ([esp(AES256, SHA1)], [esp(AES256, SHA256)], None),
        ([esp(AES256, SHA256, ESN)], [esp(AES256, SHA256, NO_ESN)], None),
        ([esp(AES256, SHA256, ESN)], [esp(AES256, SHA256)], None),
        ([], [esp(AES256, SHA256)], None),
        ([esp(AES256, SHA256)], [], None),
    ],
)  # fmt: skip
def test_the_responders_choice(offers: list[Proposal], acceptable: list[Proposal], expected: Proposal | None) -> None:
    chosen = choose(offers, acceptable)
    assert chosen == expected
    assert chosen is None or is_choice(chosen, offers)


def test_protocols_do_not_mix() -> None:
    ike = Proposal(protocol=SecurityProtocol.IKE, transforms=(AES256, prf("PRF_HMAC_SHA2_256"), SHA256, ke(2)))
    assert choose([ike], [esp(AES256, SHA256)]) is None
    assert choose([ike], [ike]) == ike


OFFERS = [esp(AES256, AES128, SHA256, SHA1, NO_ESN), esp(GCM256, NO_ESN, number=2)]


@pytest.mark.parametrize(
    ("answer", "fine"),
    [
        (esp(AES128, SHA1, NO_ESN, spi="d0000001"), True),
        (esp(NO_ESN, SHA1, AES128), True),
        (esp(GCM256, NO_ESN, number=2), True),
        (esp(GCM256, NONE, NO_ESN, number=2), True),
        (esp(GCM256, NO_ESN, number=1), False),
        (esp(AES256, SHA256, NO_ESN, number=3), False),
        (esp(AES256, AES128, SHA256, NO_ESN), False),
        (esp(AES256, NO_ESN), False),
        (esp(AES256, SHA256, ESN), False),
        (esp(AES256, SHA256, ke(2), NO_ESN), False),
    ],
)
def test_the_initiator_checks_the_answer(answer: Proposal, fine: bool) -> None:
    assert is_choice(answer, OFFERS) is fine


def test_what_a_proposal_tells() -> None:
    proposal = esp(AES256, SHA1, ke(2), NO_ESN)
    assert str(proposal) == "ESP:ENCR_AES_CBC_256/AUTH_HMAC_SHA1_96/MODP_1024/NO_ESN"
    assert [text.partition(":")[0] for text in proposal.objections] == ["AUTH_HMAC_SHA1_96", "MODP_1024"]
    assert not proposal.is_insecure
    assert esp(encr("ENCR_NULL"), SHA256).is_insecure
    assert proposal.without(TransformType.KE) == esp(AES256, SHA1, NO_ESN)
