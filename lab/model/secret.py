"""Naming a secret in a vault, without holding it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A secret of a vault; without a version, the current one at the time it is applied."""

    vault: str
    secret: str
    version: str | None = None

    def __str__(self) -> str:
        url = f"https://{self.vault}.vault.azure.net/secrets/{self.secret}"
        return url if self.version is None else f"{url}/{self.version}"
