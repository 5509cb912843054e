"""V: whose implementation this is. Told to people, never acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from dataplane.ike.payloads.kinds import PayloadType


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorId:
    """A vendor ID payload: octets that their vendor chose (RFC 7296 3.12)."""

    payload_type: ClassVar[int] = PayloadType.VENDOR
    critical: ClassVar[bool] = False

    octets: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Take the body as it is."""
        return cls(octets=body)

    def emit(self) -> bytes:
        """The payload's body."""
        return self.octets
