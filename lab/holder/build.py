"""Standing a lab up: the plan's phases, one after the other.

Devices, addresses and routes are the wirer's, the rest process 1 does itself. Anything that goes wrong ends the build,
and with it process 1 and all that was made.
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.errors import MachineError, WireproofError
from lab.holder import status, unsecured
from lab.holder.adversaries import Adversaries
from lab.holder.failure import failure
from lab.holder.loop import Loop
from lab.holder.order import Order
from lab.holder.phases import Phase, phases
from lab.holder.supervise import Child, State, Supervisor
from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.topology.enforcement import learning_tables
from lab.topology.network_operations import AwaitSessions, StartBgp
from lab.topology.operations import (
    AwaitSecured,
    CreateControlledPort,
    CreateNamespace,
    CreateTunnelDevice,
    ImpairWire,
    StartCapture,
    StartDriver,
    StartTunnels,
)

_CONNECTED = "Connected"
_TUNNELS_PATIENCE = 6.0  # seconds for connections to come up
_PATIENCE = 60.0  # seconds for one step; only a machine that is stuck takes longer


@dataclass(slots=True, kw_only=True)
class Build:
    """One build.

    `report` gets each phase's name and seconds, `warn` what does not work although the lab is up; `may_go_on` raises
    when nobody wants the lab any more. `tunnels` says how each connection stands at each of its nodes, and why;
    `secured` are the ends, as (node, segment), that MKA has secured so far.
    """

    order: Order
    loop: Loop
    supervisor: Supervisor
    report: Callable[[str, float], None]
    warn: Callable[[str], None]
    tunnels: Mapping[tuple[str, str], tuple[str, str]]
    may_go_on: Callable[[], None]
    secured: Set[tuple[str, str]]
    adversaries: Adversaries
    home: Place = field(default_factory=Place.here)
    places: dict[str, Place] = field(default_factory=dict)

    def run(self) -> None:
        """Do everything that the plan says, in its order.

        Raises:
            WireproofError: something could not be done; says what, and why.
        """
        with self._timed("namespaces"):
            self._create_namespaces()
        order = phases(self.order.plan)
        with self._timed("imports"):
            wirer = self._start_wirer(order)
            self._warm_up()
            self._await_ready([wirer])
        for number, phase in enumerate(order):
            with self._timed(phase.name):
                if phase.wired:
                    self._have_wired(wirer, number)
                if phase.captures:
                    self._start_captures(phase.captures)
                if phase.impaired:
                    self._impair(phase.impaired)
                if phase.drivers:
                    self._start_drivers(phase.drivers)
                for waiting_for in phase.secured:
                    self._await_secured(waiting_for)
                if phase.tunnels:
                    self._start_tunnels(phase.tunnels)
                if phase.speakers:
                    self._start_routing(phase.speakers)
                for waiting in phase.awaited:
                    self._await_sessions(waiting)
        self.supervisor.stop([wirer], _PATIENCE)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.may_go_on()
        self.report(name, time.monotonic() - began)

    def _create_namespaces(self) -> None:
        for operation in self.order.plan:
            if isinstance(operation, CreateNamespace):
                try:
                    self.places[operation.node] = Place.create(operation.node)
                except OSError as error:
                    raise MachineError(f"{operation}: {error.strerror}") from error
        self.home.enter()

    def _start_wirer(self, order: tuple[Phase, ...]) -> Child:
        places = self.places

        def wire(control: Channel) -> None:
            from lab.holder import wiring  # netlink's library is for the wirer alone

            wiring.run(order, places, control)

        keep = [descriptor for place in places.values() for descriptor in (place.net, place.uts)]
        return self.supervisor.start("wirer", "wirer", wire, log=self.order.folder.log("holder"), keep=keep)

    def _have_wired(self, wirer: Child, number: int) -> None:
        answers: list[Message | None] = []
        self.supervisor.ask(wirer, {"type": "apply", "phase": number}, answers.append, _PATIENCE)
        self.loop.run_until(lambda: bool(answers))
        answer = answers[0]
        if answer is None:
            raise WireproofError(f"the wirer ended ({wirer.end or 'no answer'}): {wirer.last_words}")
        if "error" in answer:
            raise failure(answer["error"], answer["exit_code"])

    def _warm_up(self) -> None:
        """Import, while the wirer works, what children will need: they find it in their memory, at no cost."""
        gc.disable()  # what is imported stays: looking for garbage in it is a fifth of the time
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy starts no threads then, of which nothing here has any use
        kinds = {type(operation) for operation in self.order.plan}
        for kind, modules in _NEEDS.items():
            for module in modules if kind in kinds else ():
                importlib.import_module(module)
        gc.freeze()  # what is there stays shared with the children
        gc.enable()

    def _start_captures(self, operations: Iterable[StartCapture]) -> None:
        """One process for all taps. Its sockets are opened here, each where its wire is, before the wires come up."""
        from lab.capture import tap
        from lab.host.packet import open_packet_socket

        taps = []
        for operation in operations:
            with self.places[operation.node].visit(self.home):
                opened = open_packet_socket(operation.device, outgoing=True)
            near, far = self.order.topology.link(operation.segment).ends
            description = f"{near.node}:{near.device}, towards {far.node}"
            if operation.at_far_end:
                description += f", seen at {far.node}:{far.device}"
            taps.append(
                tap.TapSpec(
                    segment=operation.segment,
                    device=near.device,
                    description=description,
                    at_far_end=operation.at_far_end,
                    socket=opened,
                )
            )
        folder = self.order.folder
        child = self.supervisor.start(
            "capture",
            "capture",
            functools.partial(tap.run, taps, folder.captures),
            log=folder.log("capture"),
            keep=[spec.socket.fileno() for spec in taps],
        )
        for spec in taps:
            spec.socket.close()
        self._await_ready([child])

    def _impair(self, operations: Iterable[ImpairWire]) -> None:
        links = [self.order.topology.link(operation.segment) for operation in operations]
        self._await_ready([self.adversaries.start(link, link.impairments) for link in links])

    def _start_drivers(self, operations: Iterable[StartDriver]) -> None:
        started = []
        for operation in operations:
            place = self.places[operation.node]
            drive = functools.partial(_drive, place, self.order, operation.node)
            log = self.order.folder.log(operation.node)
            started.append(self.supervisor.start(operation.node, "node", drive, log=log, keep=(place.net, place.uts)))
        self._await_ready(started)

    def _await_secured(self, awaited: AwaitSecured) -> None:
        """Wait for MKA, and go on without it: a topology may be about a link that does not come."""
        links = [self.order.topology.link(segment) for segment in awaited.segments]
        wanted = {(end.node, link.segment) for link in links for end in link.ends}
        if self.loop.run_until(lambda: wanted <= self.secured, awaited.seconds):
            return
        answers: list[dict[str, object]] = []
        status.gather(self.supervisor, answers.append)
        self.loop.run_until(lambda: bool(answers))
        for link in links:
            if any((end.node, link.segment) not in self.secured for end in link.ends):
                self.warn(f"{link.segment} is not secured: {unsecured.why(link, answers[0])}")

    def _start_tunnels(self, operations: Iterable[StartTunnels]) -> None:
        """Have gateways negotiate, and wait a while; one that is not up by then is a warning, and tries on."""
        wanted = [(operation.node, connection) for operation in operations for connection in operation.connections]
        drivers = {child.name: child for child in self.supervisor.children if child.kind == "node"}
        for operation in operations:
            question = {"type": "command", "part": operation.node, "verb": "begin"}
            self.supervisor.ask(drivers[operation.node], question, lambda _: None, _PATIENCE)

        def state(key: tuple[str, str]) -> str:
            return self.tunnels.get(key, ("", ""))[0]

        def why(key: tuple[str, str]) -> str:
            return self.tunnels.get(key, ("", ""))[1]

        def settled() -> bool:
            self.may_go_on()
            # An end that only answers is not connected until somebody asks, so one end's failure is the connection's.
            failed = {connection for node, connection in wanted if why((node, connection))}
            return all(state(key) == _CONNECTED or key[1] in failed for key in wanted)

        self.loop.run_until(settled, _TUNNELS_PATIENCE)
        for name in dict.fromkeys(connection for _, connection in wanted):
            ends = [key for key in wanted if key[1] == name]
            if any(state(key) != _CONNECTED for key in ends):
                whys = "; ".join(f"{key[0]}: {why(key)}" for key in ends if why(key))
                reason = f" ({whys})" if whys else ""
                self.warn(f"connection {name} is not up{reason}; `wireproof vpn status` says more")

    def _start_routing(self, operations: Iterable[StartBgp]) -> None:
        """One process for all BIRDs, each of which is started where its node is."""
        from lab.nodes import routing

        speakers = []
        for operation in operations:
            bgp = self.order.topology.node(operation.node).bgp
            assert bgp is not None
            speakers.append(
                routing.Speaker(
                    node=operation.node,
                    place=self.places[operation.node],
                    bgp=bgp,
                    tables=learning_tables(self.order.topology, operation.node),
                )
            )
        run = functools.partial(routing.run, speakers, self.order.secrets, self.order.folder.logs)
        keep = [descriptor for each in speakers for descriptor in (each.place.net, each.place.uts)]
        child = self.supervisor.start("routing", "routing", run, log=self.order.folder.log("routing"), keep=keep)
        self._await_ready([child])

    def _await_sessions(self, waiting: AwaitSessions) -> None:
        """Wait for BGP, and go on without it: a topology may be about a session that does not come."""
        routing = next(child for child in self.supervisor.children if child.kind == "routing")
        answers: list[Message | None] = []
        question = {"type": "command", "verb": "settle", "seconds": waiting.seconds, "late": waiting.late}
        self.supervisor.ask(routing, question, answers.append, _PATIENCE)
        self.loop.run_until(lambda: bool(answers))

    def _await_ready(self, started: list[Child]) -> None:
        def settled() -> bool:
            return all(child.state is State.READY for child in started) or any(not child.lives for child in started)

        in_time = self.loop.run_until(settled, _PATIENCE)
        for child in started:
            if not child.lives:
                raise failure(f"{child.name} did not start ({child.end}): {child.last_words}", child.exit_code)
            if not in_time and child.state is not State.READY:
                raise WireproofError(f"{child.name} was not ready within {_PATIENCE:.0f} s")


def _drive(place: Place, order: Order, name: str, control: Channel) -> None:
    """Be a node's driver, where its devices are."""
    from lab.nodes import driver

    place.enter()
    driver.run(order.topology.node(name), order.topology, order.secrets, control)


_NEEDS: dict[type, tuple[str, ...]] = {
    StartCapture: ("lab.capture.tap", "lab.host.packet"),
    ImpairWire: ("lab.replay.adversary",),
    StartDriver: ("lab.nodes.driver",),
    CreateControlledPort: ("lab.nodes.link_end",),
    CreateTunnelDevice: ("lab.nodes.gateway",),
    StartBgp: ("lab.nodes.routing",),
}
