"""Who is the key server: a pure function of what the live members say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

NEVER: Final = 255
"""The key server priority of a member that will not be key server (802.1X-2020 Table 9-2)."""


class Candidate(NamedTuple):
    """A live member. The numerically lower priority is the higher one, then the lower SCI (802.1X-2020 9.5)."""

    priority: int
    sci: bytes


def elect(members: Iterable[Candidate]) -> Candidate | None:
    """The key server among live members, or None when none of them will be it.

    Every member that knows the same members elects the same one.
    """
    return min((member for member in members if member.priority != NEVER), default=None)
