"""Putting the parts of a fragmented message together (RFC 7383 2.6). Parts are opened, and so authentic, before."""

from __future__ import annotations

from typing import Final, final

MOST_FRAGMENTS: Final = 64
MOST_OCTETS: Final = 65535


@final
class Reassembly:
    """The parts of one message at a time; a part of a message with another ID drops what was there."""

    __slots__ = ("_first_inner", "_message_id", "_parts", "_total")

    def __init__(self) -> None:
        self._message_id = -1
        self._total = 0
        self._first_inner = 0
        self._parts: dict[int, bytes] = {}

    def add(
        self, message_id: int, number: int, total: int, first_inner: int, content: bytes
    ) -> tuple[int, bytes] | None:
        """Take part `number` of `total`; with the last that was missing, give the first type and the whole chain."""
        if total > MOST_FRAGMENTS:
            return None
        if message_id != self._message_id or total > self._total:
            # RFC 7383 2.6: more fragments than before means that the peer went to a smaller size, and begins anew.
            self._message_id, self._total, self._parts = message_id, total, {}
        if total < self._total or number in self._parts:
            return None
        if sum(map(len, self._parts.values())) + len(content) > MOST_OCTETS:
            return None
        self._parts[number] = content
        if number == 1:
            self._first_inner = first_inner
        if len(self._parts) < total:
            return None
        chain = b"".join(self._parts[index] for index in range(1, total + 1))
        self._message_id, self._total, self._parts = -1, 0, {}
        return self._first_inner, chain
