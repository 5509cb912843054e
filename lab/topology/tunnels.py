"""Rules that a connection keeps together with the rest of its topology: routes, secrets, what fits into a packet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from netaddr import IPNetwork

from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.transforms import TransformType, encryption, integrity
from lab.azure.ipsec import SHARED_KEY_RULE
from lab.model.connection import Connection, ConnectionEnd, Encapsulation
from lab.model.topology import GeneratedSecret, Route
from lab.topology.document import Path
from lab.topology.problems import Problems
from lab.topology.raw import RawSecret
from lab.topology.secrets import SecretUse, check_made

# RFC 791, RFC 768, RFC 4303 2: what is around an inner packet, beside IV, padding and ICV.
_IPV4_OCTETS, _UDP_OCTETS, _ESP_OCTETS, _TRAILER_OCTETS = 20, 8, 8, 2


def shared_keys(connection: Connection) -> tuple[SecretUse, ...]:
    """The shared key of each end; where both ends name one secret, it is one use."""
    return tuple(
        SecretUse(key=("psk", end.node), reference=end.psk, rule=SHARED_KEY_RULE)
        for i, end in enumerate(connection.ends)
        if i == 0 or end.psk != connection.a.psk
    )


def check_connections(
    connections: Sequence[Connection],
    routes: Mapping[str, tuple[Route, ...]],
    told_by_bgp: Collection[str],
    vaults: Mapping[str, Mapping[str, RawSecret | None] | None],
    made: Sequence[GeneratedSecret],
    problems: Problems,
) -> None:
    """Find what is wrong between connections and everything else."""
    paths = {connection.name: _path(connection, problems) for connection in connections}
    for connection in connections:
        path = paths[connection.name]
        for end in connection.ends:
            _check_prefixes(connection, end, path, problems, by_bgp=connection.name in told_by_bgp)
            _check_routes(end, routes.get(end.node, ()), path, problems)
        _check_sizes(connection, path, problems)
        for use in shared_keys(connection):
            where = (*path, "ends", use.key[1], "psk")
            check_made(use, vaults, made, where if where in problems.document.lines else (*path, "psk"), problems)
    _check_shared(connections, paths, problems)


def _path(connection: Connection, problems: Problems) -> Path:
    """Where a connection stands: known by its line, since those that could not be read have none."""
    for path, line in problems.document.lines.items():
        if len(path) == 2 and path[0] == "connections" and line == connection.line:
            return path
    return ("connections",)


def _check_prefixes(
    connection: Connection, end: ConnectionEnd, path: Path, problems: Problems, *, by_bgp: bool
) -> None:
    where = (*path, "ends", end.node)
    if connection.policy_based and not (end.prefixes and end.peer_prefixes):
        which = "prefixes" if not end.prefixes else "peer_prefixes"
        text = f"selectors by policy are pairs of prefixes, and {end.node} has none under '{which}'"
        problems.add(where, text)
    elif not end.peer_prefixes and not by_bgp:
        other = connection.other_end(end.node).node
        problems.warn(where, f"{end.node} routes nothing into {connection.name}: {other} has no 'prefixes'")
    for prefix in end.peer_prefixes:
        if connection.other_end(end.node).address in prefix and prefix.prefixlen == 32:
            text = f"{prefix} is the peer's outer address: the tunnel would be routed into itself"
            problems.add(where, text)


def _check_routes(end: ConnectionEnd, routes: Iterable[Route], path: Path, problems: Problems) -> None:
    """A prefix is reached through the tunnel or past it."""
    for route in routes:
        if route.destination in end.peer_prefixes:
            text = (
                f"{end.node} routes {route.destination} past the tunnel and into it; take the route away, or what is "
                "meant for the tunnel may go in clear"
            )
            problems.add((*path, "ends", end.node), text)
        elif any(_is_inside(route.destination, prefix) for prefix in end.peer_prefixes) and not _is_host(route):
            text = (
                f"{end.node} routes {route.destination}, which lies inside a prefix of the tunnel, past it: that part "
                "goes in clear"
            )
            problems.warn((*path, "ends", end.node), text)


def _is_inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    return inner.version == outer.version and inner in outer


def _is_host(route: Route) -> bool:
    """Whether a route is to one host, as to the peer's outer address."""
    return route.destination.prefixlen == (32 if route.destination.version == 4 else 128)


def _check_sizes(connection: Connection, path: Path, problems: Problems) -> None:
    if connection.mss is not None and connection.mss > connection.mtu - 40:
        most = connection.mtu - 40
        text = f"an MSS of {connection.mss} does not fit an MTU of {connection.mtu}; write at most {most}"
        problems.warn((*path, "mss"), text)
    udp = _UDP_OCTETS if connection.encapsulation is Encapsulation.UDP else 0
    room = connection.path_mtu - _IPV4_OCTETS - udp - _ESP_OCTETS
    fits = min(_greatest_inner(proposal, room) for end in connection.ends for proposal in end.policy.esp)
    if connection.mtu > fits:
        text = (
            f"packets of {connection.mtu} octets do not fit a path of {connection.path_mtu} once they are protected; "
            f"{fits} do"
        )
        problems.warn((*path, "mtu"), text)


def _greatest_inner(proposal: Proposal, room: int) -> int:
    """The greatest inner packet that fits, with IV, trailer and ICV, into so many octets."""
    cipher = encryption(proposal.of(TransformType.ENCR)[0])
    checks = [integrity(each).icv_octets for each in proposal.of(TransformType.INTEG) if each.id]
    room -= cipher.iv_octets + cipher.icv_octets + sum(checks)
    return room // cipher.alignment * cipher.alignment - _TRAILER_OCTETS


def _check_shared(connections: Sequence[Connection], paths: Mapping[str, Path], problems: Problems) -> None:
    """Each peer has a key of its own: whoever knows it can pretend to be either end."""
    first: dict[object, Connection] = {}
    for connection in connections:
        for use in shared_keys(connection):
            other = first.setdefault(use.reference, connection)
            peers = ({end.node for end in each.ends} for each in (connection, other))
            if other is not connection and len(set.union(*peers)) > 2:
                line = problems.document.line(paths[other.name])
                text = f"{use.reference.secret} is the shared key of {other.name}, line {line}; give each peer its own"
                problems.warn(paths[connection.name], text)
