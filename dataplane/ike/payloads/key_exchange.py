"""KE: a public value."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.kinds import PayloadType

_FIXED: Final = struct.Struct("!HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExchangePayload:
    """A KE payload.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------------------------------+-------------------------------+
    |            group              |           reserved            |
    +-------------------------------+-------------------------------+
    |            public value, as long as the group says            ~
    +---------------------------------------------------------------+
                                                       RFC 7296 3.4
    """

    payload_type: ClassVar[int] = PayloadType.KE
    critical: ClassVar[bool] = False

    group: int
    public: bytes

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body; whether the value fits the group is the group's to say.

        Raises:
            WireError: shorter than the fixed part, or no value.
        """
        if len(body) <= _FIXED.size:
            raise WireError(f"a KE payload of {len(body)} octets has no public value")
        group, _ = _FIXED.unpack_from(body)
        return cls(group=group, public=body[_FIXED.size :])

    def emit(self) -> bytes:
        """The payload's body."""
        return _FIXED.pack(self.group, 0) + self.public
