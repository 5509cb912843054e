"""Changes of a lab's wires while it runs: a short-lived wirer does them, as one did when the lab was built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lab.errors import ExitCode
from lab.holder.phases import Phase
from lab.holder.supervise import State
from lab.host.channel import Channel, Message
from lab.model.link import Link
from lab.model.topology import Topology
from lab.topology.operations import AddRoute, BringUp, Operation, TakeDown

if TYPE_CHECKING:
    from lab.holder.control import Request
    from lab.holder.verbs import Lab

_PATIENCE = 20.0
STATES = ("up", "down")


def switch_link(topology: Topology, link: Link, state: str) -> tuple[Operation, ...]:
    """What cuts a link, or mends it. It is cut at its second end; the first, where it is captured, stays up.

    The kernel forgets the static routes over a device that goes down, so they come again with it.
    """
    end = link.b
    if state == "down":
        return (TakeDown(node=end.node, device=end.device),)
    networks = [address.cidr for address in end.addresses]
    routes = (
        AddRoute(node=end.node, destination=route.destination, via=route.via)
        for route in topology.node(end.node).routes
        if any(via in network for via in route.via for network in networks)
    )
    return (BringUp(node=end.node, device=end.device), *routes)


def rewire(lab: Lab, request: Request, operations: Sequence[Operation], done: Callable[[], object]) -> None:
    """Apply operations in a child; answer with what `done` gives when all are applied."""
    order = (Phase(name="rewire", operations=tuple(operations)),)
    places = dict(lab.places)

    def wire(control: Channel) -> None:
        from lab.holder import wiring

        wiring.run(order, places, control)

    def answered(answer: Message | None) -> None:
        child.state = State.STOPPING
        lab.supervisor.tell(child, {"type": "stop"})
        if answer is None:
            request.fail(f"the wirer gave no answer ({child.end}): {child.last_words}", ExitCode.VIOLATED)
        elif "error" in answer:
            request.fail(str(answer["error"]), ExitCode(answer["exit_code"]))
        else:
            request.reply(done())

    keep = [descriptor for place in places.values() for descriptor in (place.net, place.uts)]
    child = lab.supervisor.start("wirer", "wirer", wire, log=lab.order.folder.log("holder"), keep=keep)
    lab.supervisor.ask(child, {"type": "apply", "phase": 0}, answered, _PATIENCE)
