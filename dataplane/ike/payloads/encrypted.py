"""SK: the payloads of a message, encrypted and authenticated as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.chain import Link
from dataplane.ike.payloads.kinds import PayloadType


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedPayload:
    """An SK payload, still closed. Its generic header names the first payload inside.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------------------------------------------------------+
    |            IV, as long as the encryption transform says       |
    +---------------------------------------------------------------+
    |            encrypted: payloads, padding, pad length           ~
    +---------------------------------------------------------------+
    |            ICV, as long as the integrity transform says       ~
    +---------------------------------------------------------------+
                                                      RFC 7296 3.14
    """

    payload_type: ClassVar[int] = PayloadType.SK

    first_inner: int
    sealed: bytes

    @classmethod
    def of(cls, link: Link) -> Self:
        """The SK payload at the end of a chain."""
        return cls(first_inner=link.next_type, sealed=link.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedFragment:
    """An SKF payload, still closed: part `number` (from 1) of `total`. Only part 1 names the first payload inside.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------------------------------+-------------------------------+
    |        fragment number        |        total fragments        |
    +-------------------------------+-------------------------------+
    |        IV, encrypted part with padding, ICV, as in SK         ~
    +---------------------------------------------------------------+
                                                       RFC 7383 2.5
    """

    payload_type: ClassVar[int] = PayloadType.SKF

    first_inner: int
    number: int
    total: int
    sealed: bytes

    @classmethod
    def of(cls, link: Link) -> Self:
        """The SKF payload at the end of a chain.

        Raises:
            WireError: numbers that no fragment has.
        """
        if len(link.body) < 4:
            raise WireError(f"an SKF payload of {len(link.body)} octets has no fragment numbers")
        number, total = int.from_bytes(link.body[:2], "big"), int.from_bytes(link.body[2:4], "big")
        if not 1 <= number <= total:
            raise WireError(f"fragment {number} of {total}")
        if (link.next_type != PayloadType.NONE) != (number == 1):
            raise WireError(f"fragment {number} of {total} has next payload {link.next_type}")
        return cls(first_inner=link.next_type, number=number, total=total, sealed=link.body[4:])
