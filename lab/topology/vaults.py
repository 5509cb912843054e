"""Between a topology and the vaults: making its own secrets, and opening all that it names."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.errors import InputError, Problem
from lab.model.secret import SecretReference
from lab.model.topology import Topology
from lab.topology.operations import GenerateSecret
from lab.topology.secrets import SecretUse, passwords, uses_of
from lab.topology.tunnels import shared_keys
from lab.vault.records import Permission
from lab.vault.vault import OPERATOR, Vault


def generate_secrets(operations: Iterable[GenerateSecret], root: Path, identity: str, now: float) -> None:
    """Make the secrets in vaults below `root`, the lab's own; `identity` may read them. `now`: seconds since 1970."""
    access = {OPERATOR: frozenset(Permission), identity: frozenset({Permission.GET, Permission.SET})}
    made: dict[str, Vault] = {}
    for operation in operations:
        if operation.vault not in made:
            made[operation.vault] = Vault.create(root, operation.vault, now, access)
        made[operation.vault].set_secret(operation.secret, secrets.token_hex(operation.octets), identity, now)


def resolve_secrets(topology: Topology, lab_root: Path, user_root: Path, now: float) -> dict[str, bytes]:
    """Open every secret that the topology names, each once, as its identity; by the text of its reference.

    A reference without a version is resolved now and not again. Vaults of the topology's own are below `lab_root`, all
    others below `user_root`.

    Raises:
        InputError: something could not be opened, or is not what its use needs; carries every problem.
    """
    own = {made.vault for made in topology.generated_secrets}
    values: dict[SecretReference, str | None] = {}
    opened: dict[str, bytes] = {}
    problems: list[Problem] = []
    for what, line, use in _uses(topology):
        reference = use.reference
        try:
            if reference not in values:
                values[reference] = None
                root = lab_root if reference.vault in own else user_root
                values[reference] = _open(reference, root, topology.identity, now)
            value = values[reference]
            if value is not None:
                opened[str(reference)] = use.rule.octets(value)
        except (InputError, ValueError) as error:
            text = f"{what}, {use} {reference}: {error}"
            problems.append(Problem(file=topology.source, line=line, text=text))
    if problems:
        raise InputError(problems)
    return opened


def _uses(topology: Topology) -> Iterator[tuple[str, int | None, SecretUse]]:
    """Every use of a secret, with what it is for and where that stands."""
    for link in topology.links:
        for use in uses_of(link.macsec, link.mistakes) if link.macsec else ():
            yield link.segment, link.line, use
    for connection in topology.connections:
        for use in shared_keys(connection):
            yield connection.name, connection.line, use
    for node in topology.nodes:
        for use in passwords(node.bgp) if node.bgp else ():
            yield node.name, None, use


def _open(reference: SecretReference, root: Path, identity: str, now: float) -> str:
    return Vault(root, reference.vault).get_secret(reference.secret, reference.version, identity, now).value
