"""Small topologies of plain nodes, as models and as text."""

from __future__ import annotations

from netaddr import EUI, IPAddress, IPNetwork

from lab.model.expectation import Expectation
from lab.model.link import Interface, Link, Tag
from lab.model.roles import Role
from lab.model.topology import Node, Route, Topology


def chain(nodes: int, name: str = "chain") -> Topology:
    """Plain nodes in a row; the first and the last reach each other."""

    def end(node: int, device: str, segment: int, host: int) -> Interface:
        return Interface(
            node=f"n{node}",
            device=device,
            controlled_device=None,
            mac=EUI((2 << 40) + segment * 2 + host),
            addresses=(IPNetwork(f"10.{segment // 250}.{segment % 250}.{host}/24"),),
            mtu=1500,
            wire_mtu=1500,
        )

    def routes(node: int) -> tuple[Route, ...]:
        def towards(destination: int, segment: int, host: int) -> Route:
            via = IPAddress(f"10.{segment // 250}.{segment % 250}.{host}")
            return Route(destination=IPNetwork(f"10.{destination // 250}.{destination % 250}.0/24"), via=(via,))

        right = [towards(nodes - 2, node, 2)] if node < nodes - 2 else []
        left = [towards(0, node - 1, 1)] if node > 1 else []
        return (*left, *right)

    return Topology(
        name=name,
        source=f"{name}.yaml",
        description="plain nodes in a row",
        nodes=tuple(
            Node(name=f"n{i}", role=Role.ROUTER, loopback_addresses=(), routes=routes(i)) for i in range(nodes)
        ),
        links=tuple(
            Link(
                segment=f"n{i}--n{i + 1}",
                a=end(i, "right", i, 1),
                b=end(i + 1, "left", i, 2),
                tag=Tag(),
                bandwidth_gbps=None,
                macsec=None,
                expect=Expectation(layers=()),
            )
            for i in range(nodes - 1)
        ),
        traffic=(),
        generated_secrets=(),
    )


def chain_text(nodes: int, name: str = "chain") -> str:
    """The same as a topology file."""
    lines = [f"name: {name}", "nodes:"]
    for node in chain(nodes).nodes:
        lines.append(f"  {node.name}:")
        lines.append("    role: router")
        if node.routes:
            lines.append("    routes:")
            lines += [f"      - {{to: {route.destination}, via: {route.via[0]}}}" for route in node.routes]
    lines.append("links:")
    for link in chain(nodes).links:
        lines.append(f"  - ends: [{link.a.node}:{link.a.device}, {link.b.node}:{link.b.device}]")
        lines.append(f"    addresses: [{link.a.addresses[0]}, {link.b.addresses[0]}]")
    lines.append("expect:")
    lines += [f"  {link.segment}: clear" for link in chain(nodes).links]
    lines.append("traffic:")
    lines.append(f"  - [n0, n{nodes - 1}]")
    return "\n".join(lines) + "\n"
