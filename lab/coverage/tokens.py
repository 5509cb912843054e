"""Looking for canary tokens in octets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final


@final
class Tokens:
    """A set of tokens, searched for at once. Truth means that there is any."""

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self._tokens: Final = tuple(dict.fromkeys(tokens))
        if b"" in self._tokens:
            raise ValueError("an empty token is found everywhere")

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def are_in(self, octets: bytes) -> bool:
        """Whether any token is in these octets."""
        return any(token in octets for token in self._tokens)
