"""From the model to the operations that stand it up, in the order in which they are applied.

The order carries three promises: a capture runs before its wire comes up, so no frame escapes it; IPv6 is off before
a link comes up, so no frame is on a wire that the topology did not ask for; and what is meant for a tunnel is routed
into it before a link comes up, so it never goes in clear.
"""

from __future__ import annotations

from collections.abc import Iterator

from netaddr import IPNetwork

from lab.model.link import Interface, Link
from lab.model.macsec import MkaKeys
from lab.model.topology import Node, Topology
from lab.topology.enforcement import enforce
from lab.topology.network_operations import AwaitSessions, RefuseClear, StartBgp
from lab.topology.operations import (
    AddAddress,
    AddBackstop,
    AddRoute,
    AddTunnelRoute,
    AwaitSecured,
    BringUp,
    CreateControlledPort,
    CreateNamespace,
    CreateTunnelDevice,
    CreateWire,
    DisableOffloads,
    GenerateSecret,
    ImpairWire,
    MergeArriving,
    Operation,
    SetSysctl,
    StartCapture,
    StartDriver,
    StartTunnels,
    WireEnd,
)

# Sessions start in about a second; a second try of everything is in it.
SESSIONS_PATIENCE = 5
# MKA needs some milliseconds; again, a second try is in it.
SECURED_PATIENCE = 5
# In so much time both ends know what is wrong.
MISTAKEN_PATIENCE = 1


def plan(topology: Topology, *, limits: bool = True) -> tuple[Operation, ...]:
    """Order everything that `up` does, so that each operation finds what it stands on.

    Without `limits`, no bandwidth is limited.
    """
    return tuple(_operations(topology, limits=limits))


def _operations(topology: Topology, *, limits: bool) -> Iterator[Operation]:
    for made in topology.generated_secrets:
        yield GenerateSecret(vault=made.vault, secret=made.secret, octets=made.octets)
    for node in topology.nodes:
        yield from _namespace(node, topology)
    yield from _links(topology)
    for node in topology.nodes:
        driven = tuple(link.segment for link, end in topology.interfaces(node.name) if end.controlled_device)
        tunnels = tuple(connection.name for connection, _ in topology.tunnels(node.name))
        if driven or tunnels:
            yield StartDriver(node=node.name, segments=driven, connections=tunnels)
    for node in topology.nodes:
        for route in node.routes:
            yield AddRoute(node=node.name, destination=route.destination, via=route.via)
        yield from _kernel_host_routes(node)
    yield from enforce(topology, limits=limits)
    yield from _secured(topology)
    yield from _routing(topology)


def _secured(topology: Topology) -> Iterator[Operation]:
    """Links that MKA keys carry nothing until it has; one with a mistake in it will not."""
    keyed = [
        link
        for link in topology.links
        if link.macsec is not None
        and isinstance(link.macsec.keys, MkaKeys)
        and topology.resources.is_enabled(link.segment)
    ]
    for mistaken, seconds in ((False, SECURED_PATIENCE), (True, MISTAKEN_PATIENCE)):
        segments = tuple(link.segment for link in keyed if bool(link.mistakes) is mistaken)
        if segments:
            yield AwaitSecured(segments=segments, seconds=seconds)


def _routing(topology: Topology) -> Iterator[Operation]:
    """Who speaks BGP does so before tunnels begin, since it may tell where their ends are, and goes on over them."""
    speakers = [(node.name, node.bgp) for node in topology.nodes if node.bgp is not None]
    for name, bgp in speakers:
        sessions = tuple(f"{neighbor.name} (AS {neighbor.asn})" for neighbor in bgp.neighbors)
        yield StartBgp(node=name, asn=bgp.asn, sessions=sessions)
    kinds = {neighbor.is_late for _, bgp in speakers for neighbor in bgp.neighbors}
    if False in kinds:
        yield AwaitSessions(seconds=SESSIONS_PATIENCE, late=False)
    for node in topology.nodes:
        if tunnels := tuple(connection.name for connection, _ in topology.tunnels(node.name)):
            yield StartTunnels(node=node.name, connections=tunnels)
    if True in kinds:
        yield AwaitSessions(seconds=SESSIONS_PATIENCE, late=True)


def _kernel_host_routes(node: Node) -> Iterator[Operation]:
    """Routes to neighbours that BIRD is not to know of."""
    for route in node.bgp.host_routes if node.bgp else ():
        destination = IPNetwork(f"{route.destination}/32")
        if route.in_kernel and route.via is not None:
            yield AddRoute(node=node.name, destination=destination, via=(route.via,))
        elif route.in_kernel and route.device is not None:
            yield AddTunnelRoute(node=node.name, destination=destination, devices=(route.device,))


def _links(topology: Topology) -> Iterator[Operation]:
    """Every wire is made, then captured, then addressed, and only then brought up; before drivers use it, impaired."""
    for link in topology.links:
        yield from _wire(link, topology)
    for link in topology.links:
        end = _captured_end(link, topology)
        yield StartCapture(segment=link.segment, node=end.node, device=end.device, at_far_end=end is link.b)
    ends = [end for link in topology.links for end in link.ends]
    for end in ends:
        yield from _addressed(end)
    # A link of a port pair that is Disabled stays down at Microsoft's end.
    off = {link.b for link in topology.links if not topology.resources.is_enabled(link.segment)}
    for node in topology.nodes:
        yield from _tunnels(node, topology)
    for end in ends:
        if end not in off:
            yield BringUp(node=end.node, device=end.device)
    for link in topology.links:
        if (suffered := link.impairments) is not None:
            yield ImpairWire(
                segment=link.segment,
                a=link.a.node,
                b=link.b.node,
                a_to_b=suffered.a_to_b,
                b_to_a=suffered.b_to_a,
                seed=suffered.seed,
            )


def _namespace(node: Node, topology: Topology) -> Iterator[Operation]:
    """The namespace, its kernel settings and its loopback."""
    yield CreateNamespace(node=node.name)
    settings = {
        "net/ipv6/conf/all/disable_ipv6": "1",
        "net/ipv6/conf/default/disable_ipv6": "1",
        # Two links share the load, so an answer may come in by the link that the question did not take.
        "net/ipv4/conf/all/rp_filter": "0",
        "net/ipv4/conf/default/rp_filter": "0",
    }
    if node.role.forwards:
        settings["net/ipv4/ip_forward"] = "1"
        # Next hops are chosen by flow (addresses and ports), so that both links of a pair carry traffic.
        settings["net/ipv4/fib_multipath_hash_policy"] = "1"
    if node.role.forwards and _speaks_ipv6(node, topology):
        settings["net/ipv6/conf/all/forwarding"] = "1"
        settings["net/ipv6/fib_multipath_hash_policy"] = "1"
    for path, value in settings.items():
        yield SetSysctl(node=node.name, path=path, value=value)
    if any(address.version == 6 for address in node.loopback_addresses):
        yield SetSysctl(node=node.name, path="net/ipv6/conf/lo/disable_ipv6", value="0")
    yield BringUp(node=node.name, device="lo")
    for address in node.loopback_addresses:
        yield AddAddress(node=node.name, device="lo", address=address)


def _tunnels(node: Node, topology: Topology) -> Iterator[Operation]:
    """A node's tunnel devices, and the routes into them."""
    routes: dict[IPNetwork, list[str]] = {}
    for connection, end in topology.tunnels(node.name):
        yield CreateTunnelDevice(node=node.name, device=end.device, connection=connection.name, mtu=connection.mtu)
        if any(each.version == 6 for each in (*end.tunnel_addresses, *end.prefixes, *end.peer_prefixes)):
            yield from _with_ipv6(node.name, end.device)
        for address in end.tunnel_addresses:
            yield AddAddress(node=node.name, device=end.device, address=address)
        for prefix in end.peer_prefixes:
            routes.setdefault(prefix, []).append(end.device)
    shared = [(device, prefix.version) for prefix, devices in routes.items() if len(devices) > 1 for device in devices]
    for device, version in dict.fromkeys(shared):
        # A tunnel that is not up has no carrier while another one stands in for it.
        path = f"net/ipv{version}/conf/{device}/ignore_routes_with_linkdown"
        yield SetSysctl(node=node.name, path=path, value="1")
    for _, end in topology.tunnels(node.name):
        yield BringUp(node=node.name, device=end.device)
    for prefix, devices in routes.items():
        yield AddTunnelRoute(node=node.name, destination=prefix, devices=tuple(devices))
        if len(devices) > 1:
            yield AddBackstop(node=node.name, destination=prefix)
    yield from _guards(node, topology)


def _guards(node: Node, topology: Topology) -> Iterator[Operation]:
    """What a tunnel is to bring is not taken from a wire of the outer side (RFC 4301 5.2 step 3b).

    A prefix of which the node routes a part past the tunnel is left alone: that part comes in clear, as it goes.
    """
    ends = [end for _, end in topology.tunnels(node.name)]
    past = [route.destination for route in node.routes if route.destination.size > 1]
    pairs = dict.fromkeys(
        (theirs, own)
        for end in ends
        for theirs in end.peer_prefixes
        for own in end.prefixes
        if theirs.version == own.version and not any(part in theirs for part in past)
    )
    for _, interface in topology.interfaces(node.name):
        if _is_inner(interface, node, topology):
            continue
        for theirs, own in pairs:
            yield RefuseClear(node=node.name, device=interface.addressed_device, source=theirs, destination=own)


def _is_inner(interface: Interface, node: Node, topology: Topology) -> bool:
    """Whether a link is among what the node's tunnels protect: its own prefixes are there, and no peer is beyond it."""
    tunnels = topology.tunnels(node.name)
    networks = [address.cidr for address in interface.addresses]
    peers = [connection.other_end(node.name).address for connection, _ in tunnels]
    ways = [via for route in node.routes for peer in peers if peer in route.destination for via in route.via]
    if any(each in network for each in (*peers, *ways) for network in networks):
        return False
    return any(address.ip in own for address in interface.addresses for _, end in tunnels for own in end.prefixes)


def _speaks_ipv6(node: Node, topology: Topology) -> bool:
    ends = (end for _, end in topology.interfaces(node.name))
    return any(address.version == 6 for end in ends for address in end.addresses)


def _wire(link: Link, topology: Topology) -> Iterator[Operation]:
    a, b = (WireEnd(node=end.node, device=end.device, mac=end.mac) for end in link.ends)
    yield CreateWire(segment=link.segment, a=a, b=b, mtu=link.a.wire_mtu)
    captured = _captured_end(link, topology)
    for end in link.ends:
        yield DisableOffloads(node=end.node, device=end.device)
        if end is not captured and _may_merge(end, topology):
            yield MergeArriving(node=end.node, device=end.device)


def _may_merge(end: Interface, topology: Topology) -> bool:
    """Whether what arrives at an end is the kernel's, for a gateway that gains by having many packets at once."""
    return end.controlled_device is None and bool(topology.tunnels(end.node))


def _captured_end(link: Link, topology: Topology) -> Interface:
    """The end at which a capture sees frames as they are on the wire, which an end that merges them does not show."""
    return link.b if _may_merge(link.a, topology) and not _may_merge(link.b, topology) else link.a


def _addressed(end: Interface) -> Iterator[Operation]:
    """The device that bears an end's addresses, with them."""
    if end.controlled_device is not None:
        yield CreateControlledPort(
            node=end.node, device=end.controlled_device, wire=end.device, mac=end.mac, mtu=end.mtu
        )
    yield from _bearing(end.node, end.addressed_device, end.addresses)
    if end.controlled_device is not None:
        yield BringUp(node=end.node, device=end.controlled_device)


def _bearing(node: str, device: str, addresses: tuple[IPNetwork, ...]) -> Iterator[Operation]:
    """A device's addresses, with what they ask of it."""
    if any(address.version == 6 for address in addresses):
        yield from _with_ipv6(node, device)
    for address in addresses:
        yield AddAddress(node=node, device=device, address=address)


def _with_ipv6(node: str, device: str) -> Iterator[Operation]:
    """Let a device carry IPv6."""
    # Addresses are given, so nothing is solicited and no duplicate is looked for. The link-local address stays: a
    # router asks for its neighbours from it (RFC 4861 4.3).
    for name, value in (("accept_ra", "0"), ("accept_dad", "0"), ("disable_ipv6", "0")):
        yield SetSysctl(node=node, path=f"net/ipv6/conf/{device}/{name}", value=value)
