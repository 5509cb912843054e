"""Which canaries a topology gets."""

from __future__ import annotations

import itertools

import pytest
from netaddr import EUI, IPAddress, IPNetwork

from lab.canary.canary import TOKEN_OCTETS, Canary, Endpoint, Transport, plan_canaries
from lab.errors import InputError
from lab.model.expectation import Expectation, Layer
from lab.model.link import Interface, Link, Tag
from lab.model.roles import Role
from lab.model.topology import Node, Topology
from tests.lab.stage import gateways

COUNTER = itertools.count()


def entropy(octets: int) -> bytes:
    return next(COUNTER).to_bytes(octets, "big")


def end(node: str, address: str | None, mtu: int) -> Interface:
    addresses = (IPNetwork(address),) if address else ()
    return Interface(
        node=node, device="eth1", controlled_device=None, mac=EUI("02-00-00-00-00-01"), addresses=addresses,
        mtu=mtu, wire_mtu=mtu,
    )  # fmt: skip


def path(*layers: Layer, mtu: int = 1400) -> Topology:
    """a -- r -- b, with an expectation on the second segment."""
    nodes = tuple(
        Node(name=name, role=role, loopback_addresses=(), routes=())
        for name, role in (("a", Role.ONPREM), ("r", Role.ROUTER), ("b", Role.WORKLOAD))
    )
    clear = Link(
        segment="a--r", a=end("a", "10.1.0.1/24", 1500), b=end("r", "10.1.0.2/24", 1500), tag=Tag(),
        bandwidth_gbps=None, macsec=None, expect=Expectation(layers=()),
    )  # fmt: skip
    judged = Link(
        segment="r--b", a=end("r", "10.2.0.1/24", mtu), b=end("b", "10.2.0.2/24", mtu), tag=Tag(),
        bandwidth_gbps=None, macsec=None, expect=Expectation(layers=layers),
    )  # fmt: skip
    return Topology(
        name="t", source="t.yaml", description="", nodes=nodes, links=(clear, judged), traffic=(("a", "b"),),
        generated_secrets=(),
    )  # fmt: skip


def test_every_transport_travels_both_ways_from_one_octet_to_the_mtu_of_the_path() -> None:
    canaries = [
        canary for canary in plan_canaries(path(), entropy) if {canary.source.node, canary.target.node} == {"a", "b"}
    ]
    for transport, header in ((Transport.ICMP, 28), (Transport.UDP, 28)):
        for source in ("a", "b"):
            sizes = [c.payload_octets for c in canaries if c.transport is transport and c.source.node == source]
            assert min(sizes) == 1
            assert max(sizes) == 1400 - header
    assert max(c.payload_octets for c in canaries if c.transport is Transport.TCP) > 1400


def test_numbers_and_tokens_are_unique_and_numbers_fit_a_port() -> None:
    canaries = plan_canaries(path(), entropy)
    assert [canary.number for canary in canaries] == list(range(len(canaries)))
    assert len({canary.token for canary in canaries}) == len(canaries)
    assert max(canary.number for canary in canaries) < 30_000


def test_a_link_is_crossed_by_itself_unless_a_tunnel_is_to_protect_it() -> None:
    def across(topology: Topology) -> set[frozenset[str]]:
        return {frozenset((c.source.node, c.target.node)) for c in plan_canaries(topology, entropy)} - {frozenset("ab")}

    assert across(path(Layer.MACSEC)) == {frozenset("ar"), frozenset("rb")}
    assert across(path(Layer.MACSEC, Layer.IPSEC)) == {frozenset("ar")}


@pytest.mark.parametrize(
    ("octets", "searchable"), [(1, False), (TOKEN_OCTETS - 1, False), (TOKEN_OCTETS, True), (1000, True)]
)
def test_the_payload_has_its_length_and_carries_the_token_when_it_fits(octets: int, searchable: bool) -> None:
    here = Endpoint(node="a", address=IPAddress("10.0.0.1"))
    canary = Canary(
        number=0, token=b"0123456789abcdef0123456789abcdef", transport=Transport.UDP, source=here, target=here,
        payload_octets=octets,
    )  # fmt: skip
    assert len(canary.payload) == octets
    assert canary.is_searchable is searchable is (canary.token in canary.payload)


def test_nothing_to_send_between_is_an_error() -> None:
    empty = Topology(
        name="t", source="t.yaml", description="", nodes=(), links=(), traffic=(), generated_secrets=()
    )  # fmt: skip
    with pytest.raises(InputError, match=r"t\.yaml: no traffic and no links"):
        plan_canaries(empty, entropy)


def test_each_tunnel_is_crossed_by_itself_both_ways_up_to_its_mtu() -> None:
    topology = gateways(mtu=1300)
    canaries = plan_canaries(topology, entropy)
    inner = [each for each in canaries if str(each.target.address).startswith("10.9.0.")]
    assert {(each.source.node, each.target.node) for each in inner} == {("a", "b"), ("b", "a")}
    assert {each.transport for each in inner} == {Transport.ICMP}
    assert max(each.payload_octets for each in inner) == 1300 - 28
    # No canary of the path is longer than a tunnel takes.
    assert max(each.payload_octets for each in canaries if each.transport is not Transport.TCP) == 1300 - 28
