"""The security policy database (RFC 4301 4.4.1): an ordered list, of which the first entry that matches decides."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from dataplane.errors import LocalError
from dataplane.esp.flow import Flow, matches
from dataplane.ipsec.selectors import TrafficSelector


class Action(enum.Enum):
    """What is done with a packet (RFC 4301 4.4.1)."""

    PROTECT = "protect"
    BYPASS = "bypass"
    DISCARD = "discard"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpdEntry:
    """An entry for packets between `local` and `remote` ends, both ways; `tunnel` is named to protect only."""

    name: str
    action: Action
    local: tuple[TrafficSelector, ...]
    remote: tuple[TrafficSelector, ...]
    tunnel: str | None = None

    def __post_init__(self) -> None:
        if (self.action is Action.PROTECT) != (self.tunnel is not None):
            raise LocalError(f"SPD entry {self.name}: a tunnel is named to protect, and only then")


@final
class Spd:
    """The entries in their order. A packet that none matches is discarded (RFC 4301 5.1)."""

    __slots__ = ("_entries", "generation")

    def __init__(self, entries: Iterable[SpdEntry] = ()) -> None:
        self._entries = tuple(entries)
        self.generation = 0

    @property
    def entries(self) -> tuple[SpdEntry, ...]:
        """The entries, which may be replaced as a whole at any time."""
        return self._entries

    @entries.setter
    def entries(self, entries: Iterable[SpdEntry]) -> None:
        self._entries = tuple(entries)
        self.generation += 1

    def outbound(self, flow: Flow) -> SpdEntry | None:
        """The entry for a packet that leaves the protected side."""
        return next((entry for entry in self._entries if matches(flow, entry.local, entry.remote)), None)

    def inbound(self, flow: Flow) -> SpdEntry | None:
        """The entry for a packet that arrives without protection (RFC 4301 5.2 step 3b)."""
        return next((entry for entry in self._entries if matches(flow, entry.remote, entry.local)), None)
