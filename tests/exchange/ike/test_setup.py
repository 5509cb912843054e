"""Setting up, from nothing to the first child; IKE_SA_INIT, its retries and refusals (RFC 7296 1.2, 2.6, 2.21.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.errors import LocalError
from dataplane.ike.events import (
    Cause,
    ChildSaEstablished,
    ChildSaFailed,
    IkeKeysDerived,
    IkeSaEstablished,
    IkeSaFailed,
    PeerHint,
)
from dataplane.ike.front_door import Thresholds
from dataplane.ike.machine import IkeState
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.policy import IkePolicy, Mode
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import ESN, NO_ESN, Transform, TransformType, encr, integ, ke, prf
from tests.exchange.ike.pair import (
    LEFT_PEER,
    Node,
    Pair,
    child_policy,
    esp_proposal,
    ike_proposal,
    mirrored,
    shorten,
    summary,
)

INIT = "IKE_SA_INIT { SA, KE, Ni }"
AUTH = "IKE_AUTH { IDi, N(INITIAL_CONTACT), IDr, AUTH, SA, TSi, TSr }"
AUTHENTICATED = "IKE_AUTH { IDr, AUTH, SA, TSi, TSr }"
EMPTY = "INFORMATIONAL { }"
FAILED = "IKE_AUTH { N(AUTHENTICATION_FAILED) }"


def connect(pair: Pair) -> None:
    """Both messages of IKE_SA_INIT."""
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")


def test_regular() -> None:
    pair = Pair()
    a, b = pair.a, pair.b
    a.initiate()
    assert a.ike_states() == [IkeState.CONNECTING]
    request = pair.flow("--> IKE_SA_INIT ...")
    assert shorten(summary(request)) == INIT
    assert b.ike_states() == [IkeState.HALF_OPEN]
    pair.flow("<-- IKE_SA_INIT ...")
    assert a.ike_states() == [IkeState.AUTHENTICATING]
    auth = pair.flow(f"--> {AUTH}")
    for proposal in auth.one(SecurityAssociation).proposals:
        assert not proposal.of(TransformType.KE)  # PFS comes with CREATE_CHILD_SA
    pair.flow(f"<-- {AUTHENTICATED}")
    for node in (a, b):
        assert node.ike_states() == [IkeState.ESTABLISHED]
        assert [type(event) for event in node.events] == [IkeKeysDerived, IkeSaEstablished, ChildSaEstablished]
        assert node.sending_spi() == node.child.spi_out
    up_a, up_b = a.last(IkeSaEstablished), b.last(IkeSaEstablished)
    assert (up_a.is_initiator, up_b.is_initiator) == (True, False)
    assert up_a.ike == up_b.ike
    assert (up_a.local, up_a.remote) == (up_b.remote, up_b.local)
    assert (up_a.local_id, up_a.remote_id) == (up_b.remote_id, up_b.local_id)
    made_a, made_b = a.last(ChildSaEstablished), b.last(ChildSaEstablished)
    assert (made_a.spi_in, made_a.spi_out) == (made_b.spi_out, made_b.spi_in)
    assert (made_a.keys_in, made_a.keys_out) == (made_b.keys_out, made_b.keys_in)
    assert (made_a.local_selectors, made_a.remote_selectors) == (made_b.remote_selectors, made_b.local_selectors)
    assert not made_a.encapsulated
    assert made_a.ke is None
    assert pair.silent()


@pytest.mark.parametrize("swap", [False, True])
def test_either_side_begins(swap: bool) -> None:
    pair = Pair.established(swap=swap)
    assert pair.a.ike.is_initiator is not swap


IDENTITIES = [
    Identity.fqdn("gateway.example.com"),
    Identity.key_id(b"\0\x01\xff"),
    Identity.email("gateway@example.com"),
    Identity.address("2001:db8::1"),
]


@pytest.mark.parametrize("identity", IDENTITIES, ids=str)
def test_identities(identity: Identity) -> None:
    left = replace(LEFT_PEER, local_id=identity)
    pair = Pair.established(left)
    assert pair.b.last(IkeSaEstablished).remote_id == identity
    assert pair.a.last(IkeSaEstablished).local_id == identity


def test_any_identity_and_any_address() -> None:
    right = replace(mirrored(LEFT_PEER), remote_id=None, remote=None)
    pair = Pair.established(LEFT_PEER, right)
    assert pair.b.last(IkeSaEstablished).remote_id == LEFT_PEER.local_id
    with pytest.raises(LocalError):
        Node("b", right, 1).initiate()


def test_cipher_suites() -> None:
    for cipher in (encr("ENCR_AES_CBC", 128), encr("ENCR_AES_CBC", 192), encr("ENCR_AES_GCM_16", 128),
                   encr("ENCR_CHACHA20_POLY1305")):  # fmt: skip
        left = replace(
            LEFT_PEER,
            ike=IkePolicy(proposals=(ike_proposal(31, cipher=cipher),)),
            children=(replace(child_policy(), proposals=(esp_proposal(14, cipher=cipher),)),),
        )
        pair = Pair.established(left)
        pair.a.rekey_child()
        pair.run()
        pair.b.rekey_ike()
        pair.run()
        assert pair.a.child.keys_in == pair.b.child.keys_out
        assert pair.a.child.ke is not None
        assert pair.a.child.suite.encryption == cipher


@pytest.mark.parametrize("group", [2, 5, 14, 15, 16, 19, 20, 21, 24, 31])
def test_groups(group: int) -> None:
    """In IKE_SA_INIT, and with PFS in rekeys of both kinds."""
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(group),)), children=(child_policy(group),))
    pair = Pair.established(left)
    pair.a.rekey_child()
    pair.run()
    pair.b.rekey_ike()
    pair.run()
    pair.b.rekey_child()
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.child.ke == ke(group)
    assert pair.a.ike.suite is not None
    assert pair.a.ike.suite.ke == ke(group)


CHECKS = [
    ("AUTH_HMAC_SHA1_96", "PRF_HMAC_SHA1"),
    ("AUTH_HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256"),
    ("AUTH_HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384"),
    ("AUTH_HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512"),
    ("AUTH_HMAC_SHA2_256_128", "PRF_AES128_CMAC"),
]


@pytest.mark.parametrize(("check", "prf_name"), CHECKS)
@pytest.mark.parametrize("numbers", [NO_ESN, ESN], ids=str)
def test_integrity_checks_and_prfs(check: str, prf_name: str, numbers: Transform) -> None:
    cbc = encr("ENCR_AES_CBC", 256)
    ike = Proposal(protocol=SecurityProtocol.IKE, transforms=(cbc, integ(check), prf(prf_name), ke(19)))
    esp = Proposal(protocol=SecurityProtocol.ESP, transforms=(cbc, integ(check), ke(19), numbers))
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike,)), children=(replace(child_policy(), proposals=(esp,)),))
    pair = Pair.established(left)
    for wish in (pair.a.rekey_child, pair.b.rekey_ike, pair.b.rekey_child):
        wish()
        pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.child.suite.integrity == integ(check)
    assert pair.a.child.suite.esn is (numbers is ESN)


def test_what_is_weak_works_and_is_told() -> None:
    """Azure's AES256/SHA256/DHGroup2/PFS2."""
    cbc, sha256 = encr("ENCR_AES_CBC", 256), integ("AUTH_HMAC_SHA2_256_128")
    ike = Proposal(protocol=SecurityProtocol.IKE, transforms=(cbc, sha256, prf("PRF_HMAC_SHA2_256"), ke(2)))
    esp = Proposal(protocol=SecurityProtocol.ESP, transforms=(cbc, sha256, ke(2), NO_ESN))
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike,)), children=(replace(child_policy(), proposals=(esp,)),))
    pair = Pair.established(left)
    pair.a.rekey_child()
    pair.run()
    why = "MODP_1024: a 1024-bit group is within reach of a state (RFC 8247 2.4)"
    for node in (pair.a, pair.b):
        assert node.last(IkeSaEstablished).objections == (why,)
        assert [event.objections for event in node.told(ChildSaEstablished)] == [(), (why,)]  # PFS with the rekey


def test_extended_sequence_numbers_must_be_wanted_by_both() -> None:
    with_esn = replace(esp_proposal(19), transforms=(*esp_proposal(19).transforms[:-1], ESN))
    right = mirrored(replace(LEFT_PEER, children=(replace(child_policy(), proposals=(with_esn,)),)))
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    pair.flow("<-- IKE_AUTH { IDr, AUTH, N(NO_PROPOSAL_CHOSEN) }")
    assert "ESN" in pair.b.last(ChildSaFailed).detail


# ---- IKE_SA_INIT ----


def test_cookie() -> None:
    pair = Pair(thresholds=Thresholds(cookies=0))
    pair.a.initiate()
    first = pair.flow("--> IKE_SA_INIT ...")
    assert not pair.b.sas
    cookie = pair.flow("<-- IKE_SA_INIT { N(COOKIE) }").notify(NotifyType.COOKIE)
    assert cookie is not None
    again = pair.flow("--> IKE_SA_INIT { N(COOKIE) ...")
    assert again.payloads[0] == cookie  # first, as it came
    assert again.payloads[1:] == first.payloads
    assert (again.message_id, again.spi_i) == (0, first.spi_i)
    pair.run()  # AUTH covers the second request
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert not pair.b.told(PeerHint)


@pytest.mark.parametrize(("address", "age", "welcome"), [
    ("203.0.113.1", 59.0, True),
    ("203.0.113.1", 119.0, True),  # of the secret before this one
    ("203.0.113.1", 181.0, False),
    ("203.0.113.99", 0.0, False),
])  # fmt: skip
def test_whose_cookie_is_good_and_for_how_long(address: str, age: float, welcome: bool) -> None:
    right = replace(mirrored(LEFT_PEER), remote=None)
    pair = Pair(LEFT_PEER, right, thresholds=Thresholds(cookies=0))
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT { N(COOKIE) }")
    request = pair.hold("--> IKE_SA_INIT { N(COOKIE) ...")
    pair.b.now = age
    pair.b.receive(request._replace(source=request.source._replace(address=address)))
    assert len(pair.b.sas) == welcome


def test_group_that_the_responder_does_not_want() -> None:
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20),))))
    pair = Pair(left, right)
    pair.a.initiate()
    first = pair.flow("--> IKE_SA_INIT ...")
    refusal = pair.flow("<-- IKE_SA_INIT { N(INVALID_KE_PAYLOAD) }").notify(NotifyType.INVALID_KE_PAYLOAD)
    assert refusal is not None
    assert refusal.data == b"\0\x14"
    assert not pair.b.sas
    again = pair.flow("--> IKE_SA_INIT ...")
    assert (again.message_id, again.spi_i) == (0, first.spi_i)
    assert again.one(NoncePayload) == first.one(NoncePayload)
    assert again.one(KeyExchangePayload).group == 20
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_cookie_and_group() -> None:
    """RFC 7296 2.6.1: the second try brings the cookie as well."""
    left = replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(19, 20),)))
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20),))))
    pair = Pair(left, right, thresholds=Thresholds(cookies=0))
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT { N(COOKIE) }")
    pair.flow("--> IKE_SA_INIT { N(COOKIE) ...")
    pair.flow("<-- IKE_SA_INIT { N(INVALID_KE_PAYLOAD) }")
    pair.flow("--> IKE_SA_INIT { N(COOKIE) ...")
    pair.flow("<-- IKE_SA_INIT { SA ...")
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_group_that_was_not_offered_is_a_hint() -> None:
    pair = Pair()
    pair.a.initiate()
    held = pair.hold("--> IKE_SA_INIT ...")
    other = Node("b", mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20),)))), 1)
    other.receive(held)
    refusal = other.outbox.popleft()
    pair.a.receive(refusal)  # NO_PROPOSAL_CHOSEN, from somebody
    assert pair.a.last(PeerHint).cause is Cause.NO_PROPOSAL_CHOSEN
    pair.flow("--> IKE_SA_INIT ...", held)  # the true peer is only slower
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_no_common_ike_proposal() -> None:
    right = mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20),))))
    pair = Pair(LEFT_PEER, right)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    assert pair.b.last(PeerHint).cause is Cause.NO_PROPOSAL_CHOSEN
    assert "ECP_256" in pair.b.last(PeerHint).detail
    pair.flow("<-- IKE_SA_INIT { N(NO_PROPOSAL_CHOSEN) }")
    assert pair.a.last(PeerHint).cause is Cause.NO_PROPOSAL_CHOSEN
    pair.wait(6)
    failed = pair.a.last(IkeSaFailed)
    assert failed.cause is Cause.NO_PROPOSAL_CHOSEN
    assert failed.begun_here
    assert not pair.a.sas + pair.b.sas


def test_nobody_is_expected_there() -> None:
    right = replace(mirrored(LEFT_PEER), remote="203.0.113.77")
    pair = Pair(LEFT_PEER, right)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT { N(NO_PROPOSAL_CHOSEN) }")
    assert not pair.b.events
    assert pair.b.engine.discarded == {"nobody is expected there": 1}


def test_nobody_answers() -> None:
    pair = Pair()
    pair.a.initiate()
    pair.wait(400)
    assert pair.a.last(IkeSaFailed).cause is Cause.PEER_DEAD
    assert len(pair.a.outbox) == 13
    assert len(set(pair.a.outbox)) == 1  # every time the very same octets
    assert pair.a.engine.next_timeout() is None


def test_mode() -> None:
    with pytest.raises(LocalError):
        Node("a", replace(LEFT_PEER, mode=Mode.RESPONDER), 1).initiate()
    right = replace(mirrored(LEFT_PEER), mode=Mode.INITIATOR)
    pair = Pair(LEFT_PEER, right)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT { N(NO_PROPOSAL_CHOSEN) }")
    pair.b.initiate()
    pair.flow("<-- IKE_SA_INIT ...")
    assert len([sa for sa in pair.a.sas if not sa.is_initiator]) == 1
