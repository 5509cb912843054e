from __future__ import annotations

import pytest

from dataplane.esp.spd import Action
from dataplane.ike.policy import Mode
from dataplane.ipsec.selectors import ANY_IPV4, ANY_IPV6, TrafficSelector
from lab.errors import InputError
from lab.model.connection import Connection
from lab.nodes.peers import peer_of, spd_of, way_of
from lab.nodes.wishes import is_first
from tests.lab.stage import GCM, gateways, shared_keys_of


def connection(**of: str) -> Connection:
    return gateways(**of).connections[0]  # type: ignore[arg-type]


def test_a_peer_has_what_its_end_says() -> None:
    topology = gateways(a="mode: InitiatorOnly, dpd_timeout_seconds: 12", encapsulation="udp")
    (read,) = topology.connections
    peer = peer_of(read, read.a, shared_keys_of(topology))
    assert (peer.name, peer.local, peer.remote, peer.mode) == ("t", "203.0.113.1", "203.0.113.2", Mode.INITIATOR)
    assert (str(peer.local_id), str(peer.remote_id)) == ("203.0.113.1", "203.0.113.2")
    assert (peer.dpd_seconds, peer.dead_seconds) == (4, 12)
    assert peer.encapsulate
    assert (peer.ike.lifetime.seconds, peer.ike.proposals) == (28_800, read.a.policy.ike)
    (child,) = peer.children
    assert (child.name, child.local, child.remote) == ("any", (ANY_IPV4,), (ANY_IPV4,))
    assert (child.lifetime.seconds, child.lifetime.octets) == (3600, 102_400_000 * 1024)
    assert "key psk" not in repr(peer)


def test_a_peer_is_asked_in_time_to_count_as_dead_when_its_end_says_so() -> None:
    topology = gateways(a="dpd_timeout_seconds: 3600")
    (read,) = topology.connections
    peer = peer_of(read, read.a, shared_keys_of(topology))
    assert peer.dead_seconds == 3600
    assert peer.dpd_seconds is not None
    assert 3600 - peer.dpd_seconds == pytest.approx(peer.retransmission.patience)
    assert 45 < peer.retransmission.patience < 60


def test_a_secret_that_is_not_there_is_named() -> None:
    read = connection()
    with pytest.raises(InputError, match=r"t: there is no secret https://kv-test.*psk, the shared key of a"):
        peer_of(read, read.a, {})


def test_selectors_by_policy_are_pairs_of_prefixes_of_one_version() -> None:
    more = f"use_policy_based_traffic_selectors: true\n    {GCM}"
    read = connection(more=more, a="peer_prefixes: [10.0.0.0/16, 10.1.0.0/16]", b="peer_prefixes: 192.168.0.0/24")
    entries = spd_of(read, read.a)
    assert [entry.name for entry in entries] == ["192.168.0.0/16=10.0.0.0/16", "192.168.0.0/16=10.1.0.0/16"]
    assert {(entry.action, entry.tunnel) for entry in entries} == {(Action.PROTECT, "t")}
    assert entries[1].remote == (TrafficSelector.of("10.1.0.0/16"),)
    assert [entry.name for entry in spd_of(read, read.b)] == ["10.0.0.0/16=192.168.0.0/24"]


def test_any_traffic_is_of_both_versions_where_there_are_prefixes_of_both() -> None:
    (entry,) = spd_of(both := connection(a="peer_prefixes: [10.0.0.0/16, 'fd00::/16']"), both.a)
    assert entry.local == entry.remote == (ANY_IPV4, ANY_IPV6)


def test_the_way_has_the_connections_sizes() -> None:
    read = connection()
    way = way_of(read, encapsulated=True)
    assert (way.name, way.path_mtu, way.greatest_mss, way.udp_encapsulation) == ("t", 1500, None, True)


@pytest.mark.parametrize(
    ("a", "b", "first"),
    [
        ("Default", "Default", "a"),  # the on-premises end
        ("Default", "InitiatorOnly", "b"),
        ("ResponderOnly", "Default", "b"),
        ("InitiatorOnly", "Default", "a"),
        ("Default", "ResponderOnly", "a"),
        ("InitiatorOnly", "ResponderOnly", "a"),
    ],
)
def test_one_end_begins(a: str, b: str, first: str) -> None:
    read = connection(a=f"mode: {a}", b=f"mode: {b}")
    assert [end.node for end in read.ends if is_first(read, end)] == [first]
