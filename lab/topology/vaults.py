"""Between a topology and the vaults: making its own secrets, and opening all that it names."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.azure.macsec import CKN_RULE, cipher_of_suite
from lab.errors import InputError, Problem
from lab.model.macsec import MacsecPolicy
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
    roots = Roots.of(topology, lab_root, user_root)
    values: dict[SecretReference, str | None] = {}
    opened: dict[str, bytes] = {}
    problems: list[Problem] = []
    for what, line, use in _uses(topology):
        reference = use.reference
        try:
            if reference not in values:
                values[reference] = None
                vault = roots.vault(reference.vault)
                values[reference] = vault.get_secret(reference.secret, reference.version, topology.identity, now).value
            value = values[reference]
            if value is not None:
                opened[str(reference)] = use.rule.octets(value)
        except (InputError, ValueError) as error:
            text = f"{what}, {use} {reference}: {error}"
            problems.append(Problem(file=topology.source, line=line, text=text))
    if problems:
        raise InputError(problems)
    return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where vaults are: those that were made for a lab, by their names, and all others."""

    own: frozenset[str]
    lab: Path
    user: Path

    @classmethod
    def of(cls, topology: Topology, lab: Path, user: Path) -> Roots:
        """Those of a topology."""
        return cls(own=frozenset(made.vault for made in topology.generated_secrets), lab=lab, user=user)

    def vault(self, name: str) -> Vault:
        """The vault of that name.

        Raises:
            InputError: there is none.
        """
        return Vault(self.lab if name in self.own else self.user, name)


def open_pair(
    policy: MacsecPolicy, ckn: SecretReference, cak: SecretReference, roots: Roots, identity: str, now: float
) -> tuple[bytes, bytes]:
    """A CKN and a CAK as the vaults hold them now, fit for a policy.

    Raises:
        InputError: a vault refuses, or what it holds is not what the policy takes.
    """
    opened = []
    rules = (("CKN", ckn, CKN_RULE), ("CAK", cak, cipher_of_suite(policy.cipher_suite).cak_rule))
    for name, reference, rule in rules:
        value = roots.vault(reference.vault).get_secret(reference.secret, reference.version, identity, now).value
        try:
            opened.append(rule.octets(value))
        except ValueError as error:
            raise InputError(f"{name} {reference}: {error}") from None
    return opened[0], opened[1]


def renew_pair(ckn: SecretReference, cak: SecretReference, roots: Roots, now: float) -> None:
    """Give a CKN and a CAK new versions, at random.

    Raises:
        InputError: a vault refuses, or a reference pins a version.
    """
    for reference in (cak, ckn):  # the name last: with it alone, nothing would have changed
        if reference.version is not None:
            raise InputError(f"{reference} pins a version, which stays what it is; name others with --ckn and --cak")
        roots.vault(reference.vault).rotate_secret(reference.secret, OPERATOR, now)


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
