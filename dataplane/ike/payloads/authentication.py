"""AUTH: the proof of the shared key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.kinds import PayloadType

SHARED_KEY_MIC: Final = 2
_FIXED_OCTETS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationPayload:
    """An AUTH payload.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-----------------------------------------------+
    |    method     |                   reserved                    |
    +---------------+-----------------------------------------------+
    |                      authentication data                      ~
    +---------------------------------------------------------------+
                                                       RFC 7296 3.8
    """

    payload_type: ClassVar[int] = PayloadType.AUTH
    critical: ClassVar[bool] = False

    method: int = SHARED_KEY_MIC
    data: bytes = field(repr=False)  # an AUTH value lets weak keys be guessed at leisure

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body.

        Raises:
            WireError: shorter than the fixed part, or no data.
        """
        if len(body) <= _FIXED_OCTETS:
            raise WireError(f"an AUTH payload of {len(body)} octets proves nothing")
        return cls(method=body[0], data=body[_FIXED_OCTETS:])

    def emit(self) -> bytes:
        """The payload's body."""
        return bytes((self.method, 0, 0, 0)) + self.data
