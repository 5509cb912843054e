"""The wirer: a short-lived child of process 1 that makes devices, addresses and routes, and then is gone.

It alone pays for netlink's library, in time and memory, while process 1 imports what its nodes will need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.errors import ExitCode, MachineError
from lab.holder.phases import Phase
from lab.host import devices, filters
from lab.host.channel import Channel
from lab.host.namespaces import Place
from lab.host.netlink import Netlink
from lab.topology.network_operations import AddRule, AddTableRoute, ApplyFilter, LimitBandwidth, RefuseClear
from lab.topology.operations import (
    AddAddress,
    AddBackstop,
    AddRoute,
    AddTunnelRoute,
    BringUp,
    CreateControlledPort,
    CreateTunnelDevice,
    CreateWire,
    DisableOffloads,
    MergeArriving,
    Operation,
    SetSysctl,
    TakeDown,
)


def run(phases: tuple[Phase, ...], places: Mapping[str, Place], control: Channel) -> None:
    """Apply the phases that process 1 names, until it says stop or has gone."""
    wirer = Wirer(places)
    control.send({"type": "ready"})
    while control.wait():
        message = control.receive()
        if message is None or message["type"] == "stop":
            return
        answer = wirer.apply(phases[message["phase"]].wired)
        control.send({"type": "reply", "id": message["id"], **answer})


class Wirer:
    """Applies operations, each in the namespace of its node; `places` are those namespaces by name."""

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
            case CreateWire() | DisableOffloads() | MergeArriving():
                self._apply_wire(operation)
            case CreateControlledPort():
                netlink = self._enter(operation.node)
                devices.create_tap(operation.device)
                netlink.set_mac_and_mtu(operation.device, operation.mac, operation.mtu)
            case CreateTunnelDevice():
                netlink = self._enter(operation.node)
                devices.create_tun(operation.device)
                netlink.set_up_tunnel(operation.device, operation.mtu)
            case AddBackstop():
                self._enter(operation.node).add_backstop(operation.destination)
            case AddAddress():
                self._enter(operation.node).add_address(operation.device, operation.address)
            case BringUp():
                self._enter(operation.node).bring_up(operation.device)
            case TakeDown():
                self._enter(operation.node).take_down(operation.device)
            case _:
                self._apply_policy(operation)

    def _apply_wire(self, operation: CreateWire | DisableOffloads | MergeArriving) -> None:
        """What makes a wire, and how its ends treat frames."""
        match operation:
            case CreateWire():
                other = self._places[operation.b.node].net
                self._enter(operation.a.node).create_wire(operation.a, operation.b, operation.mtu, other)
            case DisableOffloads():
                self._enter(operation.node)
                devices.disable_offloads(operation.device, operation.offloads)
            case MergeArriving():
                self._enter(operation.node)
                devices.merge_arriving(operation.device)

    def _apply_policy(self, operation: Operation) -> None:
        """What decides about packets: routes, and what Azure's resources ask of a node."""
        match operation:
            case AddRoute():
                self._enter(operation.node).add_route(operation.destination, operation.via)
            case AddTunnelRoute():
                self._enter(operation.node).add_device_route(operation.destination, operation.devices)
            case AddTableRoute():
                self._enter(operation.node).add_table_route(operation)
            case AddRule() | RefuseClear():
                self._enter(operation.node).add_rule(operation)
            case ApplyFilter():
                self._enter(operation.node)
                filters.apply(filters.security_group(operation.device, operation.group))
            case LimitBandwidth():
                self._enter(operation.node)
                filters.apply(filters.bandwidth(operation.device, operation.mbps))

    def _enter(self, node: str) -> Netlink:
        """Be in the node's namespace; its netlink socket is opened there on the first visit, and kept."""
        if self._here != node:
            self._places[node].enter()
            self._here = node
        if node not in self._sockets:
            self._sockets[node] = Netlink()
        return self._sockets[node]
