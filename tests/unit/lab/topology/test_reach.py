"""Whether a packet would arrive. The reasons why not are in tests/golden/warnings/reach.yaml."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from lab.model.topology import Topology
from lab.topology.load import load, loads
from lab.topology.reach import stops

TOPOLOGIES = Path(__file__).parents[4] / "topologies"


@pytest.mark.parametrize("path", sorted(TOPOLOGIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_traffic_arrives(path: Path) -> None:
    topology = load(path)
    assert [stop for a, b in topology.traffic for stop in stops(topology, a, b)] == []


def test_one_of_two_next_hops_that_leads_nowhere_is_enough_to_stop() -> None:
    text = """
name: two
nodes:
  a: {role: host, routes: [{to: 10.0.9.0/24, via: 10.0.1.2}]}
  r: {role: router, routes: [{to: 10.0.9.0/24, via: [10.0.2.2, 10.0.3.2]}]}
  s1: {role: router, routes: [{to: 10.0.9.0/24, via: 10.0.4.2}, {to: 10.0.1.0/24, via: 10.0.2.1}]}
  s2: {role: router, routes: [{to: 10.0.1.0/24, via: 10.0.3.1}]}
  b: {role: host, addresses: 10.0.9.9/32, routes: [{to: 10.0.1.0/24, via: 10.0.4.1}]}
links:
  - {ends: [a:r, r:a], addresses: [10.0.1.1/24, 10.0.1.2/24]}
  - {ends: [r:s1, s1:r], addresses: [10.0.2.1/24, 10.0.2.2/24]}
  - {ends: [r:s2, s2:r], addresses: [10.0.3.1/24, 10.0.3.2/24]}
  - {ends: [s1:b, b:s1], addresses: [10.0.4.1/24, 10.0.4.2/24]}
expect: {"*": clear}
traffic: [[a, b]]
"""
    (warning,) = loads(text).warnings
    assert warning.text == "what a sends to b (10.0.9.9) stops: s2 has no route to it"


@pytest.mark.parametrize(
    ("taken", "stops_at"),
    [
        ("      - {to: 10.0.1.5/32, via: 203.0.113.2}\n", "10.0.1.5) stops: vpn-device has no route to it"),
        ("      - {to: 10.0.1.5/32, via: 172.16.0.6}\n", "10.0.1.5) stops: ce has no route to it"),
        ("      - {to: 172.20.0.2/32, via: 100.64.0.5}\n", "172.20.0.2) stops: vnet-gateway has no route to it"),
    ],
)
def test_a_tunnel_whose_end_is_not_reached_is_told(taken: str, stops_at: str) -> None:
    text = (TOPOLOGIES / "expressroute-direct-modern.yaml").read_text()
    cut = text.replace(taken, "")
    assert cut != text
    (warning,) = loads(cut).warnings
    assert "to the other end of tunnel2 (" in warning.text
    assert warning.text.endswith(stops_at)


def chain(routers: int) -> Topology:
    nodes = ["a", *(f"r{i}" for i in range(routers)), "b"]
    text = "name: chain\nnodes:\n"
    for i, name in enumerate(nodes):
        ahead = f"{{to: 10.9.0.1/32, via: 10.0.{i}.2}}" if i < routers + 1 else ""
        back = f"{{to: 10.8.0.1/32, via: 10.0.{i - 1}.1}}" if i else ""
        own = {"a": ", addresses: 10.8.0.1/32", "b": ", addresses: 10.9.0.1/32"}.get(name, "")
        routes = ", ".join(filter(None, (ahead, back)))
        text += f"  {name}: {{role: {'router' if name[0] == 'r' else 'host'}, routes: [{routes}]{own}}}\n"
    text += "links:\n"
    for i, (one, other) in enumerate(pairwise(nodes)):
        text += f"  - {{ends: [{one}:r, {other}:l], addresses: [10.0.{i}.1/30, 10.0.{i}.2/30]}}\n"
    return loads(text + 'expect: {"*": clear}\ntraffic: [[a, b]]\n')


def test_a_packet_passes_as_many_routers_as_its_ttl_allows() -> None:
    assert chain(63).warnings == ()
    assert [warning.text.split(": ")[1] for warning in chain(64).warnings] == [
        "r63 is the 64th node to forward it, and packets start with a TTL of 64",
        "r0 is the 64th node to forward it, and packets start with a TTL of 64",
    ]
    assert len(chain(200).warnings) == 2
