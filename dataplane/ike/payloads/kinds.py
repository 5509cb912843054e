"""The payload types (IANA "IKEv2 Payload Types") and what every payload can do."""

from __future__ import annotations

import enum
from typing import Protocol


class PayloadType(enum.IntEnum):
    """The types this engine understands. A type outside is skipped, or refused if marked critical (RFC 7296 2.5)."""

    NONE = 0
    SA = 33
    KE = 34
    IDI = 35
    IDR = 36
    CERT = 37
    CERTREQ = 38
    AUTH = 39
    NONCE = 40
    NOTIFY = 41
    DELETE = 42
    VENDOR = 43
    TSI = 44
    TSR = 45
    SK = 46
    CP = 47
    EAP = 48
    SKF = 53


UNDERSTOOD = frozenset(int(kind) for kind in PayloadType) - {int(PayloadType.NONE)}


class Payload(Protocol):
    """A payload without its generic header."""

    @property
    def payload_type(self) -> int:
        """The number that the payload before it carries in its next payload field."""
        ...

    @property
    def critical(self) -> bool:
        """The generic header's critical bit."""
        ...

    def emit(self) -> bytes:
        """The payload's body."""
        ...
