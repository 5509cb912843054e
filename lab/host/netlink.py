"""Links, addresses and routes by rtnetlink: the only file that knows pyroute2.

Importing it takes a tenth of a second and thirty megabytes, so only the short-lived process that wires a lab does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from netaddr import EUI, IPAddress, IPNetwork, mac_unix_expanded
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from lab.host.tables import KernelRoute
from lab.ports.outer import packets_a_message
from lab.topology.network_operations import AddRule, AddTableRoute, RefuseClear, RouteKind
from lab.topology.operations import WireEnd

# Of rtnetlink(7) and /etc/iproute2/rt_protos.
_ROUTE_KINDS = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
_ORIGINS = {2: "kernel", 4: "static", 12: "bird"}

_SCOPE_LINK = 253
_LAST = 0xFF00_0000  # a metric worse than any other's
_GUARD = 1  # the place of such rules: before those of subnets, behind the one for the node's own addresses

# One for all sockets of this process: each would else make its own, of three descriptors.
_loop = asyncio.new_event_loop()


class Netlink:
    """A netlink socket. It belongs to the namespace in which it was opened, wherever the process goes later.

    Devices are looked up by name where the process is, so it has to be in that namespace when it calls a method.
    Every method raises OSError when the kernel refuses.
    """

    def __init__(self) -> None:
        self._route = IPRoute(use_event_loop=_loop)
        self._indexes: dict[str, int] = {}

    def create_wire(self, a: WireEnd, b: WireEnd, mtu: int, other_namespace: int) -> None:
        """Make a veth pair, both ends down: `a` here, `b` in the network namespace that the descriptor holds."""
        _ask(
            self._route.link,
            "add",
            kind="veth",
            ifname=a.device,
            address=_mac(a.mac),
            mtu=mtu,
            peer={"ifname": b.device, "address": _mac(b.mac), "mtu": mtu, "net_ns_fd": other_namespace},
        )

    def set_mac_and_mtu(self, device: str, mac: EUI, mtu: int) -> None:
        """Give a device its address of the second layer, and the largest packet that it takes."""
        _ask(self._route.link, "set", index=self._index(device), address=_mac(mac), mtu=mtu)

    def set_up_tunnel(self, device: str, mtu: int) -> None:
        """Give a TUN its MTU, and super-frames of no more segments than fit, once protected, into one UDP message."""
        _ask(self._route.link, "set", index=self._index(device), mtu=mtu, gso_max_segs=packets_a_message(mtu))

    def bring_up(self, device: str) -> None:
        """Set a device up."""
        _ask(self._route.link, "set", index=self._index(device), state="up")

    def take_down(self, device: str) -> None:
        """Set a device down: the kernel forgets the routes over it."""
        _ask(self._route.link, "set", index=self._index(device), state="down")

    def add_address(self, device: str, address: IPNetwork) -> None:
        """Give a device an IP address and the route to its network."""
        _ask(
            self._route.addr,
            "add",
            index=self._index(device),
            address=str(address.ip),
            prefixlen=address.prefixlen,
            family=_family(address.version),
        )

    def add_route(self, destination: IPNetwork, via: Sequence[IPAddress]) -> None:
        """Add a static route, or put it in the place of the one there is; several next hops share the load."""
        hops: dict[str, object] = (
            {"gateway": str(via[0])} if len(via) == 1 else {"multipath": [{"gateway": str(hop)} for hop in via]}
        )
        _ask(self._route.route, "replace", dst=str(destination.cidr), family=_family(destination.version), **hops)

    def add_table_route(self, operation: AddTableRoute) -> None:
        """Add a route to a table of its own number."""
        hops: dict[str, object] = {}
        if len(operation.via) == 1:
            hops["gateway"] = str(operation.via[0])
        elif operation.via:
            hops["multipath"] = [{"gateway": str(hop)} for hop in operation.via]
        elif operation.device is not None:
            hops |= {"oif": self._index(operation.device), "scope": "link"}
        if operation.route is not RouteKind.UNICAST:
            hops["type"] = str(operation.route)
        destination = operation.destination
        _ask(
            self._route.route,
            "replace",
            dst=str(destination.cidr) if destination.prefixlen else "default",
            family=_family(destination.version),
            table=operation.table,
            **hops,
        )

    def add_rule(self, operation: AddRule | RefuseClear) -> None:
        """Have some packets looked up in a table before the main one, or discarded before any is looked at."""
        source = operation.source
        match operation:
            case AddRule(table=table):
                what: dict[str, object] = {"table": table, "priority": table}  # its number is its place among rules
            case RefuseClear(device=device, destination=to):
                what = {"iifname": device, "dst": str(to.ip), "dst_len": to.prefixlen, "action": "blackhole"}
                what["priority"] = _GUARD
        _ask(
            self._route.rule,
            "add",
            src=str(source.ip),
            src_len=source.prefixlen,
            family=_family(source.version),
            **what,
        )

    def routes(self, table: int) -> list[KernelRoute]:
        """The IPv4 routes of a table, in the order of their prefixes."""
        names = {link["index"]: link.get("ifname") for link in self._route.get_links()}
        found = [
            _route(message, names)
            for message in self._route.get_routes(family=socket.AF_INET, table=table)
            if message.get("table", 0) == table or message.get_attr("RTA_TABLE") == table
        ]
        return sorted(found, key=lambda route: (IPNetwork(route.prefix), route.metric))

    def add_device_route(self, destination: IPNetwork, devices: Sequence[str]) -> None:
        """Add a static route into devices that lead to one neighbour each; several of them share the load."""
        indexes = [self._index(device) for device in devices]
        hops: dict[str, object] = (
            {"oif": indexes[0]} if len(indexes) == 1 else {"multipath": [{"oif": index} for index in indexes]}
        )
        # Scope link: there is no gateway, whoever is at the other end of the tunnel knows what to do (RFC 1812 3.3.1).
        family = _family(destination.version)
        _ask(self._route.route, "add", dst=str(destination.cidr), family=family, scope=_SCOPE_LINK, **hops)

    def add_backstop(self, destination: IPNetwork) -> None:
        """Refuse a destination, but only where no other route to it is to be used."""
        family = _family(destination.version)
        _ask(self._route.route, "add", dst=str(destination.cidr), family=family, type="unreachable", priority=_LAST)

    def _index(self, device: str) -> int:
        if device not in self._indexes:
            self._indexes[device] = socket.if_nametoindex(device)
        return self._indexes[device]


def _ask(method: Any, *arguments: object, **fields: object) -> None:
    try:
        method(*arguments, **fields)
    except NetlinkError as error:
        number = error.code or errno.EIO
        raise OSError(number, os.strerror(number)) from error


def _route(message: Any, names: Mapping[int, str | None]) -> KernelRoute:
    destination = message.get_attr("RTA_DST") or "0.0.0.0"  # noqa: S104 - the default route's
    hops = [(hop.get_attr("RTA_GATEWAY"), hop["oif"], hop["flags"]) for hop in message.get_attr("RTA_MULTIPATH") or ()]
    if not hops and (device := message.get_attr("RTA_OIF")) is not None:
        hops = [(message.get_attr("RTA_GATEWAY"), device, message["flags"])]
    return KernelRoute(
        prefix=f"{destination}/{message['dst_len']}",
        kind=_ROUTE_KINDS.get(message["type"], str(message["type"])),
        origin=_ORIGINS.get(message["proto"], str(message["proto"])),
        hops=tuple((via, names.get(device)) for via, device, _ in hops),
        metric=message.get_attr("RTA_PRIORITY") or 0,
        # RTNH_F_DEAD, RTNH_F_LINKDOWN
        is_down=bool(hops) and all(flags & 0x11 for _, _, flags in hops),
    )


def _mac(address: EUI) -> str:
    return address.format(mac_unix_expanded)


def _family(version: int) -> int:
    return int(socket.AF_INET6 if version == 6 else socket.AF_INET)
