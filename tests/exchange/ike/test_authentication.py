"""IKE_AUTH: who is who, with which key, and what a refusal tells (RFC 7296 1.2, 2.15, 2.21.2)."""

from __future__ import annotations

from dataclasses import replace

from dataplane.crypto.secret import Secret
from dataplane.ike.engine import IkeEngine
from dataplane.ike.events import (
    Cause,
    ChildSaEstablished,
    IkeKeysDerived,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaFailed,
)
from dataplane.ike.payloads.identification import Identity
from tests.exchange.ike.pair import (
    LEFT_PEER,
    Node,
    Pair,
    mirrored,
)
from tests.exchange.ike.test_setup import AUTH, AUTHENTICATED, EMPTY, FAILED, connect


def test_shared_keys_differ() -> None:
    right = replace(mirrored(LEFT_PEER), psk=Secret(b"another shared key"))
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    assert not pair.b.sas
    pair.flow(f"<-- {FAILED}")
    assert not pair.a.sas
    for node, here in ((pair.a, True), (pair.b, False)):
        failed = node.last(IkeSaFailed)
        assert failed.cause is Cause.AUTHENTICATION_FAILED
        assert failed.begun_here is here
        assert node.told(IkeKeysDerived)  # so that whoever reads the capture can see why
        assert not node.told(IkeSaEstablished)


def test_repeated_refusal_is_the_same() -> None:
    right = replace(mirrored(LEFT_PEER), psk=Secret(b"another shared key"))
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    auth = pair.hold(f"--> {AUTH}")
    pair.b.receive(auth)
    refusal = pair.b.outbox.popleft()
    pair.b.receive(auth)
    assert pair.b.outbox.popleft() == refusal


def test_initiator_is_unknown() -> None:
    right = replace(mirrored(LEFT_PEER), remote_id=Identity.fqdn("somebody.else"))
    pair = Pair(LEFT_PEER, right)
    connect(pair)
    pair.flow(f"--> {AUTH}")
    pair.flow(f"<-- {FAILED}")
    assert pair.b.last(IkeSaFailed).cause is Cause.UNKNOWN_IDENTITY
    assert "203.0.113.1" in pair.b.last(IkeSaFailed).detail


def test_responder_is_somebody_else() -> None:
    """The initiator says so in an exchange of its own (RFC 7296 2.21.2)."""
    left = replace(LEFT_PEER, remote_id=None)
    right = mirrored(LEFT_PEER)
    pair = Pair(left, right)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    pair.flow("--> IKE_AUTH ...")
    pair.a.sas[0].remote_id = Identity.fqdn("gateway.example.com")
    pair.flow(f"<-- {AUTHENTICATED}")
    pair.flow("--> INFORMATIONAL { N(AUTHENTICATION_FAILED) }")
    pair.flow(f"<-- {EMPTY}")
    assert pair.a.last(IkeSaFailed).cause is Cause.UNKNOWN_IDENTITY
    assert pair.b.last(IkeSaDeleted).cause is Cause.AUTHENTICATION_FAILED
    assert not pair.a.sas + pair.b.sas
    assert not pair.a.told(ChildSaEstablished)
    assert not pair.b.living_spis()


def test_two_peers_at_one_address_by_identity() -> None:
    one = replace(mirrored(LEFT_PEER), remote=None, remote_id=Identity.fqdn("one"))
    two = replace(one, name="two", remote_id=Identity.fqdn("two"), psk=Secret(b"two's key"))
    left = replace(LEFT_PEER, local_id=Identity.fqdn("two"), psk=Secret(b"two's key"))
    pair = Pair(left, one)
    pair.b = Node("b", one, 2)
    pair.b.engine = IkeEngine((one, two), pair.b.dice)
    pair.a.initiate()
    pair.run()
    assert pair.b.last(IkeSaEstablished).peer == "two"
    assert pair.a.child.keys_in == pair.b.child.keys_out
