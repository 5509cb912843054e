"""`wireproof vault`: keep secrets as Azure Key Vault does, make it refuse as Azure's does, and see who read what."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from lab.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from lab.azure.macsec import KeyRule
    from lab.vault.records import Attributes, SecretVersion
    from lab.vault.vault import Vault

_identity = click.option("--as", "identity", default="operator", show_default=True, help="Who asks.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_version = click.option("--version", help="A version; without it, the current one.")
_not_before = click.option("--not-before", help="From when on it may be read, as 2030-01-31T12:00:00Z.")
_expires = click.option("--expires", help="Until when it may be read.")


@click.group("vault")
@click.option("--lab", metavar="NAME", help="The vaults of a running lab, instead of your own.")
@click.pass_context
def vault_command(context: click.Context, lab: str | None) -> None:
    """Keep secrets as Azure Key Vault does, make it refuse as Azure's does, and see who read what.

    Your vaults are below $WIREPROOF_VAULTS, else $XDG_DATA_HOME/wireproof/vaults, else ~/.local/share/wireproof/vaults.
    A topology names a secret as https://VAULT.vault.azure.net/secrets/SECRET, with /VERSION behind it to pin one.
    """
    from lab.vault.roots import user_root

    context.obj = user_root(os.environ) if lab is None else _vaults_of(lab)


def _vaults_of(lab: str) -> Path:
    """Where a lab's own vaults are; they stay when it is taken down."""
    from lab.holder.labs import absence
    from lab.host.state import LabFolder

    folder = LabFolder.of(lab)
    if not folder.path.is_dir():
        raise absence(folder)
    return folder.vaults


@vault_command.command("create")
@click.argument("name")
@click.pass_context
def create(context: click.Context, name: str) -> None:
    """Make a vault. You may do everything in it, as `operator`; a lab may read, as `lab`."""
    from lab.vault.vault import Vault

    vault = Vault.create(context.obj, name, time.time())
    click.echo(f"vault {vault.name} is at {vault.folder}", err=True)


@vault_command.command("list")
@click.argument("name", required=False)
@_identity
@_json
@click.pass_context
def list_(context: click.Context, name: str | None, identity: str, as_json: bool) -> None:
    """List the vaults, or the secrets of one, with their versions."""
    if name is None:
        from lab.vault.vault import vault_names

        names = vault_names(context.obj)
        if as_json or names:
            click.echo(json.dumps(names) if as_json else "\n".join(names))
        else:
            click.echo(f"no vault in {context.obj}; make one: wireproof vault create NAME", err=True)
        return
    secrets = _open(context, name).list_secrets(identity, time.time())
    if as_json:
        click.echo(json.dumps({secret: [asdict(version) for version in known] for secret, known in secrets.items()}))
        return
    for secret, known in secrets.items():
        for version in known:
            current = "current" if version is known[-1] else ""
            click.echo(f"{secret:30}  {version.version}  {current:7}  {_described(version)}")


@vault_command.command("show")
@click.argument("name")
@click.argument("secret")
@_version
@click.option("--value", "with_value", is_flag=True, help="Print what it holds, too.")
@_identity
@_json
@click.pass_context
def show(
    context: click.Context, name: str, secret: str, version: str | None, with_value: bool, identity: str, as_json: bool
) -> None:
    """Read a secret: its version and attributes, and its value if asked for. The audit log will say so."""
    opened = _open(context, name).get_secret(secret, version, identity, time.time())
    if as_json:
        click.echo(json.dumps(asdict(opened.version) | ({"value": opened.value} if with_value else {})))
    else:
        click.echo(f"{opened.version.version}  {_described(opened.version)}", err=with_value)
        click.echo(opened.value if with_value else "", nl=with_value)


@vault_command.command("set")
@click.argument("name")
@click.argument("secret")
@click.option("--random", "octets", type=int, is_flag=False, flag_value=0, help="Make it: so many random octets.")
@click.option("--cak", metavar="CIPHER", help="It is a CAK for this cipher, as in --cak GcmAesXpn256.")
@click.option("--sak", metavar="CIPHER", help="It is a static SAK for this cipher.")
@click.option("--ckn", is_flag=True, help="It is a CKN.")
@_not_before
@_expires
@click.option("--disabled", is_flag=True, help="It may not be read.")
@_identity
@click.pass_context
def set_(
    context: click.Context,
    name: str,
    secret: str,
    octets: int | None,
    cak: str | None,
    sak: str | None,
    ckn: bool,
    not_before: str | None,
    expires: str | None,
    disabled: bool,
    identity: str,
) -> None:
    """Give a secret a new version, which is then the current one; print its URL.

    Its value is read from standard input, or made by --random. With --cak, --sak or --ckn a value that could not serve
    is refused, and --random needs no number.
    """
    from lab.vault.records import Attributes

    vault = _open(context, name)
    rule = _rule(cak, sak, ckn)
    value = _read_value() if octets is None else _random(octets, rule)
    if rule is not None:
        try:
            rule.octets(value)
        except ValueError as error:
            raise InputError(f"secret {secret} is not set: {error}") from None
    attributes = _changed(Attributes(enabled=not disabled), None, not_before, expires)
    _print_url(vault, secret, vault.set_secret(secret, value, identity, time.time(), attributes))


@vault_command.command("rotate")
@click.argument("name")
@click.argument("secret")
@_identity
@click.pass_context
def rotate(context: click.Context, name: str, secret: str, identity: str) -> None:
    """Give a secret of hex digits a new version, as long and at random; print its URL.

    A link that names the secret without a version keeps the old one until it is told to apply it again.
    """
    vault = _open(context, name)
    _print_url(vault, secret, vault.rotate_secret(secret, identity, time.time()))


@vault_command.command("attributes")
@click.argument("name")
@click.argument("secret")
@_version
@click.option("--enable/--disable", "enabled", default=None, help="Whether it may be read.")
@_not_before
@_expires
@_identity
@click.pass_context
def attributes(
    context: click.Context,
    name: str,
    secret: str,
    version: str | None,
    enabled: bool | None,
    not_before: str | None,
    expires: str | None,
    identity: str,
) -> None:
    """Change whether and when a version may be read: a disabled or expired one is what a link trips over."""

    def change(old: Attributes) -> Attributes:
        return _changed(old, enabled, not_before, expires)

    made = _open(context, name).set_attributes(secret, version, identity, time.time(), change)
    click.echo(f"{made.version}  {_described(made)}")


@vault_command.command("access")
@click.argument("name")
@click.argument("identity")
@click.argument("permissions", nargs=-1, type=click.Choice(["get", "set", "list"]))
@click.pass_context
def access(context: click.Context, name: str, identity: str, permissions: tuple[str, ...]) -> None:
    """Let IDENTITY do exactly this in a vault; without permissions, nothing."""
    from lab.vault.records import Permission

    _open(context, name).grant(identity, frozenset(map(Permission, permissions)))


@vault_command.command("firewall")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_context
def firewall(context: click.Context, name: str, state: str) -> None:
    """Shut everybody out of a vault, as one with nothing but a private endpoint does; or let them in again."""
    _open(context, name).shut(state == "on")


@vault_command.command("audit")
@click.argument("name")
@_json
@click.pass_context
def audit(context: click.Context, name: str, as_json: bool) -> None:
    """Print who did what in a vault, to which version, when, and what came of it; oldest first."""
    from lab.vault.records import timestamp

    for entry in _open(context, name).audit():
        if as_json:
            click.echo(json.dumps(entry.to_json()))
        else:
            what = "/".join(part for part in (entry.secret, entry.version) if part)
            click.echo(f"{timestamp(entry.time)}  {entry.identity:12}  {entry.operation:4}  {entry.result:13}  {what}")


def _open(context: click.Context, name: str) -> Vault:
    from lab.vault.vault import Vault

    return Vault(context.obj, name)


def _described(version: SecretVersion) -> str:
    from lab.vault.records import timestamp

    read = version.attributes
    parts = [f"set {timestamp(version.created)}", "enabled" if read.enabled else "disabled"]
    if read.not_before is not None:
        parts.append(f"not before {timestamp(read.not_before)}")
    if read.expires is not None:
        parts.append(f"expires {timestamp(read.expires)}")
    return ", ".join(parts)


def _print_url(vault: Vault, secret: str, made: SecretVersion) -> None:
    from lab.vault.names import SecretUrl

    click.echo(str(SecretUrl(vault=vault.name, secret=secret.lower(), version=made.version)))


def _changed(old: Attributes, enabled: bool | None, not_before: str | None, expires: str | None) -> Attributes:
    """What was not given stays as it was."""
    from lab.vault.records import parse_timestamp

    new = old if enabled is None else replace(old, enabled=enabled)
    new = new if not_before is None else replace(new, not_before=parse_timestamp(not_before))
    return new if expires is None else replace(new, expires=parse_timestamp(expires))


def _rule(cak: str | None, sak: str | None, ckn: bool) -> KeyRule | None:
    """What the value must be."""
    from lab.azure.macsec import CIPHERS, CKN_RULE

    if (cak is not None) + (sak is not None) + ckn > 1:
        raise InputError("a secret is one of --cak, --sak and --ckn")
    if ckn:
        return CKN_RULE
    name = cak or sak
    if name is None:
        return None
    if name not in CIPHERS:
        raise InputError(f"unknown cipher {name!r}; known are {', '.join(CIPHERS)}")
    return CIPHERS[name].cak_rule if cak else CIPHERS[name].sak_rule


def _random(octets: int, rule: KeyRule | None) -> str:
    """Hex digits for so many random octets; 0 means as many as the rule wants."""
    import secrets

    octets = octets or (rule.most if rule else 0)
    if not 1 <= octets <= 1024:
        raise InputError("say how many octets, as in --random 32 (1 to 1024), or what for, as in --random --ckn")
    return secrets.token_hex(octets)


def _read_value() -> str:
    """The value on standard input, without the end of its line; typed at a terminal, it is not shown."""
    if sys.stdin.isatty():
        value: str = click.prompt("value", hide_input=True, err=True)
        return value
    return sys.stdin.read().removesuffix("\n")
