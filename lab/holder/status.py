"""What a lab looks like now: what the model says, and what each of its processes says of itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Message
from lab.model.link import Link
from lab.model.topology import Node, Topology

_PATIENCE = 1.0  # seconds in which a process has to say how it is
_ASKED = ("node", "capture", "routing")

Report = dict[str, object]


def gather(supervisor: Supervisor, done: Callable[[dict[str, object]], None]) -> None:
    """Ask every process that is ready for its status; `done` gets the answers by the process's name."""
    asked = [child for child in supervisor.children if child.state is State.READY and child.kind in _ASKED]
    answers: dict[str, object] = {}
    left = {child.name for child in asked}
    if not asked:
        done(answers)

    def answered(child: Child, answer: Message | None) -> None:
        answers[child.name] = None if answer is None else answer["status"]
        left.discard(child.name)
        if not left:
            done(answers)

    for child in asked:
        supervisor.ask(child, {"type": "status"}, functools.partial(answered, child), _PATIENCE)


def nodes(topology: Topology, children: Iterable[Child], answers: dict[str, object]) -> list[Report]:
    """Each node: what it is, and how its process is, if it has one."""
    drivers = {child.name: child for child in children if child.kind == "node"}
    birds = _birds(answers)
    reports = [_node(node, topology, drivers.get(node.name), answers) for node in topology.nodes]
    for report in reports:
        if bird := birds.get(str(report["node"])):
            report["bird"] = bird
    return reports


def _birds(answers: dict[str, object]) -> Message:
    """What is known of each node's BIRD."""
    birds = answers.get("routing")
    return birds if isinstance(birds, dict) else {}


def ended_birds(answers: dict[str, object]) -> list[str]:
    """The nodes whose BIRD has ended."""
    return [f"bird of {node}" for node, bird in _birds(answers).items() if bird["end"]]


def _node(node: Node, topology: Topology, driver: Child | None, answers: dict[str, object]) -> Report:
    addresses = [str(address) for address in node.loopback_addresses]
    addresses += [str(address) for _, end in topology.interfaces(node.name) for address in end.addresses]
    report: Report = {"node": node.name, "role": str(node.role), "addresses": addresses, "state": "plain"}
    if driver is not None:
        report |= {"state": str(driver.state), "pid": driver.pid, "driver": answers.get(node.name)}
        if driver.end is not None:
            report |= {"end": driver.end, "last_words": driver.last_words}
    return report


def spliced(children: Iterable[Child]) -> list[str]:
    """The segments that have a man in the middle now."""
    return [child.name.partition(".")[2] for child in children if child.kind == "adversary" and child.lives]


def segments(topology: Topology, captures: object) -> list[Report]:
    """Each segment: its ends, what it should show, and how its capture is, if one runs."""
    known = captures if isinstance(captures, dict) else {}
    return [_segment(link, known.get(link.segment)) for link in topology.links]


def _segment(link: Link, capture: object) -> Report:
    return {
        "segment": link.segment,
        "ends": [f"{end.node}:{end.device}" for end in link.ends],
        "tags": list(link.tag.vids),
        "macsec": None if link.macsec is None else link.macsec.cipher_suite,
        "expect": None if link.expect is None else str(link.expect),
        "capture": capture,
    }
