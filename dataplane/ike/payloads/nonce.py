"""Ni and Nr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.kinds import PayloadType

MINIMUM_OCTETS: Final = 16
MAXIMUM_OCTETS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NoncePayload:
    """A nonce payload: nothing but the nonce, 16 to 256 octets (RFC 7296 3.9)."""

    payload_type: ClassVar[int] = PayloadType.NONCE
    critical: ClassVar[bool] = False

    nonce: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body.

        Raises:
            WireError: a nonce that is too short or too long.
        """
        if not MINIMUM_OCTETS <= len(body) <= MAXIMUM_OCTETS:
            raise WireError(f"a nonce has {MINIMUM_OCTETS} to {MAXIMUM_OCTETS} octets, not {len(body)}")
        return cls(nonce=body)

    def emit(self) -> bytes:
        """The payload's body."""
        return self.nonce
