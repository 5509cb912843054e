"""The man in the middle of one segment: a process that is told what to do, does it, and says what it did.

It is a child of process 1, like drivers and captures, and knows no key. Each direction of the wire is spliced while
there is something to do to it, and only then. What it is told, and answers:

    impair        {"seed": n, "a_to_b": {...}, "b_to_a": {...}}, a direction that is left out stays  -> the state
    attack        {"attack": n, "order": {...}}                                                       -> {"attack": n}
    stop-attacks  {"attack": n}, or all                                                               -> their reports
    show                                                                                              -> the state

Each answer says by `idle` whether nothing is left to do. An attack that ends of itself is told as `attack-ended`.
Should the process die, the wire is dead until process 1 has restored it: nothing passes unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

from lab.errors import ExitCode, InputError, MachineError, WireproofError
from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.model.impairment import Impairment, Impairments, WireDirection
from lab.model.link import Link
from lab.nodes.loop import Loop
from lab.replay.attacks import Attack, attack
from lab.replay.forge import Target
from lab.replay.lane import Lane
from lab.replay.order import AttackOrder


def run(
    link: Link, places: Mapping[str, Place], home: Place, impairments: Impairments | None, channel: Channel
) -> None:
    """Be the man in the middle of `link` until told to stop, or until nobody is left to tell.

    Raises:
        MachineError: there is no getting between the ends of the wire.
    """
    adversary = _Adversary(link, places, home, channel)
    try:
        if impairments is not None:
            for direction in WireDirection:
                adversary.impair(direction, impairments.towards(direction), impairments.seed)
        channel.send({"type": "ready"})
        adversary.loop.run()
    except (EOFError, BrokenPipeError):
        return  # process 1 has gone, and with it the lab
    finally:
        adversary.loop.close()


@final
class _Running:
    """An attack in its directions. It ends of itself when its time is over, or all that was ordered is done."""

    def __init__(self, number: int, order: AttackOrder, parts: Mapping[WireDirection, Attack], now: float) -> None:
        self.number: Final = number
        self.order: Final = order
        self.parts: Final = parts
        self._ends_at = None if order.duration is None else now + order.duration

    def ends_at(self, now: float) -> float | None:
        """When it ends, if that is known."""
        if all(part.is_done for part in self.parts.values()):
            # What it has sent on its way later, a replay above all, is to come first.
            done = now + self.order.pause
            self._ends_at = done if self._ends_at is None else min(self._ends_at, done)
        return self._ends_at

    def report(self) -> dict[str, object]:
        return {
            "attack": self.number,
            **self.order.as_fields(),
            "done": {
                str(direction): {"seen": dict(part.seen), "did": dict(part.did)}
                for direction, part in self.parts.items()
            },
        }


@final
class _Adversary:
    """Both lanes, and the attacks that run on them."""

    def __init__(self, link: Link, places: Mapping[str, Place], home: Place, channel: Channel) -> None:
        self.loop: Final = Loop()
        self._link: Final = link
        self._channel: Final = channel
        self._running: Final[dict[int, _Running]] = {}
        self._lanes: Final = {
            direction: Lane(link, direction, places[near.node], home, self.loop)
            for direction, near in zip(WireDirection, link.ends, strict=True)
        }
        self.loop.watch(channel, self._listen)
        self.loop.time(self)

    def impair(self, direction: WireDirection, impairment: Impairment, seed: int) -> None:
        """Have one direction suffer this from now on."""
        self._lanes[direction].impair(impairment, seed)

    def next_timeout(self) -> float | None:
        """When an attack ends of itself."""
        now = self.loop.clock()
        times = (running.ends_at(now) for running in self._running.values())
        return min((when for when in times if when is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """End the attacks whose time has come, and tell."""
        for running in tuple(self._running.values()):
            when = running.ends_at(now)
            if when is not None and when <= now:
                report = self._finish(running)
                self._channel.send({"type": "attack-ended", "report": report, "idle": self._is_idle})

    @property
    def _is_idle(self) -> bool:
        return not any(lane.is_spliced for lane in self._lanes.values())

    def _listen(self) -> bool:
        while (message := self._channel.receive()) is not None:
            match message["type"]:
                case "stop":
                    for lane in self._lanes.values():
                        lane.leave()
                    self.loop.stop()
                case "status":
                    self._channel.send({"type": "status", "id": message["id"], "status": self._state()})
                case "command":
                    self._answer(message)
        return False

    def _answer(self, message: Message) -> None:
        answer: dict[str, object]
        try:
            answer = {"result": self._do(message)}
        except WireproofError as error:
            code = error.exit_code if isinstance(error, InputError | MachineError) else ExitCode.BUG
            answer = {"error": str(error), "exit_code": code}
        self._channel.send({"type": "reply", "id": message["id"], **answer, "idle": self._is_idle})

    def _do(self, message: Message) -> object:
        match message["verb"]:
            case "impair":
                for direction in WireDirection:
                    if direction in message:
                        self.impair(direction, Impairment.from_fields(message[direction]), message["seed"])
            case "attack":
                return self._attack(message["attack"], AttackOrder.from_fields(message["order"]))
            case "stop-attacks":
                return self._stop(message.get("attack"))
        return self._state()

    def _attack(self, number: int, order: AttackOrder) -> dict[str, object]:
        parts = {
            direction: attack(order, direction, Target.of(self._link, direction)) for direction in order.directions
        }
        begun: list[tuple[Lane, Attack]] = []
        try:
            for direction, part in parts.items():
                self._lanes[direction].begin(part)
                begun.append((self._lanes[direction], part))
        except BaseException:
            for lane, part in begun:
                lane.finish(part)
            raise
        self._running[number] = _Running(number, order, parts, self.loop.clock())
        return {"attack": number}

    def _stop(self, number: int | None) -> list[dict[str, object]]:
        if number is not None and number not in self._running:
            numbers = ", ".join(map(str, self._running))
            raise InputError(f"there is no attack {number} on {self._link.segment}; there are {numbers or 'none'}")
        return [self._finish(self._running[each]) for each in ([number] if number is not None else [*self._running])]

    def _finish(self, running: _Running) -> dict[str, object]:
        for direction, part in running.parts.items():
            self._lanes[direction].finish(part)
        del self._running[running.number]
        return running.report()

    def _state(self) -> dict[str, Any]:
        return {
            "lanes": {str(direction): lane.state() for direction, lane in self._lanes.items()},
            "attacks": [running.report() for running in self._running.values()],
        }
