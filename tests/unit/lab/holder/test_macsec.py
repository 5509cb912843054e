"""What `macsec status` makes of what drivers tell."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.macsec import links, protected
from lab.holder.unsecured import why
from lab.model.topology import Topology
from tests.lab.keyed_pair import keyed_secrets, keyed_topology
from tests.lab.pair import pair_topology
from tests.path.keyed import KeyedPath
from tests.path.path import LinkPath


class Answers:
    """A client whose lab is made of edges in memory."""

    def __init__(self, edges: dict[str, dict[str, object] | None]) -> None:
        self.nodes = [
            {"node": node, "driver": None if edge is None else {"segments": {"a--b": edge}}}
            for node, edge in edges.items()
        ]

    def ask(self, verb: str) -> dict[str, Any]:
        assert verb == "status"
        return {"nodes": self.nodes}


def found(topology: Topology, edges: dict[str, dict[str, object] | None]) -> dict[str, Any]:
    (link,) = links(cast("Client", Answers(edges)), topology)
    return link


def edges(path: KeyedPath) -> dict[str, dict[str, object] | None]:
    return {node: end.edge.status() | {"mka": end.keyed.status()} for node, end in path.ends.items()}


def test_a_secured_link() -> None:
    topology = keyed_topology(suite="GCM-AES-256")
    path = KeyedPath(topology.links[0], keyed_secrets(topology))
    path.start()
    path.run(7)
    link = found(topology, edges(path))
    assert (link["secured"], link["keys"], link["change"]) == (True, "mka", "hitless")
    a, b = link["ends"]
    assert (a["key_server"], a["members"], b["members"]) == ("a", ["a", "b"], ["b", "a"])
    assert (a["an"], a["next_pn"], a["pns_left"], a["seconds_at_line_rate"]) == (0, 1, (1 << 32) - 1, None)
    assert (a["sak_age"], a["why"], a["ckns"], a["ckn"]) == (7.0, None, [a["ckn"]], b"the name of the key".hex())


def test_a_link_that_is_down_says_why() -> None:
    topology = keyed_topology(mistake={"cipher_suite": "GCM-AES-256"})
    path = KeyedPath(topology.links[0], keyed_secrets(topology) | {})
    path.start()
    path.run(10)
    link = found(topology, edges(path))
    assert not link["secured"]
    assert [end["trouble"] for end in link["ends"]] == ["sak-not-taken", "cipher-suite"]
    assert link["ends"][1]["why"].startswith("cipher-suite: the key server's cipher suite is not ours (key server ")
    assert (link["ends"][0]["an"], link["ends"][0]["pns_left"], link["ends"][0]["key_server"]) == (None, None, "a")
    told = {node: {"segments": {"a--b": edge}} for node, edge in edges(path).items()}
    assert why(topology.links[0], told).startswith("a: sak-not-taken: ")
    assert why(topology.links[0], {"b": told["b"]}).startswith("a: its driver says nothing; b: cipher-suite: ")


def test_a_static_link_and_a_driver_that_is_gone() -> None:
    topology = pair_topology(suite="GCM-AES-XPN-128")
    path = LinkPath.make(topology)
    link = found(topology, {"a": path.edges["a"].status(), "b": None})
    assert (link["keys"], link["change"], link["secured"]) == ("static", None, False)
    assert [end["secured"] for end in link["ends"]] == [True, False]
    assert link["ends"][1]["why"] == "its driver is gone, or has no time"
    assert "key_server" not in link["ends"][0]


def test_links_are_asked_for_by_name() -> None:
    assert protected(keyed_topology(), "a--b").segment == "a--b"
    with pytest.raises(InputError, match=r"no link 'a--c' with MACsec; those that have it are a--b"):
        protected(keyed_topology(), "a--c")
    with pytest.raises(InputError, match="a--b has no MACsec; no link of this lab has it"):
        protected(pair_topology(suite=None), "a--b")
