"""BGP as written -> the sessions of each node, each seen from both of its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork, valid_ipv4

from lab.azure.bgp import GATEWAY_ASN, MOST_FROM_ONPREM, MOST_FROM_VPN, MOST_TO_ONPREM
from lab.model.bgp import Bgp, Neighbor
from lab.model.connection import Connection
from lab.model.link import Link
from lab.model.roles import Role
from lab.topology.addresses import Addressing
from lab.topology.document import Path
from lab.topology.peering import check_numbers, check_peering
from lab.topology.problems import Problems, near
from lab.topology.raw import RawNode
from lab.topology.raw_bgp import RawBgp, RawNeighbor
from lab.topology.secrets import reference
from lab.topology.session_ends import Between, Speakers, find_between, host_route

_ASNS = (1, (1 << 32) - 1)
_PREFERENCES = (0, (1 << 32) - 1)
_PREFERENCE = 100
# Azure sends by ExpressRoute what it knows the same way by both.
_PREFERENCE_OF_EXPRESSROUTE = 200
# They tell each neighbour what they learned from the others. A gateway and a VPN device tell what is theirs: a virtual
# network does not pass traffic between its gateways, and a VPN device must not tell a VNet its own prefixes.
_PASSING_ON = (Role.CE, Role.MSEE, Role.PROVIDER, Role.ROUTER)


def read_bgp(
    nodes: Mapping[str, RawNode | None],
    roles: Mapping[str, Role | None],
    links: Sequence[Link],
    connections: Sequence[Connection],
    addressing: Addressing,
    problems: Problems,
) -> dict[str, Bgp]:
    """The BGP speaker of each node that has one."""
    raws = {name: node.bgp for name, node in nodes.items() if node is not None and node.bgp is not None}
    speakers = Speakers(
        raws=raws, roles=roles, links=links, connections=connections, addressing=addressing, problems=problems
    )
    read = {name: bgp for name in raws if (bgp := _read(name, speakers))}
    check_numbers(read, roles, problems)
    return read


def _read(name: str, speakers: Speakers) -> Bgp | None:
    raw, problems = speakers.raws[name], speakers.problems
    path: Path = ("nodes", name, "bgp")
    low, high = _ASNS
    if not low <= raw.asn <= high:
        problems.add((*path, "asn"), f"an ASN goes from {low} to {high}, not {raw.asn}")
    router_id = _router_id(name, raw, speakers)
    own = [(i, _prefix(text, (*path, "advertise", i), problems)) for i, text in enumerate(raw.advertise)]
    _check_peering_address(name, raw, speakers)
    seen: set[tuple[str, str | None]] = set()
    neighbors, routes = [], []
    for i, written in enumerate(raw.neighbors):
        where = (*path, "neighbors", i)
        if written is None or not _check_neighbor(name, written, where, seen, speakers):
            continue
        between = find_between(name, written, where, speakers)
        if between is not None:
            neighbors.append(_neighbor(name, written, between, where, speakers))
            routes += host_route(name, between, written, where, speakers)
    if router_id is None:
        return None
    role = speakers.roles.get(name)
    return Bgp(
        asn=raw.asn,
        router_id=router_id,
        peering_address=speakers.own_address(name),
        advertise=tuple(prefix for _, prefix in own if prefix is not None),
        neighbors=tuple(neighbors),
        host_routes=tuple(routes),
        passes_on=role in _PASSING_ON,
    )


def _router_id(name: str, raw: RawBgp, speakers: Speakers) -> IPAddress | None:
    path: Path = ("nodes", name, "bgp", "router_id")
    if raw.router_id is not None:
        if valid_ipv4(raw.router_id, INET_PTON) and int(IPAddress(raw.router_id)):
            return IPAddress(raw.router_id)
        speakers.problems.add(path, f"{raw.router_id!r} is not a router id; it looks like an IPv4 address")
        return None
    linked = [a for link in speakers.links for end in link.ends if end.node == name for a in end.addresses]
    known = [a.ip for a in (*speakers.addressing.loopbacks.get(name, ()), *linked) if a.version == 4]
    if not known and name not in speakers.addressing.unsure:
        speakers.problems.add(path[:-1], f"{name} has no IPv4 address to take its router id from; write `router_id:`")
    return known[0] if known else None


def _check_peering_address(name: str, raw: RawBgp, speakers: Speakers) -> None:
    written = raw.peering_address
    if written is None:
        return
    path: Path = ("nodes", name, "bgp", "peering_address")
    own = [address.ip for address in speakers.addressing.loopbacks.get(name, ())]
    if not valid_ipv4(written, INET_PTON):
        speakers.problems.add(path, f"{written!r} is not an IPv4 address, as in 10.0.1.30")
    elif IPAddress(written) not in own:
        known = ", ".join(map(str, own)) or "none"
        speakers.problems.add(path, f"{written} is not among the `addresses:` of {name}, which are {known}")


def _check_neighbor(
    name: str, raw: RawNeighbor, path: Path, seen: set[tuple[str, str | None]], speakers: Speakers
) -> bool:
    """Whether the neighbour is somebody with whom there can be a session."""
    problems, other = speakers.problems, raw.node
    if other == name:
        problems.add((*path, "node"), f"{name} cannot be its own neighbor; name another node")
    elif other not in speakers.roles:
        problems.add((*path, "node"), f"there is no node {other!r}; {near(other, speakers.roles)}")
    elif (other, raw.tunnel) in seen:
        problems.add(
            (*path, "node"), f"{other} is a neighbor already; two nodes have one session, or one for each tunnel"
        )
    elif other not in speakers.raws:
        problems.add((*path, "node"), f"{other} speaks no BGP; give it `bgp:` with {name} among its neighbors")
    elif _back(name, raw, speakers) is None:
        over = f" over {raw.tunnel}" if raw.tunnel else ""
        problems.add((*path, "node"), f"{other} does not name {name} among its neighbors{over}; a session has two ends")
    else:
        seen.add((other, raw.tunnel))
        return True
    return False


def _back(name: str, raw: RawNeighbor, speakers: Speakers) -> RawNeighbor | None:
    """The same session, as the other end has it."""
    for each in speakers.raws[raw.node].neighbors:
        if each is not None and (each.node, each.tunnel) == (name, raw.tunnel):
            return each
    return None


def _neighbor(name: str, raw: RawNeighbor, between: Between, path: Path, speakers: Speakers) -> Neighbor:
    problems = speakers.problems
    other = raw.node
    back = _back(name, raw, speakers)
    assert back is not None  # _check_neighbor has seen to it
    link = next((link for link in speakers.links if link.segment == between.segment), None)
    if (raw.password is None) != (back.password is None) or (raw.password or "").lower() != (
        back.password or ""
    ).lower():
        problems.add(path, f"{name} and {other} need the same `password:`, or neither one; TCP drops all that differs")
    roles = {speakers.roles.get(name), speakers.roles.get(other)}
    bfd = _bfd(raw, back, link, roles, path, problems)
    if raw.preference is not None and not _PREFERENCES[0] <= raw.preference <= _PREFERENCES[1]:
        low, high = _PREFERENCES
        problems.add((*path, "preference"), f"'preference' goes from {low} to {high}, not {raw.preference}")
    if link is not None and Role.MSEE in roles:
        check_peering(link, speakers.roles, problems)
    told = raw.advertise
    if told is not None:
        found = [_prefix(text, (*path, "advertise", i), problems) for i, text in enumerate(told)]
    return Neighbor(
        node=other,
        address=between.remote,
        local_address=between.local,
        asn=speakers.raws[other].asn,
        segment=between.segment,
        tunnel=between.tunnel,
        device=between.device,
        password=reference(raw.password, (*path, "password"), problems),
        bfd=bfd,
        preference=_default_preference(name, other, speakers) if raw.preference is None else raw.preference,
        advertise=None if told is None else tuple(prefix for prefix in found if prefix is not None),
        hidden_asns=(GATEWAY_ASN,)
        if speakers.roles.get(name) is Role.MSEE and speakers.roles.get(other) is not Role.VNET_GATEWAY
        else (),
        most_prefixes=_most_prefixes(speakers.roles.get(name), speakers.roles.get(other)),
    )


def _bfd(
    raw: RawNeighbor, back: RawNeighbor, link: Link | None, roles: set[Role | None], path: Path, problems: Problems
) -> bool:
    """Whether BFD watches over a session: as written at either end, else as Azure has it for private peering."""
    if link is None:
        if raw.bfd:
            problems.add((*path, "bfd"), "BFD watches a link, and there is none between the two; take `bfd:` away")
        return False
    if raw.bfd is not None and back.bfd is not None and raw.bfd != back.bfd:
        problems.add((*path, "bfd"), "one end of this session has BFD and the other has not; write the same at both")
    said = raw.bfd if raw.bfd is not None else back.bfd
    return Role.MSEE in roles if said is None else said


def _default_preference(name: str, other: str, speakers: Speakers) -> int:
    by_expressroute = speakers.roles.get(name) is Role.VNET_GATEWAY and speakers.roles.get(other) is Role.MSEE
    return _PREFERENCE_OF_EXPRESSROUTE if by_expressroute else _PREFERENCE


def _most_prefixes(role: Role | None, other: Role | None) -> int | None:
    """How many prefixes this end takes before it closes the session."""
    if role is Role.VNET_GATEWAY and other is not Role.MSEE:
        return MOST_FROM_VPN
    if role is Role.MSEE:
        return MOST_TO_ONPREM if other is Role.VNET_GATEWAY else MOST_FROM_ONPREM["Standard"]
    return None


def _prefix(text: str | None, path: Path, problems: Problems) -> IPNetwork | None:
    if text is None:
        return None
    try:
        prefix = IPNetwork(text) if "/" in text else None
    except AddrFormatError:
        prefix = None
    if prefix is None:
        problems.add(path, f"{text!r} is not a prefix, as in 192.168.0.0/16")
    elif prefix.version != 4:
        problems.add(path, f"{prefix} is IPv6, and BGP here tells IPv4 prefixes alone; take it away")
    elif prefix.ip != prefix.network:
        problems.add(path, f"{text} has bits set behind its prefix; the network is {prefix.cidr}")
    else:
        return prefix
    return None
