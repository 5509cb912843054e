"""Octets that must not be seen by accident. Whoever needs them says so by name: `reveal`."""

from __future__ import annotations

from typing import Final, final

from dataplane.crypto.compare import equal


@final
class Secret:
    """Key material. Never shown by repr, str or format; compared in constant time; not hashable, not picklable."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        self._octets: Final = bytes(octets)

    def reveal(self) -> bytes:
        """The octets themselves."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return equal(self._octets, other._octets)

    def __repr__(self) -> str:
        return f"<Secret of {len(self._octets)} octets>"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")
