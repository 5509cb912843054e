"""The attacks: what a man in the middle does to the frames of one direction. No clock, no socket, no key.

How to add one: a kind in `order`, a class here that says which frames it concerns and what it does with one of them,
and a row in the table at the end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final, final

from lab.model.impairment import WireDirection
from lab.ports.faulty import flip
from lab.replay import forge
from lab.replay.look import NEGOTIATION, PROTECTED, Kind, Look, look
from lab.replay.order import AttackKind, AttackOrder, How

Passed = tuple[float, bytes]
"""A frame that goes on, and how many seconds later than it came."""

_RELEASED_AFTER: Final = 1.0  # seconds that a frame is held back at most where no other one follows


class Attack:
    """An attack in one direction: frames go through `meet`, in their order, and what is to go on comes back.

    `did` counts by name what was done. `seen` counts the frames by what they were, before anything was done to them.
    `chance` is for what is random in what an attack makes.
    """

    concerns: ClassVar[frozenset[Kind] | None] = None  # None: every frame

    def __init__(self, order: AttackOrder, direction: WireDirection, target: forge.Target) -> None:
        self.order: Final = order
        self.seen: Final[Counter[str]] = Counter()
        self.did: Final[Counter[str]] = Counter()
        self.target: Final = target
        # An attack is to be had again, not to be unpredictable.
        self.chance: Final = random.Random(f"{order.seed} {order.kind} {direction}")  # noqa: S311
        self._choice: Final = random.Random(f"{order.seed} {order.kind} {direction} choice")  # noqa: S311
        self._chosen = 0

    def meet(self, frame: bytes, now: float) -> list[Passed]:
        """What goes on of a frame, and what comes with it."""
        seen = look(frame)
        self.seen[seen.kind] += 1
        if self.concerns is not None and seen.kind not in self.concerns:
            return self.pass_by(frame)
        # Drawn for every frame that it concerns, so that a count does not change which ones are chosen.
        is_chosen = self._choice.random() < self.order.share
        if not is_chosen or self.is_done:
            return self.pass_by(frame)
        self._chosen += 1
        return self.act(frame, seen, now)

    @property
    def is_done(self) -> bool:
        """Whether as much was done as was ordered."""
        return self.order.count is not None and self._chosen >= self.order.count

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """What goes on of a frame that was chosen: the frame, for an attack that does nothing to those that pass."""
        return [(0.0, frame)]

    def pass_by(self, frame: bytes) -> list[Passed]:
        """What goes on when a frame passes that was not chosen."""
        return [(0.0, frame)]

    def next_timeout(self) -> float | None:
        """When the attack has something to do of itself."""
        return None

    def handle_timer(self, now: float) -> list[bytes]:
        """Frames of the attack's own that are due."""
        del now
        return []

    def end(self) -> list[bytes]:
        """What it still holds, and lets go of when it ends."""
        return []

    def count_own(self) -> None:
        """Count a frame of its own as one of those ordered."""
        self._chosen += 1


@final
class Replay(Attack):
    """Protected frames pass, and come once more, as they were, when the wait is over."""

    concerns = PROTECTED

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """The frame, and later once more."""
        self.did["replayed"] += 1
        return [(0.0, frame), (self.order.pause, frame)]


@final
class Tamper(Attack):
    """One bit is flipped of what the ICV protects behind the header, or of the ICV."""

    concerns = PROTECTED

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """The frame with a bit flipped."""
        self.did["tampered"] += 1
        bit = self.chance.randrange(seen.data * 8, seen.end * 8)
        return [(0.0, forge.mend_checksums(flip(frame, bit), seen))]


@final
class Drop(Attack):
    """Frames are gone."""

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """Nothing."""
        self.did["dropped"] += 1
        return []


@final
class Delay(Attack):
    """Frames come later, and are overtaken by those that are not chosen."""

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """The frame, later."""
        self.did["delayed"] += 1
        return [(self.order.pause, frame)]


@final
class Duplicate(Attack):
    """Frames come twice in a row."""

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """The frame, twice."""
        self.did["duplicated"] += 1
        return [(0.0, frame), (0.0, frame)]


@final
class Reorder(Attack):
    """A frame is held back until the next one has passed."""

    def __init__(self, order: AttackOrder, direction: WireDirection, target: forge.Target) -> None:
        super().__init__(order, direction, target)
        self._held: bytes | None = None
        self._until = 0.0

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """Hold it back, unless one is held back already: then that one follows."""
        if self._held is not None:
            return self.pass_by(frame)
        self.did["reordered"] += 1
        self._held, self._until = frame, now + _RELEASED_AFTER
        return []

    def pass_by(self, frame: bytes) -> list[Passed]:
        """The frame, and behind it the one that was held back."""
        return [(0.0, frame), *((0.0, held) for held in self.end())]

    def next_timeout(self) -> float | None:
        """When a frame was held back long enough."""
        return None if self._held is None else self._until

    def handle_timer(self, now: float) -> list[bytes]:
        """Let go of it."""
        return self.end()

    def end(self) -> list[bytes]:
        """What is held back."""
        held, self._held = self._held, None
        return [] if held is None else [held]


@final
class InjectClear(Attack):
    """Frames of its own, in turn in clear and as if protected, with a header that fits and an ICV that cannot.

    Those that pass go on as they are; what is protected shows what the header has to look like.
    """

    def __init__(self, order: AttackOrder, direction: WireDirection, target: forge.Target) -> None:
        super().__init__(order, direction, target)
        self._pattern: tuple[bytes, Look] | None = None
        self._next = 0.0  # at once
        self._number = 0

    def meet(self, frame: bytes, now: float) -> list[Passed]:
        """The frame; and what is to be learned from it."""
        seen = look(frame)
        self.seen[seen.kind] += 1
        if seen.kind in PROTECTED and seen.header < seen.data:
            self._pattern = frame, seen
        return [(0.0, frame)]

    def next_timeout(self) -> float | None:
        """When the next one is due."""
        return None if self.is_done else self._next

    def handle_timer(self, now: float) -> list[bytes]:
        """The next one."""
        if self.is_done:
            return []
        self._next = now + self.order.pause
        self._number += 1
        self.count_own()
        if self._number % 2 == 0 and self._pattern is not None:
            self.did["forged protected"] += 1
            return [forge.protected(*self._pattern, ahead=self._number, chance=self.chance)]
        self.did["forged clear"] += 1
        return [forge.clear(self.target, self.chance)]


@final
class Strip(Attack):
    """Protection is taken off, header and ICV, without a key; what is left goes on as if it were clear."""

    concerns = PROTECTED

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """What is left."""
        self.did["stripped"] += 1
        return [(0.0, forge.stripped(frame, seen))]


@final
class Downgrade(Attack):
    """Messages that negotiate protection are made to ask for less, or do not arrive."""

    concerns = NEGOTIATION

    def act(self, frame: bytes, seen: Look, now: float) -> list[Passed]:
        """The message with less in it, where it says anything in clear; or nothing."""
        if self.order.how is How.DROP:
            self.did["dropped"] += 1
            return []
        weaker = forge.weakened(frame, seen)
        if weaker == frame:
            self.did["nothing to rewrite"] += 1
        else:
            self.did["rewritten"] += 1
        return [(0.0, weaker)]


_KINDS: Final[Mapping[AttackKind, Callable[[AttackOrder, WireDirection, forge.Target], Attack]]] = {
    AttackKind.REPLAY: Replay,
    AttackKind.TAMPER: Tamper,
    AttackKind.DROP: Drop,
    AttackKind.DELAY: Delay,
    AttackKind.REORDER: Reorder,
    AttackKind.DUPLICATE: Duplicate,
    AttackKind.INJECT_CLEAR: InjectClear,
    AttackKind.STRIP: Strip,
    AttackKind.DOWNGRADE: Downgrade,
}


def attack(order: AttackOrder, direction: WireDirection, target: forge.Target) -> Attack:
    """An attack as ordered, in one of its directions; `target` is who is there to be deceived."""
    return _KINDS[order.kind](order, direction, target)


def meet_all(attacks: Iterable[Attack], frame: bytes, now: float) -> list[Passed]:
    """What goes on of a frame when one attack after the other has met it."""
    passed = [(0.0, frame)]
    for each in attacks:
        passed = [(before + later, left) for before, octets in passed for later, left in each.meet(octets, now)]
    return passed
