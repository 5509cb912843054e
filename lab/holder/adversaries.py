"""Men in the middle, as process 1 has them: started when one is needed, gone when nothing is left for him to do.

There is at most one on a segment. One that dies leaves the wire dead; that is seen here, and the wire restored.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from lab.errors import ExitCode
from lab.holder.control import Request, RequestError
from lab.holder.events import EventLog
from lab.holder.order import Order
from lab.holder.receivers import ReceiverCounters, Receivers, changes
from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.model.impairment import Impairments
from lab.model.link import Link

KIND: Final = "adversary"
_MENDER: Final = "mender"
_PATIENCE: Final = 30.0
_MOST_REPORTS: Final = 100  # of attacks on one segment that have ended, kept until somebody asks

Answered = Callable[[Message], None]


@dataclass(slots=True, kw_only=True)
class _Wire:
    """A segment with a man in the middle, or one that is being restored.

    `waiting` is what is to be done when he, or whoever restores the wire, has gone. `before` is what receivers had
    counted when an attack began, `callers` who waits for its end.
    """

    link: Link
    child: Child
    asked: int = 0
    is_leaving: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)
    before: dict[int, Receivers] = field(default_factory=dict)
    callers: dict[int, Request] = field(default_factory=dict)


class Adversaries:
    """All of a lab's. `home` and `places` are the builder's, who fills the latter."""

    def __init__(
        self, order: Order, supervisor: Supervisor, events: EventLog, home: Place, places: dict[str, Place]
    ) -> None:
        self._order = order
        self._supervisor = supervisor
        self._events = events
        self._home = home
        self._places = places
        self._wires: dict[str, _Wire] = {}
        self._numbers = itertools.count(1)
        self._ended: dict[str, list[Message]] = {}
        self.receivers: Final = ReceiverCounters(order.topology, supervisor, home, places)

    def link(self, segment: str) -> Link:
        """The link that is that segment.

        Raises:
            RequestError: there is none.
        """
        for link in self._order.topology.links:
            if link.segment == segment and all(end.node in self._places for end in link.ends):
                return link
            if link.segment == segment:
                raise RequestError("the lab is still being built")
        there = ", ".join(link.segment for link in self._order.topology.links)
        raise RequestError(f"there is no segment {segment!r}; there are {there}")

    def start(self, link: Link, impairments: Impairments | None = None) -> Child:
        """Start a man in the middle of a link."""
        name = f"{KIND}.{link.segment}"
        places = {end.node: self._places[end.node] for end in link.ends}
        be = functools.partial(_be_adversary, link, places, self._home, impairments)
        child = self._supervisor.start(name, KIND, be, log=self._order.folder.log(name), keep=self._keep(link))
        self._wires[link.segment] = _Wire(link=link, child=child)
        return child

    def tell(self, link: Link, command: Message, answered: Answered, request: Request) -> None:
        """Tell the man in the middle of a link to do something; there is one then, if he was not there before.

        `answered` gets what he has done. If he cannot, `request` gets the reason.
        """
        wire = self._wires.get(link.segment)
        if wire is not None and wire.is_leaving:
            wire.waiting.append(functools.partial(self.tell, link, command, answered, request))
            return
        if wire is None:
            self.start(link)
            wire = self._wires[link.segment]
        wire.asked += 1
        self._supervisor.ask(
            wire.child,
            {**command, "type": "command"},
            functools.partial(self._answered, wire, answered, request),
            _PATIENCE,
        )

    def attack(self, link: Link, order: Mapping[str, Any], *, wait: bool, request: Request) -> None:
        """Begin an attack. The request is answered at once or, with `wait`, when the attack has ended."""
        number = next(self._numbers)

        def read(before: Receivers) -> None:
            command = {"verb": "attack", "attack": number, "order": dict(order)}
            self.tell(link, command, functools.partial(begun, before), request)

        def begun(before: Receivers, answer: Message) -> None:
            wire = self._wires[link.segment]
            wire.before[number] = before
            self._events.record("attack-began", {"segment": link.segment, "attack": number, "kind": order.get("kind")})
            if wait:
                wire.callers[number] = request
                if request.call.connection.fileno() < 0:
                    self._caller_gone(wire, number)
                request.call.at_end.append(functools.partial(self._caller_gone, wire, number))
            else:
                request.reply(answer["result"])

        self.receivers.read(link, read)

    def stop_attacks(self, link: Link, number: int | None, request: Request) -> None:
        """End one attack on a link, or all; the request gets their reports, and those of others that have ended."""
        ended = self._ended.get(link.segment, [])
        whole = [report for report in ended if number in (None, report["attack"])]
        if whole and (number is not None or link.segment not in self._wires):
            ended[:] = [report for report in ended if report not in whole]
            request.reply(whole)
            return
        if link.segment not in self._wires:
            raise RequestError(f"there is no attack on {link.segment}")

        def stopped(answer: Message) -> None:
            reports = answer["result"]
            if number is None:
                ended.clear()

            def done(report: Message) -> None:
                whole.append(report)
                if len(whole) == wanted:
                    request.reply(whole)

            wanted = len(whole) + len(reports)
            if not wanted:
                request.fail(f"there is no attack on {link.segment}", ExitCode.BAD_INPUT)
            elif not reports:
                request.reply(whole)
            for report in reports:
                self._conclude(link, report, "stopped", done)

        command: Message = {"verb": "stop-attacks"} | ({} if number is None else {"attack": number})
        self.tell(link, command, stopped, request)

    def attack_of(self, link: Link, request: Request) -> int:
        """The attack on a link whose end the client of this request waits for.

        Raises:
            RequestError: there is none, or no longer.
        """
        wire = self._wires.get(link.segment)
        for number, caller in wire.callers.items() if wire is not None else ():
            if caller.call is request.call:
                return number
        raise RequestError(f"the attack on {link.segment} has ended already")

    def show(self, link: Link, request: Request) -> None:
        """What the man in the middle of a link does; nothing, where there is none."""
        ended = {"ended": self._ended.get(link.segment, [])}
        wire = self._wires.get(link.segment)
        if wire is not None and not wire.is_leaving:
            self.tell(link, {"verb": "show"}, lambda answer: request.reply(answer["result"] | ended), request)
        else:
            request.reply({"lanes": {}, "attacks": []} | ended)

    def at(self, node: str) -> AbstractContextManager[None]:
        """Be at a node for the time of a `with`."""
        return self._places[node].visit(self._home)

    def is_there(self, segment: str) -> bool:
        """Whether there is a man in the middle of that segment."""
        return segment in self._wires

    def attack_ended(self, child: Child, message: Message) -> None:
        """An attack has ended of itself."""
        wire = self._wire_of(child)
        if wire is not None:
            is_waited_for = message["report"]["attack"] in wire.callers
            self._conclude(wire.link, message["report"], "done", _nothing if is_waited_for else self._keep_report)
            if message["idle"] and not wire.asked:
                self._leave(wire)

    def _keep_report(self, report: Message) -> None:
        """Keep the report of an attack that nobody waited for."""
        kept = self._ended.setdefault(report["segment"], [])
        kept.append(report)
        del kept[:-_MOST_REPORTS]

    def ended(self, child: Child) -> None:
        """A man in the middle, or whoever restored a wire, has gone."""
        wire = self._wire_of(child)
        if wire is None:
            return
        if child.kind == KIND and child.state is State.FAILED:
            for request in wire.callers.values():
                request.fail(f"{child.name} ended ({child.end}): {child.last_words}", ExitCode.VIOLATED)
            self._mend(wire)
            return
        if child.state is State.FAILED:
            fields = {"segment": wire.link.segment, "why": child.last_words or child.end}
            self._events.record("wire-not-restored", fields)
        elif child.kind == _MENDER:
            self._events.record("wire-restored", {"segment": wire.link.segment})
        if child.state is not State.FAILED:
            self._supervisor.children.remove(child)  # nobody needs to know of him any more
        del self._wires[wire.link.segment]
        for do in wire.waiting:
            do()

    def _keep(self, link: Link) -> list[int]:
        places = [self._home, *(self._places[end.node] for end in link.ends)]
        return [descriptor for place in places for descriptor in (place.net, place.uts)]

    def _wire_of(self, child: Child) -> _Wire | None:
        return next((wire for wire in self._wires.values() if wire.child is child), None)

    def _answered(self, wire: _Wire, answered: Answered, request: Request, answer: Message | None) -> None:
        wire.asked -= 1
        if answer is None:
            child = wire.child
            said = f": {child.last_words}" if child.last_words else ""
            request.fail(f"{child.name} gave no answer ({child.end or child.state}){said}", ExitCode.VIOLATED)
            return
        if "error" in answer:
            request.fail(answer["error"], ExitCode(answer["exit_code"]))
        else:
            answered(answer)
        if answer["idle"] and not wire.asked:
            self._leave(wire)

    def _leave(self, wire: _Wire) -> None:
        if wire.child.lives and not wire.is_leaving:
            wire.is_leaving = True
            wire.child.state = State.STOPPING
            self._supervisor.tell(wire.child, {"type": "stop"})

    def _conclude(self, link: Link, report: Message, why: str, done: Callable[[Message], None]) -> None:
        """Complete an attack's report by what the receivers did, and give it to whoever waits for it."""
        wire = self._wires[link.segment]
        before = wire.before.pop(report["attack"], {})
        caller = wire.callers.pop(report["attack"], None)

        def read(after: Receivers) -> None:
            whole = {**report, "segment": link.segment, "why": why, "receivers": changes(before, after)}
            told = ("segment", "attack", "kind", "why", "done", "receivers")
            self._events.record("attack-ended", {name: whole[name] for name in told})
            done(whole)
            if caller is not None:
                caller.reply(whole)

        self.receivers.read(link, read)

    def _caller_gone(self, wire: _Wire, number: int) -> None:
        """Whoever had an attack in the foreground has hung up: it ends."""
        if wire.callers.pop(number, None) is not None and wire.child.lives and not wire.is_leaving:
            wire.asked += 1

            def stopped(answer: Message | None) -> None:
                wire.asked -= 1
                if answer is not None and "result" in answer:
                    for report in answer["result"]:
                        self._conclude(wire.link, report, "its command went away", _nothing)
                    if answer["idle"] and not wire.asked:
                        self._leave(wire)

            command = {"type": "command", "verb": "stop-attacks", "attack": number}
            self._supervisor.ask(wire.child, command, stopped, _PATIENCE)

    def _mend(self, wire: _Wire) -> None:
        """Restore a wire whose man in the middle has died: until then nothing passes."""
        wire.is_leaving = True
        name = f"{_MENDER}.{wire.link.segment}"
        places = {end.node: self._places[end.node] for end in wire.link.ends}
        mend = functools.partial(_mend, wire.link, places)
        log = self._order.folder.log(name)
        wire.child = self._supervisor.start(name, _MENDER, mend, log=log, keep=self._keep(wire.link))
        wire.child.state = State.STOPPING  # it does one thing and goes


def _nothing(report: Message) -> None:
    """Nobody is to be given the report."""


def _be_adversary(
    link: Link, places: Mapping[str, Place], home: Place, impairments: Impairments | None, control: Channel
) -> None:
    from lab.replay import adversary

    adversary.run(link, places, home, impairments, control)


def _mend(link: Link, places: Mapping[str, Place], control: Channel) -> None:
    del control
    from lab.host import nftables

    for end in link.ends:
        places[end.node].enter()
        nftables.restore(end.device)
