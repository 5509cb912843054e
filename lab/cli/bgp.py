"""`wireproof bgp`: sessions, routes, and changes of them while a lab runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.host.state import LabFolder
    from lab.model.bgp import Bgp


@click.group("bgp")
def bgp_command() -> None:
    """Look at BGP in a lab, and change it."""


@bgp_command.command("peers")
@click.argument("node", required=False)
@lab_option
@json_option
def peers_command(node: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show every session of NODE, or of all nodes, and say which is established and still of no use.

    Exits with 1 when a session is not established, or what was learned by it cannot be reached.
    """
    from lab.holder.bgp import peers
    from lab.holder.client import Client

    folder, asked = _asked(node, lab_name)
    with Client(folder) as client:
        rows = peers(client, asked)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("node", "neighbor", "address", "AS", "state", "BFD", "learned", "advertised", "since"),
            [(row["node"], row["neighbor"], row["address"], row["asn"], row["state"], row["bfd"], row["learned"],
              row["advertised"], row["since"]) for row in rows],
        )  # fmt: skip
        for row in rows:
            if row["note"]:
                note(f"{row['node']} with {row['neighbor']}: {row['note']}")
    wrong = any(row["state"] != "Established" or row["unreachable"] for row in rows)
    return ExitCode.VIOLATED if wrong else ExitCode.OK


@bgp_command.command("routes")
@click.argument("node", required=False)
@click.option("--peer", metavar="NODE", help="By this neighbor alone.")
@click.option("--learned", "which", flag_value="learned", default="learned", help="What the node learned (default).")
@click.option("--advertised", "which", flag_value="advertised", help="What the node tells.")
@lab_option
@json_option
def routes_command(node: str | None, peer: str | None, which: str, lab_name: str | None, as_json: bool) -> None:
    """Show the routes that NODE, or each node, learned or tells."""
    from lab.holder import bgp
    from lab.holder.client import Client

    folder, asked = _asked(node, lab_name)
    known = [neighbor for each in asked.values() for neighbor in each.neighbors]
    neighbors = sorted({neighbor.name for neighbor in known})
    if peer is not None and not any(neighbor.is_called(peer) for neighbor in known):
        raise InputError(f"{peer} is no neighbor; there are {', '.join(neighbors) or 'none'}")
    with Client(folder) as client:
        rows = bgp.advertised(client, asked, peer) if which == "advertised" else bgp.learned(client, asked, peer)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("node", "from" if which == "learned" else "to", "prefix", "next hop", "AS path", "preference", ""),
        [(row["node"], row["neighbor"], row["prefix"], row["next_hop"], " ".join(map(str, row["as_path"])),
          row["local_preference"], _use(row, which)) for row in rows],
    )  # fmt: skip


def _use(row: dict[str, Any], which: str) -> str:
    if which == "advertised":
        return ""
    if not row["reachable"]:
        return "unreachable"
    return "best" if row["best"] else ""


@bgp_command.command("prefer")
@click.argument("node")
@click.argument("neighbor")
@click.argument("preference", type=int)
@lab_option
def prefer_command(node: str, neighbor: str, preference: int, lab_name: str | None) -> None:
    """Give what NODE learns from NEIGHBOR this LOCAL_PREF, at once: the greater one wins."""
    answer = _tell(lab_name, verb="prefer", node=node, neighbor=neighbor, preference=preference)
    note(f"{node} prefers what {neighbor} tells by {answer['preference']}, before {answer['before']}")


@bgp_command.command("session")
@click.argument("node")
@click.argument("neighbor")
@click.argument("state", type=click.Choice(["up", "down"]))
@lab_option
def session_command(node: str, neighbor: str, state: str, lab_name: str | None) -> None:
    """Take NODE's session with NEIGHBOR down, or let it come up again."""
    _tell(lab_name, verb="session", node=node, neighbor=neighbor, state=state)
    note(f"the session of {node} with {neighbor} goes {state}")


def _tell(lab_name: str | None, **command: object) -> Any:
    from lab.holder.client import Client
    from lab.holder.labs import choose

    with Client(choose(lab_name)) as client:
        return client.ask("routing", command=command)


def _asked(node: str | None, lab_name: str | None) -> tuple[LabFolder, dict[str, Bgp]]:
    from lab.holder.bgp import speakers
    from lab.holder.labs import choose
    from lab.topology.load import load

    folder = choose(lab_name)
    return folder, speakers(load(folder.topology), node)
