"""`wireproof vpn`: the IPsec connections of a lab that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode

if TYPE_CHECKING:
    from lab.holder.vpn import End, SharedKey

_at = click.option("--at", "node", metavar="NODE", help="This end alone; without it, both.")


@click.group("vpn")
def vpn_command() -> None:
    """See and move the IPsec connections of a lab that runs, both ends of each."""


@vpn_command.command("status")
@click.argument("connection", required=False)
@lab_option
@json_option
def status(connection: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show how each connection stands, what was agreed on, what of it is weak, and why it is not up.

    Exits with 1 when a connection is not Connected.
    """
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.vpn import ends

    with Client(choose(lab_name)) as client:
        found = ends(client, connection)
    _show(found, as_json=as_json)
    return _code(found)


@vpn_command.command("stats")
@click.argument("connection", required=False)
@lab_option
@json_option
def stats(connection: str | None, lab_name: str | None, as_json: bool) -> None:
    """Show what went through each connection, and what was discarded at its ends, by reason."""
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.vpn import ends

    with Client(choose(lab_name)) as client:
        found = ends(client, connection)
    if as_json:
        print_json([_stats(end) for end in found])
        return
    columns = ("connection", "at", "egress", "packets", "ingress", "packets", "discarded")
    print_table(columns, [
        (end.connection, end.node, end.status["egress_octets"], end.status["egress_packets"],
         end.status["ingress_octets"], end.status["ingress_packets"],
         ", ".join(f"{reason} {count}" for reason, count in _not_passed(end.status).items()) or 0)
        for end in found
    ])  # fmt: skip


def _not_passed(status: Mapping[str, Any]) -> dict[str, int]:
    """What was discarded by reason, and what was more than the gateway's size lets through."""
    over = {"OverGatewaySize": status["over_limit"]} if status["over_limit"] else {}
    return {**status["discarded"], **over}


@vpn_command.command("rekey")
@click.argument("connection")
@click.option("--ike", is_flag=True, help="Replace the IKE SA, instead of the ESP SAs.")
@click.option("--at", "node", metavar="NODE", help="The end that begins; without it, the first.")
@lab_option
@json_option
def rekey(connection: str, ike: bool, node: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Replace a connection's ESP SAs now, with the key exchange that PFS asks for: what does not fit shows here first.

    Exits with 1, and says why, when they could not be replaced; the old ones live on.
    """
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.vpn import rekey as begin

    with Client(choose(lab_name)) as client:
        found = begin(client, connection, node, ike=ike)
    _show(found, as_json=as_json)
    return _code(found)


@vpn_command.command("down")
@click.argument("connection")
@_at
@lab_option
@json_option
def down(connection: str, node: str | None, lab_name: str | None, as_json: bool) -> None:
    """Close a connection, and keep it closed: what is meant for it is then discarded, and never goes in clear."""
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.vpn import take_down

    with Client(choose(lab_name)) as client:
        found = take_down(client, connection, node)
    _show(found, as_json=as_json)


@vpn_command.command("up")
@click.argument("connection")
@_at
@lab_option
@json_option
def up(connection: str, node: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Let a connection come up again, and wait for it; exits with 1 when it does not."""
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.vpn import bring_up

    with Client(choose(lab_name)) as client:
        found = bring_up(client, connection, node)
    _show(found, as_json=as_json)
    return _code(found)


@vpn_command.group("shared-key")
def shared_key() -> None:
    """See which shared keys connections have, and whether both ends have the same."""


@shared_key.command("show")
@click.argument("connection", required=False)
@_at
@click.option("--reveal", is_flag=True, help="Print the keys themselves, too.")
@lab_option
@json_option
def show(connection: str | None, node: str | None, reveal: bool, lab_name: str | None, as_json: bool) -> None:
    """Show where the shared keys are, and what may be said of them. The vaults' audit logs will say so."""
    keys = _shared_keys(lab_name, connection, node)
    if as_json:
        print_json([_described(key) | ({"value": key.value} if reveal else {}) for key in keys])
        return
    columns = ("connection", "at", "secret", "characters", "set", *(("key",) if reveal else ()))
    print_table(columns, [
        (key.connection, key.node, key.url, key.characters, key.set_at, *((key.value,) if reveal else ()))
        for key in keys
    ])  # fmt: skip
    for key in keys:
        if not key.is_in_use:
            note(f"{key.connection} at {key.node}: set after the lab came up, which uses the version of before")


@shared_key.command("check")
@click.argument("connection", required=False)
@lab_option
@json_option
def check(connection: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Say whether both ends of each connection have the same shared key, without showing it; exits with 1 if not."""
    from lab.holder.vpn import mismatches

    keys = _shared_keys(lab_name, connection, None)
    wrong = mismatches(keys)
    names = list(dict.fromkeys(key.connection for key in keys))
    if as_json:
        print_json([{"connection": name, "same": name not in wrong} for name in names])
    else:
        print_table(
            ("connection", "shared key"),
            [(name, "differs between its ends" if name in wrong else "the same at both ends") for name in names],
        )
    return ExitCode.VIOLATED if wrong else ExitCode.OK


def _shared_keys(lab_name: str | None, connection: str | None, node: str | None) -> list[SharedKey]:
    from lab.holder.labs import choose
    from lab.holder.vpn import shared_keys
    from lab.topology.load import load
    from lab.vault.roots import user_root

    folder = choose(lab_name)
    record = folder.record()
    since = 0.0 if record is None else record.since
    return shared_keys(folder, load(folder.topology), user_root(os.environ), since, connection, node)


def _described(key: SharedKey) -> dict[str, object]:
    return {"connection": key.connection, "node": key.node, "secret": key.url, "characters": key.characters,
            "set": key.set_at, "in_use": key.is_in_use}  # fmt: skip


def _show(found: list[End], *, as_json: bool) -> None:
    if as_json:
        print_json([{"connection": end.connection, "node": end.node, **end.status} for end in found])
        return
    if not found:
        note("this lab has no connections")
        return
    columns = ("connection", "at", "state", "seconds", "peer", "IKE", "ESP", "PFS")
    print_table(columns, [
        (end.connection, end.node, _state(end.status), f"{end.status['seconds']:.0f}", end.status["remote"],
         _ike(end.status), _esp(end.status), _pfs(end.status))
        for end in found
    ])  # fmt: skip
    weak: dict[str, list[str]] = {}
    for end in found:
        for text in end.status["weak"]:
            weak.setdefault(text, []).append(end.connection)
    for text, names in weak.items():
        note(f"weak in {', '.join(dict.fromkeys(names))}: {text}")
    for end in found:
        if end.status["why"] and not end.status["is_down"]:
            note(f"{end.connection} at {end.node}: {end.status['why']}{_retry(end.status)}")


def _state(status: dict[str, Any]) -> str:
    return f"{status['state']} (down)" if status["is_down"] else str(status["state"])


def _ike(status: dict[str, Any]) -> str | None:
    suites = [sa["suite"] for sa in status["ike"] if sa["suite"]]
    return _short(suites[-1]) if suites else None


def _esp(status: dict[str, Any]) -> str | None:
    suites = dict.fromkeys(
        f"{_short(child['suite'])}{' in UDP' if child['encapsulation'] == 'udp' else ''}"
        for child in status["children"]
    )
    return ", ".join(suites) or None


def _short(suite: str) -> str:
    """A suite without what says of which kind a transform is."""
    return suite.replace("ENCR_", "").replace("AUTH_", "")


def _pfs(status: dict[str, Any]) -> str | None:
    groups = [child["pfs"] for child in status["children"] if child["pfs"]]
    if groups:
        return ", ".join(dict.fromkeys(groups))
    # The first child is made in IKE_AUTH, which has no key exchange of its own (RFC 7296 1.2).
    return f"{'/'.join(status['pfs'])} at rekeys" if status["pfs"] else "none"


def _retry(status: dict[str, Any]) -> str:
    return "" if status["retry_in"] is None else f"; again in {status['retry_in']:.0f} s"


def _code(found: list[End]) -> ExitCode:
    return ExitCode.OK if all(end.is_connected for end in found) else ExitCode.VIOLATED


_COUNTED = (
    "egress_octets", "egress_packets", "ingress_octets", "ingress_packets", "discarded", "errors_sent", "unsent",
    "over_limit",
    "children", "device_counters", "connects", "failures", "last_connected",
)  # fmt: skip


def _stats(end: End) -> dict[str, object]:
    return {"connection": end.connection, "node": end.node, **{name: end.status[name] for name in _COUNTED}}
