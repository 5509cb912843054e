"""The secrets that a topology names: those made for it, those it reads, and what each must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lab.azure.bgp import PASSWORD_RULE
from lab.azure.macsec import CKN_RULE, cipher_of_suite
from lab.errors import InputError
from lab.model.bgp import Bgp
from lab.model.macsec import CakChange, MacsecPolicy, MkaKeys, StaticKeys
from lab.model.roles import Role
from lab.model.secret import SecretReference
from lab.model.topology import GeneratedSecret
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawMacsec, RawSecret
from lab.topology.wires import Wire
from lab.vault.names import check_secret_name, check_vault_name, parse_secret_url

_OCTETS = (1, 1024)


class ValueRule(Protocol):
    """What a secret must hold for a use: how its text is read, and from how many random octets it can be made."""

    @property
    def text(self) -> str:
        """The rule for people."""
        ...

    @property
    def least(self) -> int:
        """The fewest random octets."""
        ...

    @property
    def most(self) -> int:
        """The most."""
        ...

    def octets(self, value: str) -> bytes:
        """Read a secret's value.

        Raises:
            ValueError: it breaks the rule.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse:
    """A use of a secret: for what (`key` is where that stands in `macsec:`), and what it must hold there."""

    key: tuple[str, ...]
    reference: SecretReference
    rule: ValueRule

    def __str__(self) -> str:
        if self.key[0] == "psk":
            return "shared key"
        if self.key[0] == "password":
            return f"MD5 key with {self.key[1]}"
        if len(self.key) == 1:
            return self.key[0].upper()
        return f"{'SAK' if self.key[0] == 'keys' else self.key[-1].upper()} of {self.key[1]}"


Mistakes = Sequence[tuple[str, MacsecPolicy]]
"""What ends of a link were told instead of its policy, by their nodes."""


def uses_of(policy: MacsecPolicy, mistakes: Mistakes = ()) -> tuple[SecretUse, ...]:
    """Every secret that a link needs."""
    uses = _uses_of(policy)
    known = {(use.reference, use.rule) for use in uses}
    others = (
        replace(use, key=("mistakes", node, *use.key)) for node, mistaken in mistakes for use in _uses_of(mistaken)
    )
    return (*uses, *(use for use in others if (use.reference, use.rule) not in known))


def _uses_of(policy: MacsecPolicy) -> tuple[SecretUse, ...]:
    cipher = cipher_of_suite(policy.cipher_suite)
    match policy.keys:
        case StaticKeys(saks=saks):
            rule = cipher.sak_rule
            return tuple(SecretUse(key=("keys", node), reference=sak, rule=rule) for node, sak in saks)
        case MkaKeys(ckn=ckn, cak=cak):
            return (
                SecretUse(key=("ckn",), reference=ckn, rule=CKN_RULE),
                SecretUse(key=("cak",), reference=cak, rule=cipher.cak_rule),
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
                text = f"'random' goes from {low} to {high} octets, not {raw.random}"
                problems.add((*path, written, "random"), text)
            made.append(GeneratedSecret(vault=name, secret=secret, octets=raw.random))
    return tuple(made)


def read_keys(
    wire: Wire, raw: RawMacsec, roles: Mapping[str, Role | None], path: Path, problems: Problems
) -> StaticKeys | MkaKeys | None:
    """What keys a link: a CAK and its CKN for MKA, or a static SAK for each direction. None if it could not be read."""
    by_mka = [name for name in ("ckn", "cak", "change", "delay_protection", "mistakes") if getattr(raw, name)]
    if raw.keys is not None:
        if by_mka:
            problems.add(path, f"'keys' are static SAKs and {by_mka[0]!r} is of MKA; take one of them away")
        return _read_static(wire, raw.keys, (*path, "keys"), problems)
    if not by_mka:
        problems.add(
            path, "macsec needs keys: 'ckn' and 'cak' for MKA, or a static SAK for each direction under 'keys'"
        )
        return None
    for name in ("ckn", "cak"):
        if getattr(raw, name) is None:
            problems.add(path, f"MKA needs {name!r} as well, as in `{name}: https://...`")
    change = _read_change(wire, raw.change, roles, (*path, "change"), problems)
    ckn = reference(raw.ckn, (*path, "ckn"), problems)
    cak = reference(raw.cak, (*path, "cak"), problems)
    if ckn is None or cak is None or change is None:
        return None
    return MkaKeys(ckn=ckn, cak=cak, change=change, delay_protection=raw.delay_protection)


def _read_change(
    wire: Wire, change: str | None, roles: Mapping[str, Role | None], path: Path, problems: Problems
) -> CakChange | None:
    if change in tuple(CakChange):
        return CakChange(change)
    if change is not None:
        problems.add(path, f"unknown change {change!r}; {near(change, CakChange)}")
        return None
    # Azure's end has one pair, which is replaced.
    return CakChange.AZURE if any(roles.get(end.node) is Role.MSEE for end in wire.ends) else CakChange.HITLESS


def _read_static(wire: Wire, keys: Mapping[str, str], path: Path, problems: Problems) -> StaticKeys:
    nodes = [end.node for end in wire.ends]
    for node in keys:
        if node not in nodes:
            text = f"{node!r} is not an end of this link, so it has no key here; {near(node, nodes)}"
            problems.add((*path, node), text)
    saks = []
    for node in nodes:
        if node not in keys:
            problems.add(path, f"'keys' has no SAK for what {node} sends; write `{node}: https://...`")
        elif sak := reference(keys[node], (*path, node), problems):
            saks.append((node, sak))
    return StaticKeys(saks=tuple(saks))


def reference(url: str | None, path: Path, problems: Problems) -> SecretReference | None:
    """The secret that is named, None where none is or it cannot be read."""
    if url is None:
        return None
    try:
        read = parse_secret_url(url)
    except InputError as error:
        problems.add(path, str(error))
        return None
    return SecretReference(vault=read.vault, secret=read.secret, version=read.version)


def check_uses(
    policies: Sequence[tuple[Wire, MacsecPolicy, Mistakes]],
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None],
    made: Sequence[GeneratedSecret],
    problems: Problems,
) -> None:
    """Secrets that are made here exist and have the length that their use needs; no key serves two links."""
    lengths = {(secret.vault, secret.secret): secret.octets for secret in made}
    own = {vault.lower(): {secret.lower() for secret in secrets or {}} for vault, secrets in vaults.items()}
    first: dict[SecretReference, Wire] = {}
    for wire, policy, mistakes in policies:
        path = (*wire.path, "macsec")
        for use in uses_of(policy, mistakes):
            if use.reference.vault in own:
                _check_made(use, own[use.reference.vault], lengths, (*path, *use.key), problems)
            elif isinstance(policy.keys, StaticKeys):
                text = (
                    f"static SAKs of vault {use.reference.vault} outlive the lab, and each `up` counts packets from 1 "
                    "again under the same keys; name them under `vaults:` to have them made anew"
                )
                problems.warn((*path, "keys"), text)
            _check_shared(use, wire, first, policy, problems)


def check_passwords(
    speakers: Mapping[str, Bgp],
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None],
    made: Sequence[GeneratedSecret],
    problems: Problems,
) -> None:
    """MD5 keys of BGP sessions that are made here exist, and are no longer than one may be as hex digits."""
    for node, bgp in speakers.items():
        for use in passwords(bgp):
            check_made(use, vaults, made, ("nodes", node, "bgp", "neighbors"), problems)


def passwords(bgp: Bgp) -> Iterator[SecretUse]:
    """The MD5 keys that a node's sessions need."""
    for neighbor in bgp.neighbors:
        if neighbor.password is not None:
            yield SecretUse(key=("password", neighbor.node), reference=neighbor.password, rule=PASSWORD_RULE)


def check_made(
    use: SecretUse,
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None],
    made: Sequence[GeneratedSecret],
    path: Path,
    problems: Problems,
) -> None:
    """A secret that is made here, if it is, exists and has the length that its use needs."""
    own = {vault.lower(): {secret.lower() for secret in secrets or {}} for vault, secrets in vaults.items()}
    lengths = {(secret.vault, secret.secret): secret.octets for secret in made}
    if use.reference.vault in own:
        _check_made(use, own[use.reference.vault], lengths, path, problems)


def _check_shared(
    use: SecretUse, wire: Wire, first: dict[SecretReference, Wire], policy: MacsecPolicy, problems: Problems
) -> None:
    other = first.setdefault(use.reference, wire)
    if other is wire:
        return
    path = (*wire.path, "macsec", *use.key)
    text = f"{use.reference.secret} keys {other.segment}, line {problems.document.line(other.path)}"
    if isinstance(policy.keys, StaticKeys):
        # With an XPN suite the nonce is (SSCI, PN), and SSCIs are the same few numbers on every link.
        problems.add(path, f"{text}; with a static SAK on two links, packet numbers repeat under one key")
    else:
        problems.warn(path, f"{text}; whoever learns it reads both links, so give each its own")


def _check_made(
    use: SecretUse, secrets: set[str], lengths: Mapping[tuple[str, str], int], path: Path, problems: Problems
) -> None:
    vault, secret = use.reference.vault, use.reference.secret
    if secret not in secrets:
        problems.add(path, f"vault {vault} has no secret {secret!r}; {near(secret, sorted(secrets))}")
    elif use.reference.version is not None:
        problems.add(path, f"vault {vault} is made anew at each `up`, so no version can be named; end with {secret!r}")
    elif not use.rule.least <= (octets := lengths.get((vault, secret), use.rule.least)) <= use.rule.most:
        text = f"{secret} has {octets} random octets, and {use.rule.text}; write `random: {use.rule.most}`"
        problems.add(path, text)


def _checked(check: Callable[[str], str], name: str, path: Path, problems: Problems) -> str | None:
    try:
        return check(name)
    except InputError as error:
        problems.add(path, str(error))
        return None
