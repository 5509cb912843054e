"""One vault: a folder with its settings, a folder for each secret with a file for each version, and the audit log.

    ROOT/VAULT/vault.json
    ROOT/VAULT/audit.jsonl
    ROOT/VAULT/secrets/SECRET/VERSION.json

Every verb names who asks and when. What is refused is logged as well.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.errors import InputError
from lab.vault import files
from lab.vault.names import check_secret_name, check_vault_name, check_version
from lab.vault.records import (
    Attributes,
    AuditEntry,
    OpenedSecret,
    Permission,
    SecretVersion,
    Settings,
    timestamp,
)
from lab.vault.refusal import Refusal, VaultError

# The person at the command line, and the lab that reads what its topology names.
OPERATOR = "operator"
LAB = "lab"
_READABLE = Attributes()
_DEFAULT_ACCESS = {OPERATOR: frozenset(Permission), LAB: frozenset({Permission.GET})}

# Azure's limit for a value, in octets.
MAX_VALUE_OCTETS = 25 * 1024


class Vault:
    """A vault that exists."""

    def __init__(self, root: Path, name: str) -> None:
        """Open a vault.

        Raises:
            VaultError: there is none of that name.
            InputError: no vault can be called so.
        """
        self.name = check_vault_name(name)
        self.folder = root / self.name
        if not files.exists(self._settings_file):
            raise VaultError(
                Refusal.NO_VAULT,
                f"there is no vault {self.name} in {root}; make it: wireproof vault create {self.name}",
            )

    @classmethod
    def create(
        cls, root: Path, name: str, now: float, access: Mapping[str, frozenset[Permission]] = _DEFAULT_ACCESS
    ) -> Vault:
        """Make a vault; the default access lets the operator do everything and a lab read.

        Raises:
            InputError: there is one of that name, or no vault can be called so.
        """
        folder = root / check_vault_name(name)
        if files.exists(folder / "vault.json"):
            raise InputError(f"vault {folder.name} exists already, in {root}")
        files.make_folder(folder / "secrets")
        files.write(folder / "vault.json", Settings(created=now, access=access).to_json())
        return cls(root, name)

    @property
    def _settings_file(self) -> Path:
        return self.folder / "vault.json"

    @property
    def settings(self) -> Settings:
        """Who may do what, as it is now."""
        return files.read(self._settings_file, Settings.from_json)

    def grant(self, identity: str, permissions: frozenset[Permission]) -> None:
        """Let an identity do exactly this; nothing takes it off the list."""
        settings = self.settings
        access = {who: granted for who, granted in settings.access.items() if who != identity}
        if permissions:
            access[identity] = permissions
        files.write(self._settings_file, replace(settings, access=access).to_json())

    def shut(self, shut: bool) -> None:
        """Raise the firewall that keeps everybody out, or lower it."""
        files.write(self._settings_file, replace(self.settings, firewall=shut).to_json())

    def get_secret(self, secret: str, version: str | None, identity: str, now: float) -> OpenedSecret:
        """Read a secret: the given version, else the current one. Logged, allowed or not.

        Raises:
            VaultError: it is refused.
            InputError: nothing can be called so.
        """
        secret = check_secret_name(secret)
        version = None if version is None else check_version(version)
        with self._logged(Permission.GET, secret, identity, now) as used:
            used.version = version
            opened = self._opened(secret, version)
            used.version = opened.version.version
            self._check_valid(secret, opened.version, now)
        return opened

    def set_secret(
        self, secret: str, value: str, identity: str, now: float, attributes: Attributes = _READABLE
    ) -> SecretVersion:
        """Give a secret a new version, which is then the current one.

        Raises:
            VaultError: it is refused.
            InputError: the value is longer than a vault takes, or nothing can be called so.
        """
        secret = check_secret_name(secret)
        if len(value.encode()) > MAX_VALUE_OCTETS:
            raise InputError(f"a secret's value has at most {MAX_VALUE_OCTETS} octets, not {len(value.encode())}")
        with self._logged(Permission.SET, secret, identity, now) as used:
            made = self._add(secret, value, now, attributes)
            used.version = made.version
        return made

    def rotate_secret(self, secret: str, identity: str, now: float) -> SecretVersion:
        """Give a secret of hex digits a new version: as many digits, at random.

        Raises:
            VaultError: it is refused.
            InputError: it holds something else, or nothing can be called so.
        """
        secret = check_secret_name(secret)
        with self._logged(Permission.SET, secret, identity, now) as used:
            digits = self._opened(secret, None).value
            if not re.fullmatch("(?:[0-9a-fA-F]{2})+", digits):
                text = f"secret {secret} does not hold pairs of hex digits; give it its next value yourself"
                raise InputError(f"{text}: wireproof vault set {self.name} {secret}")
            made = self._add(secret, secrets.token_hex(len(digits) // 2), now, _READABLE)
            used.version = made.version
        return made

    def set_attributes(
        self, secret: str, version: str | None, identity: str, now: float, change: Callable[[Attributes], Attributes]
    ) -> SecretVersion:
        """Change the attributes of a version, by default the current one.

        Raises:
            VaultError: it is refused.
            InputError: nothing can be called so.
        """
        secret = check_secret_name(secret)
        with self._logged(Permission.SET, secret, identity, now) as used:
            opened = self._opened(secret, None if version is None else check_version(version))
            used.version = opened.version.version
            made = replace(opened.version, updated=now, attributes=change(opened.version.attributes))
            self._write(secret, replace(opened, version=made))
        return made

    def list_secrets(self, identity: str, now: float) -> dict[str, tuple[SecretVersion, ...]]:
        """Every secret with its versions, oldest first.

        Raises:
            VaultError: it is refused.
        """
        with self._logged(Permission.LIST, None, identity, now):
            names = sorted(path.name for path in (self.folder / "secrets").iterdir() if path.is_dir())
            return {name: tuple(opened.version for opened in self._all_opened(name)) for name in names}

    def audit(self) -> tuple[AuditEntry, ...]:
        """The audit log, oldest first."""
        return tuple(files.lines(self.folder / "audit.jsonl", AuditEntry.from_json))

    def _all_opened(self, secret: str) -> tuple[OpenedSecret, ...]:
        found = [
            files.read(path, partial(OpenedSecret.from_json, path.stem))
            for path in (self.folder / "secrets" / secret).glob("[0-9a-f]*.json")
        ]
        return tuple(sorted(found, key=lambda opened: (opened.version.ordinal, opened.version.created)))

    def _opened(self, secret: str, version: str | None) -> OpenedSecret:
        known = self._all_opened(secret)
        if not known:
            text = f"vault {self.name} has no secret {secret}; make it: wireproof vault set {self.name} {secret}"
            raise VaultError(Refusal.NO_SECRET, text)
        if version is None:
            return known[-1]
        for opened in known:
            if opened.version.version == version:
                return opened
        text = f"secret {secret} of vault {self.name} has no version {version}; without one, the current one is read"
        raise VaultError(Refusal.NO_VERSION, text)

    def _add(self, secret: str, value: str, now: float, attributes: Attributes) -> SecretVersion:
        made = SecretVersion(
            version=secrets.token_hex(16),
            ordinal=max((known.version.ordinal for known in self._all_opened(secret)), default=0) + 1,
            created=now,
            updated=now,
            attributes=attributes,
        )
        self._write(secret, OpenedSecret(version=made, value=value))
        return made

    def _write(self, secret: str, opened: OpenedSecret) -> None:
        folder = self.folder / "secrets" / secret
        files.make_folder(folder)
        files.write(folder / f"{opened.version.version}.json", opened.to_json())

    @contextmanager
    def _logged(self, operation: Permission, secret: str | None, identity: str, now: float) -> Iterator[_Use]:
        """Let the identity in, and log what comes of it; "failed" is neither refused nor done."""
        used = _Use()
        result = "failed"
        try:
            self._admit(identity, operation)
            yield used
            result = "ok"
        except VaultError as error:
            result = error.refusal
            raise
        finally:
            entry = AuditEntry(
                time=now, identity=identity, operation=operation, secret=secret, version=used.version, result=result
            )
            files.append(self.folder / "audit.jsonl", entry.to_json())

    def _admit(self, identity: str, permission: Permission) -> None:
        settings = self.settings
        if settings.firewall:
            text = (
                f"the firewall of vault {self.name} lets nobody in; lower it: wireproof vault firewall {self.name} off"
            )
            raise VaultError(Refusal.FIREWALL, text)
        granted = settings.access.get(identity, frozenset())
        if permission not in granted:
            wanted = " ".join(sorted({*granted, permission}))
            text = (
                f"identity {identity} lacks {permission} on vault {self.name}; grant it: "
                f"wireproof vault access {self.name} {identity} {wanted}"
            )
            raise VaultError(Refusal.IDENTITY, text)

    def _check_valid(self, secret: str, found: SecretVersion, now: float) -> None:
        attributes = found.attributes
        where = f"version {found.version} of secret {secret} in vault {self.name}"
        again = f"set a new version: wireproof vault set {self.name} {secret}"
        if not attributes.enabled:
            raise VaultError(
                Refusal.DISABLED,
                f"{where} is disabled; enable it: wireproof vault attributes {self.name} {secret} --enable",
            )
        if attributes.not_before is not None and now < attributes.not_before:
            text = f"{where} is not valid before {timestamp(attributes.not_before)}; {again}"
            raise VaultError(Refusal.NOT_YET_VALID, text)
        if attributes.expires is not None and now >= attributes.expires:
            raise VaultError(Refusal.EXPIRED, f"{where} expired at {timestamp(attributes.expires)}; {again}")


@dataclass(slots=True)
class _Use:
    """Which version was used, as far as is known."""

    version: str | None = None


def vault_names(root: Path) -> list[str]:
    """The vaults below a folder, sorted."""
    return sorted(path.parent.name for path in root.glob("*/vault.json"))
