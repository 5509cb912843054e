"""What a vault and a secret may be called, and the URL that names a secret. Azure's rules.

    https://VAULT.vault.azure.net/secrets/SECRET[/VERSION]

Names are compared without regard to case, so they are lower-cased here, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.errors import InputError

VAULT_RULE = "a vault has a name of 3 to 24 letters, digits and single hyphens, with a letter first and no hyphen last"
NAME_RULE = "a secret has a name of 1 to 127 letters, digits and hyphens"
VERSION_RULE = "a version has 32 hex digits"
URL_RULE = "write https://VAULT.vault.azure.net/secrets/SECRET, with /VERSION behind it to pin one"

_VAULT = re.compile(r"(?=.{3,24}\Z)[a-z](?:-?[a-z0-9])+\Z")
_SECRET = re.compile(r"[a-z0-9-]{1,127}\Z")
_VERSION = re.compile(r"[0-9a-f]{32}\Z")
_HOST = ".vault.azure.net"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUrl:
    """A secret's URL, taken apart. Without a version it means the current one."""

    vault: str
    secret: str
    version: str | None = None

    def __str__(self) -> str:
        url = f"https://{self.vault}{_HOST}/secrets/{self.secret}"
        return url if self.version is None else f"{url}/{self.version}"


def check_vault_name(name: str) -> str:
    """Give the name in lower case.

    Raises:
        InputError: it cannot be a vault's.
    """
    return _checked(name, _VAULT, VAULT_RULE)


def check_secret_name(name: str) -> str:
    """Give the name in lower case.

    Raises:
        InputError: it cannot be a secret's.
    """
    return _checked(name, _SECRET, NAME_RULE)


def check_version(version: str) -> str:
    """Give the version in lower case.

    Raises:
        InputError: it cannot be one.
    """
    return _checked(version, _VERSION, VERSION_RULE)


def parse_secret_url(url: str) -> SecretUrl:
    """Take a secret's URL apart.

    Raises:
        InputError: it is none, with what would be.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() != "https":
        raise InputError(f"{url!r} is not a secret's URL; {URL_RULE}")
    host, *path = rest.removesuffix("/").split("/")
    host = host.lower().removesuffix(":443")
    if not host.endswith(_HOST) or len(path) not in (2, 3) or path[0].lower() != "secrets":
        raise InputError(f"{url!r} is not a secret's URL; {URL_RULE}")
    return SecretUrl(
        vault=check_vault_name(host.removesuffix(_HOST)),
        secret=check_secret_name(path[1]),
        version=check_version(path[2]) if len(path) == 3 else None,
    )


def _checked(text: str, pattern: re.Pattern[str], rule: str) -> str:
    lowered = text.lower()
    if not pattern.match(lowered):
        raise InputError(f"{text!r} will not do: {rule}")
    return lowered
