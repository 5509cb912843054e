"""What can be asked of a lab that runs: the control socket's verbs, each a small function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from lab.errors import CheckFailedError, ExitCode
from lab.holder import rewire, status
from lab.holder.control import Request, RequestError, Verb
from lab.holder.events import EventLog
from lab.holder.loop import Loop
from lab.holder.order import Order
from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Message
from lab.host.namespaces import Kind, Place, hold
from lab.host.state import HolderRecord

# In which namespaces a command runs, beside its node's own; the user namespace first, since it gives the right to
# enter the others.
SHARED = (Kind.USER, Kind.MNT, Kind.PID, Kind.IPC)

_COMMAND_PATIENCE = 30.0


@dataclass(slots=True, kw_only=True)
class Lab:
    """What the verbs look at and change. `tunnels`: by node and connection, how it stands there, and why."""

    order: Order
    loop: Loop
    supervisor: Supervisor
    events: EventLog
    record: HolderRecord
    state: str = "building"
    stopping: bool = False
    home: Place | None = None
    places: dict[str, Place] = field(default_factory=dict)
    shared: dict[Kind, int] = field(default_factory=dict)
    at_end: list[Callable[[], None]] = field(default_factory=list)
    tunnels: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def fail_if_stopping(self) -> None:
        """Give up what is being done when the lab was taken down meanwhile.

        Raises:
            CheckFailedError: it was.
        """
        if self.stopping:
            raise CheckFailedError("the lab was taken down while it was being built")


def verbs(lab: Lab) -> dict[str, Verb]:
    """All of them, by name."""
    table: dict[str, Callable[[Lab, Request], None]] = {
        "status": _status,
        "down": _down,
        "events": _events,
        "enter": _enter,
        "command": _command,
        "flush": _flush,
        "routing": _routing,
        "link": _link,
    }
    return {name: functools.partial(verb, lab) for name, verb in table.items()}


def _status(lab: Lab, request: Request) -> None:
    """How the lab is. No fields."""

    def done(answers: dict[str, object]) -> None:
        topology = lab.order.topology
        children = lab.supervisor.children
        request.reply(
            {
                "lab": lab.order.folder.name,
                "state": lab.state,
                "topology": topology.name,
                "folder": str(lab.order.folder.path),
                **asdict(lab.record),
                "nodes": status.nodes(topology, children, answers),
                "segments": status.segments(topology, answers.get("capture")),
                "events_unwritten": lab.events.unwritten,
                "spliced": status.spliced(children),
                "failed": [
                    *(child.name for child in children if child.state is State.FAILED),
                    *status.ended_birds(answers),
                ],
            }
        )

    status.gather(lab.supervisor, done)


def _down(lab: Lab, request: Request) -> None:
    """Take the lab down. Answered when all is written and only process 1 is left to go."""
    lab.stopping = True
    lab.at_end.append(functools.partial(request.reply, {"lab": lab.order.folder.name}))


def _events(lab: Lab, request: Request) -> None:
    """Hear every event from now on; the answer is the number of the last one before."""
    request.reply({"last_seq": lab.events.last_seq})
    request.call.at_end.append(lab.events.listen(request.stream))


def _enter(lab: Lab, request: Request) -> None:
    """Get descriptors of the namespaces of `nodes`.

    In the answer's order: the namespaces named in `shared`, then `net` and `uts` of the lab's own empty place, then of
    each node asked for.
    """
    names = request.fields.get("nodes")
    if not isinstance(names, list) or len(names) > 100:
        raise RequestError("verb 'enter' needs `nodes`, a list of up to 100 names")
    if lab.home is None or lab.state == "building":
        raise RequestError("the lab is still being built")
    for name in names:
        if name not in lab.places:
            raise RequestError(f"there is no node {name!r}; there are {', '.join(lab.places)}")
    if not lab.shared:
        lab.shared = {kind: hold(kind) for kind in SHARED}
    places = [lab.home, *(lab.places[name] for name in names)]
    request.reply(
        {"shared": [int(kind) for kind in SHARED], "nodes": names},
        [*lab.shared.values(), *(descriptor for place in places for descriptor in (place.net, place.uts))],
    )


def _command(lab: Lab, request: Request) -> None:
    """Put `command`, an object with its own `verb`, to the driver of `node`, and pass its answer on."""
    name = request.text("node")
    command = request.fields.get("command")
    if not isinstance(command, dict) or not isinstance(command.get("verb"), str):
        raise RequestError("verb 'command' needs `command`, an object with a `verb`")
    drivers = {child.name: child for child in lab.supervisor.children if child.kind == "node"}
    if name not in drivers:
        raise RequestError(f"there is no driver at {name!r}; there are {', '.join(drivers) or 'none'}")
    _pass_on(lab, request, drivers[name], command)


def _flush(lab: Lab, request: Request) -> None:
    """Have in the captures' files whatever was on a wire up to now; answered with each segment's counts."""
    for child in lab.supervisor.children:
        if child.kind == "capture":
            _pass_on(lab, request, child, {"verb": "flush"})
            return
    raise RequestError("nothing is captured in this lab")


def _routing(lab: Lab, request: Request) -> None:
    """Put `command` to the process that keeps the BIRDs, and pass its answer on."""
    command = request.fields.get("command")
    if not isinstance(command, dict) or not isinstance(command.get("verb"), str):
        raise RequestError("verb 'routing' needs `command`, an object with a `verb`")
    for child in lab.supervisor.children:
        if child.kind == "routing":
            _pass_on(lab, request, child, command)
            return
    raise RequestError("no node of this lab speaks BGP; give nodes of its topology `bgp:`")


def _link(lab: Lab, request: Request) -> None:
    """Cut the link `segment`, or mend it, as `state` says: down or up."""
    segment, state = request.text("segment"), request.text("state")
    topology = lab.order.topology
    links = {link.segment: link for link in topology.links}
    if segment not in links:
        raise RequestError(f"there is no segment {segment!r}; there are {', '.join(links)}")
    if state not in rewire.STATES:
        raise RequestError(f"a link goes {' or '.join(rewire.STATES)}, not {state!r}")

    def done() -> object:
        lab.events.record(f"link-{state}", {"segment": segment})
        return {"segment": segment, "state": state}

    rewire.rewire(lab, request, rewire.switch_link(topology, links[segment], state), done)


def _pass_on(lab: Lab, request: Request, child: Child, command: Message) -> None:
    def answered(answer: Message | None) -> None:
        if answer is None:
            request.fail(f"{child.name} gave no answer ({child.end or child.state})", ExitCode.VIOLATED)
        elif "error" in answer:
            request.fail(str(answer["error"]), ExitCode.BAD_INPUT)
        else:
            request.reply(answer["result"])

    lab.supervisor.ask(child, {**command, "type": "command"}, answered, _COMMAND_PATIENCE)
