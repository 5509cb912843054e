"""From the model to the operations that stand it up, in the order in which they are applied.

The order carries two promises: a capture runs before its wire comes up, so no frame escapes it; and IPv6 is off before
a link comes up, so no frame is on a wire that the topology did not ask for.
"""

from __future__ import annotations

from collections.abc import Iterator

from netaddr import IPNetwork

from lab.model.link import Interface, Link
from lab.model.macsec import MkaKeys
from lab.model.topology import Node, Topology
from lab.topology.operations import (
    AddAddress,
    AddRoute,
    AwaitSecured,
    AwaitSessions,
    BringUp,
    CreateControlledPort,
    CreateNamespace,
    CreateWire,
    DisableOffloads,
    GenerateSecret,
    ImpairWire,
    Operation,
    SetSysctl,
    StartBgp,
    StartCapture,
    StartDriver,
    WireEnd,
)

# Sessions start in about a second; a second try of everything is in it.
SESSIONS_PATIENCE = 5
# MKA needs some milliseconds; again, a second try is in it.
SECURED_PATIENCE = 5
# In so much time both ends know what is wrong.
MISTAKEN_PATIENCE = 1


def plan(topology: Topology) -> tuple[Operation, ...]:
    """Order everything that `up` does, so that each operation finds what it stands on."""
    return tuple(_operations(topology))


def _operations(topology: Topology) -> Iterator[Operation]:
    for made in topology.generated_secrets:
        yield GenerateSecret(vault=made.vault, secret=made.secret, octets=made.octets)
    for node in topology.nodes:
        yield from _namespace(node, topology)
    yield from _links(topology)
    for node in topology.nodes:
        driven = tuple(link.segment for link, end in topology.interfaces(node.name) if end.controlled_device)
        if driven:
            yield StartDriver(node=node.name, segments=driven)
    for node in topology.nodes:
        for route in node.routes:
            yield AddRoute(node=node.name, destination=route.destination, via=route.via)
    yield from _secured(topology)
    yield from _routing(topology)


def _secured(topology: Topology) -> Iterator[Operation]:
    """Links that MKA keys carry nothing until it has; one with a mistake in it will not."""
    keyed = [link for link in topology.links if link.macsec is not None and isinstance(link.macsec.keys, MkaKeys)]
    for mistaken, seconds in ((False, SECURED_PATIENCE), (True, MISTAKEN_PATIENCE)):
        segments = tuple(link.segment for link in keyed if bool(link.mistakes) is mistaken)
        if segments:
            yield AwaitSecured(segments=segments, seconds=seconds)


def _routing(topology: Topology) -> Iterator[Operation]:
    """What speaks BGP comes last: it finds everything that its sessions pass over."""
    speakers = [(node.name, node.bgp) for node in topology.nodes if node.bgp is not None]
    for name, bgp in speakers:
        for route in bgp.host_routes:
            if route.in_kernel and route.via is not None:
                yield AddRoute(node=name, destination=IPNetwork(f"{route.destination}/32"), via=(route.via,))
    for name, bgp in speakers:
        sessions = tuple(f"{neighbor.node} (AS {neighbor.asn})" for neighbor in bgp.neighbors)
        yield StartBgp(node=name, asn=bgp.asn, sessions=sessions)
    if any(bgp.neighbors for _, bgp in speakers):
        yield AwaitSessions(seconds=SESSIONS_PATIENCE)


def _links(topology: Topology) -> Iterator[Operation]:
    """Every wire is made, then captured, then addressed, and only then brought up; before drivers use it, impaired."""
    for link in topology.links:
        yield from _wire(link)
    for link in topology.links:
        yield StartCapture(segment=link.segment, node=link.a.node, device=link.a.device)
    ends = [end for link in topology.links for end in link.ends]
    for end in ends:
        yield from _addressed(end)
    for end in ends:
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


def _speaks_ipv6(node: Node, topology: Topology) -> bool:
    ends = (end for _, end in topology.interfaces(node.name))
    return any(address.version == 6 for end in ends for address in end.addresses)


def _wire(link: Link) -> Iterator[Operation]:
    a, b = (WireEnd(node=end.node, device=end.device, mac=end.mac) for end in link.ends)
    yield CreateWire(segment=link.segment, a=a, b=b, mtu=link.a.wire_mtu)
    for end in link.ends:
        yield DisableOffloads(node=end.node, device=end.device)


def _addressed(end: Interface) -> Iterator[Operation]:
    """The device that bears an end's addresses, with them."""
    if end.controlled_device is not None:
        yield CreateControlledPort(
            node=end.node, device=end.controlled_device, wire=end.device, mac=end.mac, mtu=end.mtu
        )
    device = end.addressed_device
    if any(address.version == 6 for address in end.addresses):
        # Addresses are given, so nothing is solicited and no duplicate is looked for. The link-local address stays: a
        # router asks for its neighbours from it (RFC 4861 4.3).
        for name, value in (("accept_ra", "0"), ("accept_dad", "0"), ("disable_ipv6", "0")):
            yield SetSysctl(node=end.node, path=f"net/ipv6/conf/{device}/{name}", value=value)
    for address in end.addresses:
        yield AddAddress(node=end.node, device=device, address=address)
    if end.controlled_device is not None:
        yield BringUp(node=end.node, device=end.controlled_device)
