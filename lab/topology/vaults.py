"""Between a topology and the vaults: making its own secrets, and opening all that it names."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.azure.bgp import PASSWORD_RULE
from lab.errors import InputError, Problem
from lab.model.secret import SecretReference
from lab.model.topology import Topology
from lab.topology.operations import GenerateSecret
from lab.topology.secrets import uses_of
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
    for use in _uses(topology):
        reference = use.reference
        try:
            if reference not in values:
                values[reference] = None
                root = lab_root if reference.vault in own else user_root
                values[reference] = _open(reference, root, topology.identity, now)
            value = values[reference]
            if value is not None:
                opened[str(reference)] = use.octets(value)
        except (InputError, ValueError) as error:
            problems.append(Problem(file=topology.source, line=use.line, text=f"{use.what} {reference}: {error}"))
    if problems:
        raise InputError(problems)
    return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """A secret that is to be opened: for what, what it must hold, and where that is said."""

    what: str
    reference: SecretReference
    octets: Callable[[str], bytes]
    line: int | None = None


def _uses(topology: Topology) -> Iterator[_Use]:
    for link in topology.links:
        for use in uses_of(link.macsec, link.mistakes) if link.macsec else ():
            what = f"{link.segment}, {use}"
            yield _Use(what=what, reference=use.reference, octets=use.rule.octets, line=link.line)
    for node in topology.nodes:
        for neighbor in node.bgp.neighbors if node.bgp else ():
            if neighbor.password is not None:
                what = f"{node.name}, MD5 key of the session with {neighbor.node}"
                yield _Use(what=what, reference=neighbor.password, octets=PASSWORD_RULE.octets)


def _open(reference: SecretReference, root: Path, identity: str, now: float) -> str:
    return Vault(root, reference.vault).get_secret(reference.secret, reference.version, identity, now).value
