"""SK and SKF: the payloads of a message, encrypted and authenticated as one, or a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dataplane.errors import WireError
from dataplane.ike.payloads.chain import Link
from dataplane.ike.payloads.kinds import PayloadType


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedFragment:
    """Part `number` (from 1) of `total`, still closed: everything from the IV on. An SK payload is part 1 of 1.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +-------------------------------+-------------------------------+
       |        fragment number        |        total fragments        |  in SKF alone
       +-------------------------------+-------------------------------+
       |            IV, as long as the encryption transform says       ~
       +---------------------------------------------------------------+
       |            encrypted: payloads, padding, pad length           ~
       +---------------------------------------------------------------+
       |            ICV, as long as the integrity transform says       ~
       +---------------------------------------------------------------+
                                              RFC 7296 3.14, RFC 7383 2.5

    The generic header of part 1 names the first payload inside, `first_inner`; that of the others names none.
    """

    first_inner: int
    number: int
    total: int
    sealed: bytes

    @classmethod
    def of(cls, link: Link) -> Self:
        """What the SK or SKF payload at the end of a chain holds.

        Raises:
            WireError: numbers that no fragment has.
        """
        if link.payload_type == PayloadType.SK:
            return cls(first_inner=link.next_type, number=1, total=1, sealed=link.body)
        if len(link.body) < 4:
            raise WireError(f"an SKF payload of {len(link.body)} octets has no fragment numbers")
        number, total = int.from_bytes(link.body[:2], "big"), int.from_bytes(link.body[2:4], "big")
        if not 1 <= number <= total:
            raise WireError(f"fragment {number} of {total}")
        if (link.next_type != PayloadType.NONE) != (number == 1):
            raise WireError(f"fragment {number} of {total} has next payload {link.next_type}")
        return cls(first_inner=link.next_type, number=number, total=total, sealed=link.body[4:])
