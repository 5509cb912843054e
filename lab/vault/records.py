"""What is written in a vault's files: its settings, the versions of its secrets, its audit log.

Times are seconds since 1970. Only `OpenedSecret` holds what a secret holds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from lab.errors import InputError
from lab.vault.files import JsonValue


class Permission(enum.StrEnum):
    """What an identity may do with the secrets of a vault."""

    GET = "get"
    SET = "set"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Who may do what in a vault, and whether its firewall shuts everybody out."""

    created: float
    access: Mapping[str, frozenset[Permission]]
    firewall: bool = False

    def to_json(self) -> dict[str, JsonValue]:
        """As it stands in `vault.json`."""
        access: dict[str, JsonValue] = {who: [*sorted(granted)] for who, granted in sorted(self.access.items())}
        return {"created": self.created, "firewall": self.firewall, "access": access}

    @classmethod
    def from_json(cls, content: Mapping[str, JsonValue]) -> Settings:
        """From `vault.json`.

        Raises:
            ValueError: something is missing or not of its kind.
        """
        created, firewall, access = content.get("created"), content.get("firewall"), content.get("access")
        if not isinstance(created, int | float) or not isinstance(firewall, bool) or not isinstance(access, dict):
            raise ValueError("not a vault's settings")
        granted: dict[str, frozenset[Permission]] = {}
        for who, permissions in access.items():
            if not isinstance(permissions, list):
                raise ValueError(f"the permissions of {who} are not a list")
            granted[who] = frozenset(Permission(str(permission)) for permission in permissions)
        return cls(created=created, firewall=firewall, access=granted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Whether and when a version may be read: from `not_before` on, and before `expires`."""

    enabled: bool = True
    not_before: float | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """A version of a secret. `ordinal` counts a secret's versions from 1; the greatest is the current one."""

    version: str
    ordinal: int
    created: float
    updated: float
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSecret:
    """A version with what it holds."""

    version: SecretVersion
    value: str = field(repr=False)

    def to_json(self) -> dict[str, JsonValue]:
        """As it stands in the version's file; the version itself is the file's name."""
        written = self.version
        return {
            "ordinal": written.ordinal,
            "created": written.created,
            "updated": written.updated,
            "value": self.value,
            **asdict(written.attributes),
        }

    @classmethod
    def from_json(cls, version: str, content: Mapping[str, JsonValue]) -> OpenedSecret:
        """From the version's file.

        Raises:
            ValueError: something is missing or not of its kind.
        """
        ordinal, value, enabled = content.get("ordinal"), content.get("value"), content.get("enabled")
        created, updated = _time(content, "created"), _time(content, "updated")
        if not isinstance(ordinal, int) or not isinstance(value, str) or not isinstance(enabled, bool):
            raise ValueError("not a version of a secret")
        if created is None or updated is None:
            raise ValueError("not a version of a secret")
        attributes = Attributes(
            enabled=enabled, not_before=_time(content, "not_before"), expires=_time(content, "expires")
        )
        read = SecretVersion(version=version, ordinal=ordinal, created=created, updated=updated, attributes=attributes)
        return cls(version=read, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A use of a vault: who did what, when, and what came of it ("ok", the refusal, or "failed")."""

    time: float
    identity: str
    operation: Permission
    secret: str | None
    version: str | None
    result: str

    def to_json(self) -> dict[str, JsonValue]:
        """As it stands in the log."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, JsonValue]) -> AuditEntry:
        """From a line of the log.

        Raises:
            ValueError: something is missing or not of its kind.
        """
        time, secret, version = _time(content, "time"), content.get("secret"), content.get("version")
        if time is None:
            raise ValueError("not a line of an audit log")
        return cls(
            time=time,
            identity=str(content.get("identity")),
            operation=Permission(str(content.get("operation"))),
            secret=None if secret is None else str(secret),
            version=None if version is None else str(version),
            result=str(content.get("result")),
        )


def timestamp(seconds: float) -> str:
    """A time as a person reads it, in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> float:
    """A time as a person writes it, by ISO 8601; without an offset it is in UTC.

    Raises:
        InputError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a time, as 2030-01-31T12:00:00Z is") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time(content: Mapping[str, JsonValue], name: str) -> float | None:
    value = content.get(name)
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"{name} is not a time")
    return value
