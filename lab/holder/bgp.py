"""What BGP knows in a lab that runs: sessions and routes, asked of each node's BIRD over a socket that only reads."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.inside import do_inside
from lab.host.bird import BirdSocket
from lab.host.bird_answers import Route, Session, bfd_states, routes, sessions
from lab.host.entering import Entrance
from lab.model.bgp import Bgp, Neighbor
from lab.model.topology import Topology
from lab.nodes.bird_config import session_name

Row = dict[str, Any]


def speakers(topology: Topology, node: str | None) -> dict[str, Bgp]:
    """The BGP speakers that are meant: that of `node`, or all.

    Raises:
        InputError: there are none, or not at that node.
    """
    known = {each.name: each.bgp for each in topology.nodes if each.bgp is not None}
    if not known:
        raise InputError("no node of this lab speaks BGP; give nodes of its topology `bgp:`")
    if node is None:
        return known
    if node not in known:
        raise InputError(f"{node} speaks no BGP; there are {', '.join(known)}")
    return {node: known[node]}


def peers(client: Client, asked: Mapping[str, Bgp]) -> list[Row]:
    """Every session, from each of its ends, with what makes it useless although it is established."""
    rows: list[Row] = do_inside(client, (), functools.partial(_peers, asked))
    return rows


def learned(client: Client, asked: Mapping[str, Bgp], peer: str | None) -> list[Row]:
    """What each node learned, by whom."""
    rows: list[Row] = do_inside(client, (), functools.partial(_routes, asked, peer, "show route protocol {} all"))
    return rows


def advertised(client: Client, asked: Mapping[str, Bgp], peer: str | None) -> list[Row]:
    """What each node tells, to whom."""
    rows: list[Row] = do_inside(client, (), functools.partial(_routes, asked, peer, "show route export {} all"))
    return rows


def _peers(asked: Mapping[str, Bgp], entrance: Entrance) -> list[Row]:
    rows = []
    for node, bgp in asked.items():
        conversation = _open(node)
        found = {session.name: session for session in sessions(conversation.ask("show protocols all"))}
        bfd = bfd_states(conversation.ask("show bfd sessions")) if any(n.bfd for n in bgp.neighbors) else {}
        for neighbor in bgp.neighbors:
            name = session_name(neighbor.name)
            lost = unreachable(routes(conversation.ask(f"show route protocol {name} all")))
            rows.append(_peer(node, neighbor, found[name], bfd.get(str(neighbor.address)), lost))
        conversation.close()
    return rows


def unreachable(known: Iterable[Route]) -> list[str]:
    """The prefixes whose next hop cannot be reached: known, and of no use."""
    return [route.prefix for route in known if route.kind != "unicast"]


def _peer(node: str, neighbor: Neighbor, session: Session, bfd: str | None, lost: list[str]) -> Row:
    note = session.why
    if session.is_established and lost:
        note = (
            f"established, but {', '.join(lost)} unreachable: BIRD has no route to next hop {neighbor.address}, so "
            "packets take another way, or none"
        )
    return {
        "node": node,
        "neighbor": neighbor.name,
        "address": str(neighbor.address),
        "asn": neighbor.asn,
        "segment": neighbor.segment,
        "state": session.state,
        "bfd": bfd,
        "since": session.since,
        "learned": session.imported,
        "advertised": session.exported,
        "unreachable": lost,
        "note": note,
    }


def _routes(asked: Mapping[str, Bgp], peer: str | None, command: str, entrance: Entrance) -> list[Row]:
    rows = []
    for node, bgp in asked.items():
        conversation = _open(node)
        for neighbor in bgp.neighbors:
            if peer is None or neighbor.is_called(peer):
                found = routes(conversation.ask(command.format(session_name(neighbor.name))))
                rows += [{"node": node, "neighbor": neighbor.name, **_route(route)} for route in found]
        conversation.close()
    return rows


def _route(route: Route) -> Row:
    fields = asdict(route)
    return {
        "prefix": fields["prefix"],
        "next_hop": fields["next_hop"] or ", ".join(via or device for via, device in route.hops),
        "as_path": fields["as_path"],
        "local_preference": fields["local_preference"],
        "best": fields["best"],
        "reachable": route.kind == "unicast" or route.protocol == "own",
    }


def _open(node: str) -> BirdSocket:
    conversation = BirdSocket(node)
    conversation.ask("restrict")  # this conversation changes nothing
    return conversation
