"""Asking the receivers of a segment what they have counted: drivers, gateways, or a kernel where there is no driver."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Message
from lab.host.mib import kernel_counters
from lab.host.namespaces import Place
from lab.model.link import Interface, Link
from lab.model.topology import Topology
from lab.replay.receivers import Counts, difference, gateway_counts, link_counts

Receivers = dict[str, dict[str, object]]
"""By who it is: whether a `driver` counted, or the kernel; if a driver, whether it `answers`; and `counters`.

An end of a link is called by its node, a gateway by its node with ` gateway` behind.
"""

_PATIENCE: Final = 5.0
_Part = tuple[Child, str]


class ReceiverCounters:
    """Reads the counters of the receivers of any segment.

    What was put on the wire before a reading is in it: drivers take in what waits before they answer, and a kernel
    takes a frame when it is sent. Where gateways may be behind several drivers, all are asked as often as there are
    drivers.
    """

    def __init__(self, topology: Topology, supervisor: Supervisor, home: Place, places: Mapping[str, Place]) -> None:
        self._topology = topology
        self._supervisor = supervisor
        self._home = home
        self._places = places

    def read(self, link: Link, done: Callable[[Receivers], None]) -> None:
        """Ask all receivers; `done` gets what they have counted since the lab came up."""
        drivers = {
            child.name: child
            for child in self._supervisor.children
            if child.kind == "node" and child.state is State.READY
        }
        gateways = {node: drivers[node] for node in self._gateways() if node in drivers}
        asked: list[_Part] = [(drivers[end.node], link.segment) for end in link.ends if _is_driven(end, drivers)]
        rounds = 1
        if gateways:
            asked = [*self._link_parts(drivers), *((child, node) for node, child in gateways.items())]
            rounds = len(drivers)

        def finish(answers: Mapping[tuple[str, str], Message | None]) -> None:
            found: Receivers = {}
            for end in link.ends:
                if _is_driven(end, drivers):
                    found[end.node] = _reading(answers.get((end.node, link.segment)), link_counts)
                else:
                    with self._places[end.node].visit(self._home):
                        found[end.node] = {"driver": False, "answers": True, "counters": kernel_counters()}
            for node in gateways:
                found[f"{node} gateway"] = _reading(answers.get((node, node)), gateway_counts)
            done(found)

        self._settle(asked, rounds, finish)

    def _gateways(self) -> list[str]:
        return [node.name for node in self._topology.nodes if self._topology.tunnels(node.name)]

    def _link_parts(self, drivers: Mapping[str, Child]) -> Iterator[_Part]:
        for link in self._topology.links:
            for end in link.ends:
                if _is_driven(end, drivers):
                    yield drivers[end.node], link.segment

    def _settle(
        self,
        asked: list[_Part],
        rounds: int,
        finish: Callable[[Mapping[tuple[str, str], Message | None]], None],
    ) -> None:
        """Ask all parts to take in what waits, that many times; `finish` gets the last answers."""
        answers: dict[tuple[str, str], Message | None] = {}
        if not asked:
            finish(answers)
            return
        left = {(child.name, part) for child, part in asked}

        def answered(of: tuple[str, str], answer: Message | None) -> None:
            answers[of] = answer
            left.discard(of)
            if left:
                return
            if rounds > 1:
                self._settle(asked, rounds - 1, finish)
            else:
                finish(answers)

        for child, part in asked:
            question: Message = {"type": "command", "verb": "settle", "part": part}
            self._supervisor.ask(child, question, functools.partial(answered, (child.name, part)), _PATIENCE)


def _is_driven(end: Interface, drivers: Mapping[str, Child]) -> bool:
    return end.controlled_device is not None and end.node in drivers


def _reading(answer: Message | None, counts: Callable[[Mapping[str, Any]], Counts]) -> dict[str, object]:
    status = None if answer is None else answer.get("result")
    return {"driver": True, "answers": status is not None, "counters": {} if status is None else counts(status)}


def changes(before: Receivers, after: Receivers) -> Receivers:
    """What was counted between two readings."""
    return {
        node: {**now, "counters": difference(_counts(before.get(node)), _counts(now))} for node, now in after.items()
    }


def _counts(reading: Mapping[str, object] | None) -> Counts:
    counters = {} if reading is None else reading["counters"]
    assert isinstance(counters, dict)
    return counters
