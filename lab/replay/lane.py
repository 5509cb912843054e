"""A lane: one direction of a wire with a man in the middle, who is there only while there is something to do."""

from __future__ import annotations

from typing import Final, final

from dataplane.batch import Batch
from dataplane.wire.ethernet import HEADER_OCTETS, TAG_OCTETS
from lab.errors import MachineError
from lab.host.namespaces import Place
from lab.host.splice import SplicedEnd
from lab.model.impairment import Impairment, WireDirection
from lab.model.link import Link
from lab.nodes.loop import Loop
from lab.replay.attacks import Attack, meet_all
from lab.replay.way import Way

_SLOTS: Final = 64


class WireNotRestoredError(Exception):
    """The kernel does not give the direct wire back."""


@final
class Lane:
    """What the node at its begin sends meets the attacks, one after the other, then suffers the impairment.

    The attacks come first, as if the adversary sat at the sender's end of the wire.
    """

    def __init__(self, link: Link, direction: WireDirection, place: Place, home: Place, loop: Loop) -> None:
        """Take the direction of `link` whose begin is at `place`; nothing is done to it yet."""
        self.direction: Final = direction
        self.way: Final = Way(Impairment())
        self._near: Final = link.a if direction is WireDirection.A_TO_B else link.b
        self._place: Final = place
        self._home: Final = home
        self._loop: Final = loop
        self._attacks: Final[list[Attack]] = []
        self._end: SplicedEnd | None = None
        # One octet more than any frame has, so that one that was cut can be told.
        size = self._near.wire_mtu + HEADER_OCTETS + TAG_OCTETS * 2 + 1
        self._batch: Final = Batch(_SLOTS, size)
        loop.time(self)

    @property
    def is_spliced(self) -> bool:
        """Whether there is a man in the middle."""
        return self._end is not None

    def impair(self, impairment: Impairment, seed: int) -> None:
        """Have frames suffer this from now on.

        Raises:
            MachineError: there is no getting between the ends of the wire; then nothing has changed.
        """
        if not impairment.is_none:
            self._splice()
        self.way.change(impairment, seed=seed, name=str(self.direction))
        self._leave_if_idle()

    def begin(self, attack: Attack) -> None:
        """Have frames meet an attack from now on.

        Raises:
            MachineError: there is no getting between the ends of the wire; then nothing has changed.
        """
        self._splice()
        self._attacks.append(attack)

    def finish(self, attack: Attack) -> None:
        """Have frames no longer meet it; what it holds goes on its way."""
        self._attacks.remove(attack)
        now = self._loop.clock()
        for frame in attack.end():
            self.way.put(frame, now)
        self._send(self.way.due(now))
        self._leave_if_idle()

    def leave(self) -> None:
        """Be gone: no attack, no impairment, the direct wire."""
        for attack in tuple(self._attacks):
            self.finish(attack)
        self.impair(Impairment(), 0)

    def next_timeout(self) -> float | None:
        """When a frame comes out of the way, or an attack has one of its own."""
        if self._end is None:
            return None
        times = [self.way.next_due(), *(attack.next_timeout() for attack in self._attacks)]
        return min((when for when in times if when is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for attack in self._attacks:
            when = attack.next_timeout()
            if when is not None and when <= now:
                for frame in attack.handle_timer(now):
                    self.way.put(frame, now)
        self._send(self.way.due(now))

    def state(self) -> dict[str, object]:
        """What frames suffered, and what was lost beside that.

        `overrun` frames came faster than they were read, `too_long` ones are longer than the wire's MTU allows, and
        `unsent` ones the kernel did not take.
        """
        counters = self.way.counters.as_dict() | {"waiting": len(self.way), "overrun": 0, "too_long": 0, "unsent": 0}
        if self._end is not None:
            with self._place.visit(self._home):
                counters["overrun"] = self._end.overrun()
            counters["too_long"] = self._end.counters.receive_errors
            counters["unsent"] = self._end.counters.send_lost
        return {
            "from": self._near.node,
            "spliced": self.is_spliced,
            "impairment": self.way.impairment.as_fields(),
            "counters": counters,
        }

    def _turn(self) -> bool:
        """Let a batch of frames go their way; true when more may wait."""
        end, batch = self._end, self._batch
        assert end is not None
        end.receive(batch)
        now = self._loop.clock()
        for frame in batch:
            for later, octets in meet_all(self._attacks, bytes(frame), now):
                self.way.put(octets, now, later=later)
        more = batch.count == batch.slots
        self._send(self.way.due(now))
        return more

    def _send(self, frames: list[bytes]) -> None:
        end, batch = self._end, self._batch
        assert end is not None or not frames
        for start in range(0, len(frames), batch.slots):
            batch.clear()
            for frame in frames[start : start + batch.slots]:
                batch.append(frame)
            assert end is not None
            end.send(batch)

    def _splice(self) -> None:
        if self._end is None:
            with self._place.visit(self._home):
                self._end = SplicedEnd(self._near.device)
            self._loop.watch(self._end, self._turn)

    def _leave_if_idle(self) -> None:
        """Go away when nothing is to be done. What waits goes on at once, then what still comes, as it comes."""
        end = self._end
        if end is None or self._attacks or not self.way.impairment.is_none:
            return
        self._send(self.way.drain())
        self._loop.forget(end)
        try:
            with self._place.visit(self._home):
                end.restore(self._pump)
        except MachineError as error:
            # Let us die, and process 1 restore the wire: better than a wire that is dead while nobody knows.
            raise WireNotRestoredError(f"{self._near.node}:{self._near.device}: {error}") from error
        self._pump()  # what was diverted before there was no rule any more
        self._end = None
        end.close()

    def _pump(self) -> None:
        while self._turn():
            pass
