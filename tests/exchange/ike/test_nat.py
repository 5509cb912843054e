"""NAT traversal: detection, port 4500, keepalives, a peer that moves (RFC 7296 2.23, RFC 3948)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from dataplane.ike.events import ChildSaEstablished, IkeSaEstablished, PeerMoved
from dataplane.ike.host import Datagram
from dataplane.ike.nat import Endpoint, NatDetection, detect, nat_hash, nat_notifies
from dataplane.ike.payloads.notify import Notify, NotifyType
from tests.exchange.ike.pair import LEFT, LEFT_PEER, RIGHT, Node, Pair, mirrored

OUTSIDE = "198.51.100.7"


class Nat:
    """A NAT in front of the left node: its ports are others, from outside."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.ports = {500: 61000, 4500: 61001}

    def run(self) -> None:
        pair = self.pair
        while pair.a.outbox or pair.b.outbox:
            while pair.a.outbox:
                inner = pair.a.outbox.popleft()
                source = Endpoint(OUTSIDE, self.ports[inner.source.port])
                pair.b.receive(Datagram(inner.octets, source, inner.destination))
            while pair.b.outbox:
                outer = pair.b.outbox.popleft()
                assert outer.destination.address == OUTSIDE
                inside = {port: mine for mine, port in self.ports.items()}
                if outer.destination.port in inside:
                    destination = Endpoint(LEFT, inside[outer.destination.port])
                    pair.a.receive(Datagram(outer.octets, outer.source, destination))


def behind_nat() -> tuple[Pair, Nat]:
    pair = Pair(LEFT_PEER, replace(mirrored(LEFT_PEER), remote=None))
    nat = Nat(pair)
    pair.a.initiate()
    nat.run()
    return pair, nat


def test_initiator_behind_a_nat() -> None:
    pair, _ = behind_nat()
    up_a, up_b = pair.a.last(IkeSaEstablished), pair.b.last(IkeSaEstablished)
    assert up_a.nat == NatDetection(local=True, remote=False)
    assert up_b.nat == NatDetection(local=False, remote=True)
    assert (up_a.local, up_a.remote) == (Endpoint(LEFT, 4500), Endpoint(RIGHT, 4500))
    assert (up_b.local, up_b.remote) == (Endpoint(RIGHT, 4500), Endpoint(OUTSIDE, 61001))
    for node in (pair.a, pair.b):
        assert node.last(ChildSaEstablished).encapsulated
        assert node.last(ChildSaEstablished).remote.port in (4500, 61001)


def test_marker_on_port_4500_alone() -> None:
    pair = Pair(LEFT_PEER, replace(mirrored(LEFT_PEER), remote=None))
    nat = Nat(pair)
    pair.a.initiate()
    assert pair.a.outbox[0].octets[:4] != bytes(4)
    nat.run()
    pair.a.dpd()
    assert pair.a.outbox[0].source.port == 4500
    assert pair.a.outbox[0].octets[:4] == bytes(4)
    octets = pair.a.outbox[0].octets[4:]
    before = sum(pair.b.engine.discarded.values())
    pair.b.receive(Datagram(octets, Endpoint(OUTSIDE, 61001), Endpoint(RIGHT, 4500)))  # without its marker: ESP
    assert sum(pair.b.engine.discarded.values()) == before + 1


def test_nat_gives_another_port_later() -> None:
    pair, nat = behind_nat()
    nat.ports[4500] = 61999
    pair.a.dpd()
    nat.run()
    moved = pair.b.last(PeerMoved)
    assert moved.remote == Endpoint(OUTSIDE, 61999)
    assert moved.spis_out == (pair.b.child.spi_out,)
    pair.b.rekey_child()
    nat.run()
    assert pair.b.last(ChildSaEstablished).remote == Endpoint(OUTSIDE, 61999)
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_traffic_alone_tells_where_a_nat_has_moved_the_peer() -> None:
    pair, _ = behind_nat()
    moved, here = Endpoint(OUTSIDE, 61999), Endpoint(RIGHT, 4500)
    pair.b.engine.traffic_seen(pair.b.child.spi_in, pair.now, (moved, here))
    pair.b.settle()
    assert pair.b.last(PeerMoved).remote == moved
    assert pair.b.ike.remote == moved
    # Who is behind the NAT itself does not follow: its peer has a fixed address (RFC 7296 2.23).
    pair.a.engine.traffic_seen(pair.a.child.spi_in, pair.now, (Endpoint("192.0.2.66", 4500), Endpoint(LEFT, 4500)))
    pair.a.settle()
    assert not pair.a.told(PeerMoved)


def test_nobody_moves_without_a_nat() -> None:
    pair = Pair.established()
    pair.a.dpd()
    request = pair.hold("--> INFORMATIONAL { }")
    pair.b.receive(request._replace(source=Endpoint("198.51.100.99", 500)))
    assert pair.b.outbox.popleft().destination == Endpoint("198.51.100.99", 500)  # the answer goes where it came from
    assert pair.b.ike.remote == Endpoint(LEFT, 500)
    assert not pair.b.told(PeerMoved)


def test_a_repeated_request_moves_nobody() -> None:
    pair, nat = behind_nat()
    pair.a.dpd()
    request = pair.a.outbox[0]
    nat.run()
    pair.b.receive(Datagram(request.octets, Endpoint("192.0.2.66", 4500), Endpoint(RIGHT, 4500)))
    assert pair.b.ike.remote == Endpoint(OUTSIDE, 61001)


def test_keepalives_of_who_is_behind_the_nat() -> None:
    pair, _ = behind_nat()
    pair.wait(21)
    assert [datagram.octets for datagram in pair.a.outbox] == [b"\xff"]
    assert not pair.b.outbox
    pair.b.engine.receive(b"\xff", Endpoint(OUTSIDE, 61001), Endpoint(RIGHT, 4500), 21.0)  # should a driver not drop it
    assert not pair.b.engine.to_send(21.0)


@pytest.mark.parametrize(("a", "b"), [(True, False), (False, True), (True, True)])
def test_encapsulation_as_if_there_were_a_nat(a: bool, b: bool) -> None:
    left = replace(LEFT_PEER, encapsulate=a)
    right = replace(mirrored(LEFT_PEER), encapsulate=b)
    pair = Pair.established(left, right)
    for node in (pair.a, pair.b):
        assert node.last(ChildSaEstablished).encapsulated
        assert node.ike.local.port == node.ike.remote.port == 4500


def test_peer_without_nat_traversal() -> None:
    notifies = (Notify(notify_type=NotifyType.NAT_DETECTION_SOURCE_IP, data=bytes(20)),)
    here, there = Endpoint(LEFT, 500), Endpoint(RIGHT, 500)
    assert detect((), b"i" * 8, bytes(8), source=there, destination=here) is None
    assert detect(notifies, b"i" * 8, bytes(8), source=there, destination=here) is None


def test_peer_with_several_addresses() -> None:
    """A hash of each of its addresses; one fits."""
    here, there, other = Endpoint(LEFT, 500), Endpoint(RIGHT, 500), Endpoint("2001:db8::1", 500)
    notifies = (
        Notify(notify_type=NotifyType.NAT_DETECTION_SOURCE_IP, data=nat_hash(b"i" * 8, bytes(8), other)),
        *nat_notifies(b"i" * 8, bytes(8), there, here),
    )
    assert detect(notifies, b"i" * 8, bytes(8), source=there, destination=here) == NatDetection()


def test_the_hash_of_an_ipv6_address() -> None:
    octets = b"i" * 8 + b"r" * 8 + bytes.fromhex("20010db8000000000000000000000001") + b"\x11\x94"
    assert nat_hash(b"i" * 8, b"r" * 8, Endpoint("2001:db8::1", 4500)) == hashlib.sha1(octets).digest()


def test_two_nodes_in_ipv6() -> None:
    left = replace(LEFT_PEER, local="2001:db8::1", remote="2001:db8::2")
    node = Node("a", left, 1)
    node.initiate()
    assert node.outbox[0].source == Endpoint("2001:db8::1", 500)
    pair = Pair.established(left)
    assert not pair.a.last(ChildSaEstablished).encapsulated
