"""What to do with a packet that leaves the protected side, remembered for each flow while SPD and SAD stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from dataplane.esp.counters import DiscardReason
from dataplane.esp.events import Acquire, EventQueue
from dataplane.esp.flow import Flow, Key, flow_of, matches
from dataplane.esp.sa import OutboundSa
from dataplane.esp.sad import Sad
from dataplane.esp.spd import Action, Spd, SpdEntry

GREATEST_MEMORY: Final = 4096
_ACQUIRE_SECONDS: Final = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The SA that protects a packet; or why it is discarded; or neither: it is let go as it is."""

    sa: OutboundSa | None = None
    reason: DiscardReason | None = None
    entry: SpdEntry | None = None


_NO_POLICY: Final = Decision(reason=DiscardReason.OUT_NO_POLICY)


@final
class Decisions:
    """RFC 4301 5.1 steps 2 and 3: the first SPD entry that matches, and the SA that stands for it."""

    __slots__ = ("_acquired", "_events", "_generation", "_memory", "_sad", "_spd")

    def __init__(self, spd: Spd, sad: Sad, events: EventQueue) -> None:
        self._spd: Final = spd
        self._sad: Final = sad
        self._events: Final = events
        self._memory: Final[dict[Key, Decision]] = {}
        self._generation = (0, 0)
        self._acquired: Final[dict[str, float]] = {}

    def of_key(self, key: Key, packet: memoryview) -> Decision:
        """The decision for a plain packet, by its key (see `flow.glance`)."""
        generation = (self._spd.generation, self._sad.generation)
        if generation != self._generation or len(self._memory) >= GREATEST_MEMORY:
            self._memory.clear()
            self._generation = generation
        decision = self._memory.get(key)
        if decision is None:
            decision = self._memory[key] = self.of_flow(flow_of(packet))
        return decision

    def of_flow(self, flow: Flow) -> Decision:
        """The decision for any packet."""
        entry = self._spd.outbound(flow)
        if entry is None:
            return _NO_POLICY
        if entry.action is Action.DISCARD:
            return Decision(reason=DiscardReason.OUT_POLICY, entry=entry)
        if entry.action is Action.BYPASS:
            return Decision(entry=entry)
        assert entry.tunnel is not None
        for sa in self._sad.outbound(entry.tunnel):
            if matches(flow, sa.parameters.local, sa.parameters.remote):
                return Decision(sa=sa, entry=entry)
        return Decision(reason=DiscardReason.OUT_NO_SA, entry=entry)

    def acquire(self, entry: SpdEntry, packet: memoryview, now: float) -> None:
        """Ask for an SA for a packet that found none (RFC 4301 4.4.1), at most once a second for each entry."""
        last = self._acquired.get(entry.name)
        if last is None or now - last >= _ACQUIRE_SECONDS:
            self._acquired[entry.name] = now
            assert entry.tunnel is not None
            self._events.note(Acquire(tunnel=entry.tunnel, entry=entry.name, flow=flow_of(packet)))
