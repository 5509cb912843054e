"""Why a vault does not give a secret, in one word a program can tell apart and one sentence a person can act on."""

from __future__ import annotations

import enum

from lab.errors import InputError


class Refusal(enum.StrEnum):
    """The ways in which a vault refuses."""

    NO_VAULT = "no-vault"
    NO_SECRET = "no-secret"  # noqa: S105 - a reason, not a password
    NO_VERSION = "no-version"
    IDENTITY = "identity"
    FIREWALL = "firewall"
    DISABLED = "disabled"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"


class VaultError(InputError):
    """A vault refused."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        self.refusal = refusal
        super().__init__(text)
