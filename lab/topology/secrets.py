"""The secrets that a topology names: those made for it, those it reads, and what each must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.azure.macsec import cipher_of_suite
from lab.model.macsec import MacsecPolicy
from lab.model.secret import SecretReference
from lab.model.topology import GeneratedSecret
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawSecret
from lab.topology.wires import Wire
from lab.vault.names import check_secret_name, check_vault_name, parse_secret_url

_OCTETS = (1, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """A use of a secret: how many octets it must hold there, and as what."""

    node: str
    reference: SecretReference
    octets: int
    purpose: str


def uses_of(policy: MacsecPolicy) -> tuple[SecretUse, ...]:
    """Every secret that a link's policy needs."""
    cipher = cipher_of_suite(policy.cipher_suite)
    purpose = f"a SAK of {policy.cipher_suite}"
    if cipher.salt_octets:
        purpose += f" ({cipher.key_octets}, then {cipher.salt_octets} of salt)"
    octets = cipher.key_octets + cipher.salt_octets
    return tuple(
        SecretUse(node=node, reference=reference, octets=octets, purpose=purpose)
        for node, reference in policy.keys.saks
    )


def read_vaults(
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None], problems: Problems
) -> tuple[GeneratedSecret, ...]:
    """The secrets that are made anew for each `up`."""
    made = []
    for vault, secrets in vaults.items():
        path: Path = ("vaults", vault)
        name = _checked(check_vault_name, vault, path, problems)
        for written, raw in (secrets or {}).items():
            secret = _checked(check_secret_name, written, (*path, written), problems)
            if name is None or secret is None or raw is None:
                continue
            low, high = _OCTETS
            if not low <= raw.random <= high:
                text = f"{raw.random} octets will not do; it goes from {low} to {high}"
                problems.add((*path, written, "random"), text)
            made.append(GeneratedSecret(vault=name, secret=secret, octets=raw.random))
    return tuple(made)


def read_keys(
    wire: Wire, keys: Mapping[str, str], path: Path, problems: Problems
) -> tuple[tuple[str, SecretReference], ...]:
    """A SAK for each direction, by who transmits with it."""
    nodes = [end.node for end in wire.ends]
    for node in keys:
        if node not in nodes:
            problems.add(
                (*path, node), f"{node!r} is not an end of this link, so it has no key here; {near(node, nodes)}"
            )
    saks = []
    for node in nodes:
        if node not in keys:
            problems.add(path, f"has no key for what {node} sends; write `{node}: https://...`")
            continue
        try:
            url = parse_secret_url(keys[node])
        except ValueError as error:
            problems.add((*path, node), str(error))
            continue
        saks.append((node, SecretReference(vault=url.vault, secret=url.secret, version=url.version)))
    return tuple(saks)


def check_uses(
    policies: Sequence[tuple[Wire, MacsecPolicy]],
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None],
    made: Sequence[GeneratedSecret],
    problems: Problems,
) -> None:
    """Secrets that are made here exist and have the length that their use needs; no key serves two links."""
    lengths = {(secret.vault, secret.secret): secret.octets for secret in made}
    own = {vault.lower(): {secret.lower() for secret in secrets or {}} for vault, secrets in vaults.items()}
    first: dict[SecretReference, Wire] = {}
    for wire, policy in policies:
        for use in uses_of(policy):
            path = (*wire.path, "macsec", "keys", use.node)
            if use.reference.vault in own:
                _check_made(use, own[use.reference.vault], lengths, path, problems)
            else:
                text = (
                    f"static SAK {use.reference} outlives the lab, and each `up` counts packets from 1 again under the "
                    "same key; name the secret under `vaults:` to have it made anew"
                )
                problems.warn(path, text)
            other = first.setdefault(use.reference, wire)
            if other is not wire:
                # With an XPN suite the nonce is (SSCI, PN), and SSCIs are the same few numbers on every link.
                line = problems.document.line(other.path)
                problems.add(
                    path, f"keys {other.segment}, line {line}, already; packet numbers of two links would meet"
                )


def _check_made(
    use: SecretUse, secrets: set[str], lengths: Mapping[tuple[str, str], int], path: Path, problems: Problems
) -> None:
    vault, secret = use.reference.vault, use.reference.secret
    if secret not in secrets:
        problems.add(path, f"vault {vault} has no secret {secret!r}; {near(secret, sorted(secrets))}")
    elif use.reference.version is not None:
        problems.add(path, f"vault {vault} is made anew at each `up`, so no version can be named; end with {secret!r}")
    elif (octets := lengths.get((vault, secret), use.octets)) != use.octets:
        text = f"{secret} has {octets} random octets, and {use.purpose} has {use.octets}; write `random: {use.octets}`"
        problems.add(path, text)


def _checked(check: Callable[[str], str], name: str, path: Path, problems: Problems) -> str | None:
    try:
        return check(name)
    except ValueError as error:
        problems.add(path, str(error))
        return None
