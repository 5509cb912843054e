"""A payload whose body is carried, not read: of a type unknown here, or understood and of no use with shared keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaquePayload:
    """Any payload: CERT, CERTREQ, CP, EAP (RFC 7296 3.6, 3.7, 3.15, 3.16) and whatever was invented since."""

    payload_type: int
    body: bytes
    critical: bool = False

    def emit(self) -> bytes:
        """The payload's body, as it came."""
        return self.body
