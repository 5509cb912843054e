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
    text = (TOPOLOGIES / "expressroute-direct.yaml").read_text()
    cut = text.replace("      - {to: 10.0.0.0/16, via: 100.64.0.6}\n", "")
    assert cut != text
    (warning,) = loads(cut).warnings
    assert warning.text == "what onprem sends to workload (10.0.2.4) stops: msee2 has no route to it"


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
