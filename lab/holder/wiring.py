"""The wirer: a short-lived child of process 1 that makes devices, addresses and routes, and then is gone.

It alone pays for netlink's library, in time and memory, while process 1 imports what its nodes will need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.errors import ExitCode, MachineError
from lab.holder.phases import Phase
from lab.host import devices
from lab.host.channel import Channel
from lab.host.namespaces import Place
from lab.host.netlink import Netlink
from lab.topology.operations import (
    AddAddress,
    AddRoute,
    BringUp,
    CreateControlledPort,
    CreateWire,
    DisableOffloads,
    Operation,
    SetSysctl,
)


def run(phases: tuple[Phase, ...], places: Mapping[str, Place], control: Channel) -> None:
    """Apply the phases that process 1 names, until it says stop or has gone."""
    wirer = _Wirer(places)
    control.send({"type": "ready"})
    while control.wait():
        message = control.receive()
        if message is None or message["type"] == "stop":
            return
        answer = wirer.apply(phases[message["phase"]].wired)
        control.send({"type": "reply", "id": message["id"], **answer})


class _Wirer:
    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._here: str | None = None
        self._sockets: dict[str, Netlink] = {}

    def apply(self, operations: Iterable[Operation]) -> dict[str, object]:
        """Apply one after the other, then have links that are now up in use; an error names the one that failed."""
        raised = []
        for operation in operations:
            try:
                self._apply(operation)
            except MachineError as error:
                return {"error": f"{operation}: {error}", "exit_code": error.exit_code}
            except OSError as error:
                return {"error": f"{operation}: {error.strerror or error}", "exit_code": ExitCode.CANNOT}
            if isinstance(operation, BringUp):
                raised.append(operation)
        for operation in raised:
            self._enter(operation.node)
            devices.has_link(operation.device)
        return {"result": None}

    def _apply(self, operation: Operation) -> None:
        match operation:
            case SetSysctl():
                self._enter(operation.node)
                devices.write_sysctl(operation.path, operation.value)
            case CreateWire():
                other = self._places[operation.b.node].net
                self._enter(operation.a.node).create_wire(operation.a, operation.b, operation.mtu, other)
            case DisableOffloads():
                self._enter(operation.node)
                devices.disable_offloads(operation.device, operation.offloads)
            case CreateControlledPort():
                netlink = self._enter(operation.node)
                devices.create_tap(operation.device)
                netlink.set_mac_and_mtu(operation.device, operation.mac, operation.mtu)
            case AddAddress():
                self._enter(operation.node).add_address(operation.device, operation.address)
            case BringUp():
                self._enter(operation.node).bring_up(operation.device)
            case AddRoute():
                self._enter(operation.node).add_route(operation.destination, operation.via)

    def _enter(self, node: str) -> Netlink:
        """Be in the node's namespace; its netlink socket is opened there on the first visit, and kept."""
        if self._here != node:
            self._places[node].enter()
            self._here = node
        if node not in self._sockets:
            self._sockets[node] = Netlink()
        return self._sockets[node]
