"""Asking the receivers of a segment what they have counted: drivers where there are any, else the kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final

from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Message
from lab.host.mib import kernel_counters
from lab.host.namespaces import Place
from lab.model.link import Link
from lab.replay.receivers import Counts, difference, driver_counts

Receivers = dict[str, dict[str, object]]
"""By node: whether a `driver` counted, or the kernel; if a driver, whether it `answers`; and `counters`."""

_PATIENCE: Final = 5.0


class ReceiverCounters:
    """Reads the counters of the receivers of any segment.

    What was put on the wire before a reading is in it: drivers take in what waits before they answer, and a kernel
    takes a frame when it is sent.
    """

    def __init__(self, supervisor: Supervisor, home: Place, places: Mapping[str, Place]) -> None:
        self._supervisor = supervisor
        self._home = home
        self._places = places

    def read(self, link: Link, done: Callable[[Receivers], None]) -> None:
        """Ask both ends; `done` gets what they have counted since the lab came up."""
        found: Receivers = {}
        drivers = {child.name: child for child in self._supervisor.children if child.kind == "node"}
        asked: list[Child] = []
        for end in link.ends:
            child = drivers.get(end.node)
            if end.controlled_device is not None and child is not None and child.state is State.READY:
                asked.append(child)
            else:
                with self._places[end.node].visit(self._home):
                    found[end.node] = {"driver": False, "answers": True, "counters": kernel_counters()}
        left = {child.name for child in asked}

        def finish() -> None:
            done({end.node: found[end.node] for end in link.ends})

        def answered(child: Child, answer: Message | None) -> None:
            status = None if answer is None else answer.get("result")
            counters = {} if status is None else driver_counts(status)
            found[child.name] = {"driver": True, "answers": status is not None, "counters": counters}
            left.discard(child.name)
            if not left:
                finish()

        if not left:
            finish()
        for child in asked:
            question: Message = {"type": "command", "verb": "settle", "part": link.segment}
            self._supervisor.ask(child, question, functools.partial(answered, child), _PATIENCE)


def changes(before: Receivers, after: Receivers) -> Receivers:
    """What was counted between two readings."""
    return {
        node: {**now, "counters": difference(_counts(before.get(node)), _counts(now))} for node, now in after.items()
    }


def _counts(reading: Mapping[str, object] | None) -> Counts:
    counters = {} if reading is None else reading["counters"]
    assert isinstance(counters, dict)
    return counters
