"""The connections of a lab that runs, seen and moved from outside: both ends of each, by its node."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import CheckFailedError, InputError
from lab.holder.client import Client
from lab.host.state import LabFolder
from lab.model.connection import Connection
from lab.model.topology import Topology
from lab.topology.problems import near
from lab.vault.records import timestamp
from lab.vault.vault import OPERATOR, Vault

Status = dict[str, Any]

CONNECTED = "Connected"
_BEGINS = {"responder": 0, "both": 1, "initiator": 2}
_GLANCE = 0.05  # seconds between two looks
_UP_PATIENCE, _REKEY_PATIENCE = 15.0, 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a connection, as its gateway says it is."""

    connection: str
    node: str
    status: Status

    @property
    def is_connected(self) -> bool:
        """Whether it is up."""
        return bool(self.status["state"] == CONNECTED)


def ends(client: Client, connection: str | None = None, node: str | None = None) -> list[End]:
    """The ends of all connections, or of one, or those at one node; ends of a connection are neighbours.

    Raises:
        InputError: there is no such connection, or it does not end there.
        CheckFailedError: a gateway does not say how it is.
    """
    found = []
    for each in client.ask("status")["nodes"]:
        driver = each.get("driver")
        if driver is None and each["state"] not in ("plain", "ready"):
            raise CheckFailedError(f"the driver of {each['node']} is {each['state']}: {each.get('last_words', '')}")
        for gateway in (driver or {}).get("gateways", {}).values():
            found += [
                End(connection=name, node=each["node"], status=status)
                for name, status in gateway["connections"].items()
            ]
    found.sort(key=lambda end: end.connection)
    names = list(dict.fromkeys(end.connection for end in found))
    if connection is not None and connection not in names:
        raise InputError(
            f"there is no connection {connection!r} in lab {client.folder.name}; {near(connection, names)}"
        )
    chosen = [end for end in found if connection in (None, end.connection)]
    if node is not None and not any(end.node == node for end in chosen):
        where = ", ".join(dict.fromkeys(end.node for end in chosen)) or "nowhere"
        raise InputError(f"no connection of that name ends at {node!r}; the ends are at {where}")
    return [end for end in chosen if node in (None, end.node)]


def move(client: Client, verb: str, those: Iterable[End], **fields: object) -> None:
    """Have ends do something: `up`, `down` or `rekey`.

    Raises:
        InputError: an end cannot.
    """
    for end in those:
        command = {"part": end.node, "verb": verb, "connection": end.connection, **fields}
        client.ask("command", node=end.node, command=command)


def bring_up(client: Client, connection: str, node: str | None) -> list[End]:
    """Let a connection come up, and wait for it; how its ends are then."""
    # The doors are opened first, at those ends that need not begin; then one end begins. If both did, or one while the
    # other is still closed, there would soon be two IKE SAs of which one has to go, and packets with it.
    found = ends(client, connection, node)
    beginner, *others = sorted(found, key=lambda end: _BEGINS[end.status["mode"]], reverse=True)
    move(client, "up", others, begin=False)
    move(client, "up", [beginner])
    return _wait(client, connection, _UP_PATIENCE, lambda all_ends: all(end.is_connected for end in all_ends))


def take_down(client: Client, connection: str, node: str | None) -> list[End]:
    """Close a connection and keep it closed; how its ends are then."""
    move(client, "down", ends(client, connection, node))
    return _wait(client, connection, 2.0, lambda all_ends: not any(end.is_connected for end in all_ends))


def rekey(client: Client, connection: str, node: str | None, *, ike: bool) -> list[End]:
    """Replace a connection's children, or its IKE SA, from one end, and wait for it.

    Raises:
        InputError: it is not connected.
        CheckFailedError: it could not be replaced; says why.
    """
    before = ends(client, connection)
    beginner = next((end for end in before if node in (None, end.node)), None)
    if beginner is None:
        where = " and ".join(end.node for end in before)
        raise InputError(f"connection {connection} does not end at {node!r}; it ends at {where}")
    failures = {end.node: end.status["failures"] for end in before}
    old = {end.node: _sas(end, ike=ike) for end in before}
    move(client, "rekey", [beginner], what="ike" if ike else "child")

    def over(now: list[End]) -> bool:
        failed = any(end.status["failures"] > failures[end.node] for end in now)
        return failed or all((found := _sas(end, ike=ike)) and not found & old[end.node] for end in now)

    after = _wait(client, connection, _REKEY_PATIENCE, over)
    whys = [f"{end.node}: {end.status['why']}" for end in after if end.status["failures"] > failures[end.node]]
    if whys:
        what = "IKE SA" if ike else "ESP SAs"
        raise CheckFailedError(f"the {what} of {connection} could not be replaced: {'; '.join(whys)}")
    if not over(after):
        raise CheckFailedError(f"the rekey of {connection} was not over within {_REKEY_PATIENCE:.0f} s")
    return after


def _sas(end: End, *, ike: bool) -> set[str]:
    return {sa["spi_i"] if ike else sa["spi_in"] for sa in end.status["ike" if ike else "children"]}


def _wait(client: Client, connection: str, patience: float, done: Callable[[list[End]], bool]) -> list[End]:
    """Look until it is so, or for as long as that."""
    deadline = time.monotonic() + patience
    while True:
        now = ends(client, connection)
        if done(now) or time.monotonic() >= deadline:
            return now
        time.sleep(_GLANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """The shared key of one end: where it is, and what can be said of it without showing it."""

    connection: str
    node: str
    url: str
    characters: int
    set_at: str
    is_in_use: bool
    value: str = field(repr=False)


def shared_keys(
    folder: LabFolder, topology: Topology, user_root: Path, since: float, connection: str | None, node: str | None
) -> list[SharedKey]:
    """The shared keys that a lab's connections name, read as the person at the command line; each is audited.

    `since` is when the lab was made: what was set later is not in use.

    Raises:
        InputError: there is no such connection, or a secret could not be opened.
    """
    names = [each.name for each in topology.connections]
    if connection is not None and connection not in names:
        raise InputError(f"there is no connection {connection!r}; {near(connection, names)}")
    own = {made.vault for made in topology.generated_secrets}
    keys = []
    for each in topology.connections:
        if connection in (None, each.name):
            keys += [_shared_key(each, end.node, folder.vaults if end.psk.vault in own else user_root, since)
                     for end in each.ends if node in (None, end.node)]  # fmt: skip
    return keys


def _shared_key(connection: Connection, node: str, root: Path, since: float) -> SharedKey:
    reference = connection.end(node).psk
    opened = Vault(root, reference.vault).get_secret(reference.secret, reference.version, OPERATOR, time.time())
    version = opened.version
    return SharedKey(
        connection=connection.name,
        node=node,
        url=f"https://{reference.vault}.vault.azure.net/secrets/{reference.secret}/{version.version}",
        characters=len(opened.value),
        set_at=timestamp(version.created),
        is_in_use=version.created <= since,
        value=opened.value,
    )


def mismatches(keys: Iterable[SharedKey]) -> list[str]:
    """The connections whose two ends have different keys."""
    by_connection: dict[str, list[SharedKey]] = {}
    for key in keys:
        by_connection.setdefault(key.connection, []).append(key)
    return [
        name
        for name, pair in by_connection.items()
        if not all(hmac.compare_digest(pair[0].value.encode(), each.value.encode()) for each in pair)
    ]
