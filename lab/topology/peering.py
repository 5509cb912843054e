"""Azure's rules for BGP: who has which number, which end of a peering has which address, what may be told."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress, IPNetwork, IPRange

from lab.azure.bgp import (
    APIPA,
    GATEWAY_ASN,
    MICROSOFT_ASN,
    MOST_FROM_ONPREM,
    MOST_FROM_VPN,
    MOST_TO_ONPREM,
    why_reserved,
)
from lab.model.bgp import Bgp, Neighbor
from lab.model.link import Interface, Link
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import Problems

_CUSTOMERS = (Role.CE, Role.PROVIDER)
AZURES = (Role.MSEE, Role.VNET_GATEWAY, Role.WORKLOAD)


def check_peering(link: Link, roles: Mapping[str, Role | None], problems: Problems) -> None:
    """A peering has a /30 for each link: the customer takes the first host of it, Microsoft the second."""
    azures = [end for end in link.ends if roles.get(end.node) is Role.MSEE]
    customers = [end for end in link.ends if roles.get(end.node) in _CUSTOMERS]
    if not (azures and customers):
        return
    for end, place, word in ((customers[0], 1, "first"), (azures[0], 2, "second")):
        for address in end.addresses:
            if address.version == 4:
                _check_end(link, end, address, place, word, problems)


def _check_end(link: Link, end: Interface, address: IPNetwork, place: int, word: str, problems: Problems) -> None:
    path = _where(link, problems)
    if address.prefixlen != 30:
        problems.add(
            path, f"{link.segment} is a link of a peering and has {address.cidr}; a peering takes a /30 a link"
        )
    elif address.ip != (right := IPAddress(address.first + place)):
        who = "the customer" if place == 1 else "Microsoft"
        text = f"{end.node} has {address.ip} of {address.cidr}; of a peering's /30 {who} takes the {word} host, {right}"
        problems.add(path, text)


def _where(link: Link, problems: Problems) -> Path:
    """The link's addresses in the file."""
    lines = problems.document.lines
    for path, line in lines.items():
        if len(path) == 2 and path[0] == "links" and line == link.line:
            return (*path, "addresses")
    return ("links",)


def check_numbers(speakers: Mapping[str, Bgp], roles: Mapping[str, Role | None], problems: Problems) -> None:
    """Each AS number is one that its owner may have, and no end tells more than the other takes."""
    for name, bgp in speakers.items():
        path: Path = ("nodes", name, "bgp")
        _check_asn(name, bgp, roles, (*path, "asn"), problems)
        for neighbor in bgp.neighbors:
            _check_pair(name, bgp, neighbor, roles, path, problems)
    _check_own_prefixes(speakers, roles, problems)


def _check_asn(name: str, bgp: Bgp, roles: Mapping[str, Role | None], path: Path, problems: Problems) -> None:
    role = roles.get(name)
    if role is Role.MSEE:
        if bgp.asn != MICROSOFT_ASN:
            problems.add(path, f"the Microsoft edge's ASN is {MICROSOFT_ASN} on every peering, not {bgp.asn}")
    elif role is Role.VNET_GATEWAY:
        beside = [n.node for n in bgp.neighbors if roles.get(n.node) is Role.MSEE]
        if bgp.asn != GATEWAY_ASN and beside:
            text = (
                f"{name} is a VPN gateway beside an ExpressRoute gateway (its neighbor {beside[0]} is an msee), and "
                f"then its ASN stays {GATEWAY_ASN}; {bgp.asn} breaks the exchange of routes between the two"
            )
            problems.add(path, text)
        elif bgp.asn != GATEWAY_ASN and (why := why_reserved(bgp.asn)):
            problems.add(path, why)
    elif role is not None and (why := why_reserved(bgp.asn)):
        problems.add(path, why)


def _check_pair(
    name: str, bgp: Bgp, neighbor: Neighbor, roles: Mapping[str, Role | None], path: Path, problems: Problems
) -> None:
    role, other = roles.get(name), roles.get(neighbor.node)
    if neighbor.asn == bgp.asn and (role in AZURES) != (other in AZURES) and role not in AZURES:
        problems.add(
            (*path, "asn"), f"{name} and {neighbor.node} are both AS {bgp.asn}; on-premises differs from Azure"
        )
    if role is Role.VNET_GATEWAY and neighbor.tunnel is not None and neighbor.local_address not in IPRange(*APIPA):
        text = (
            f"{name} has {neighbor.local_address} in {neighbor.tunnel}; a custom BGP address of a VPN gateway is of "
            f"{APIPA[0]} to {APIPA[1]}"
        )
        problems.add((*path, "neighbors"), text)
    told = len(bgp.advertise if neighbor.advertise is None else neighbor.advertise)
    if role not in AZURES and other is Role.VNET_GATEWAY and told > MOST_FROM_VPN:
        text = f"{name} tells {neighbor.node} {told} prefixes; a VPN gateway ends a session with more than"
        problems.add((*path, "advertise"), f"{text} {MOST_FROM_VPN}")
    elif role not in AZURES and other is Role.MSEE and told > (most := MOST_FROM_ONPREM["Standard"]):
        text = (
            f"{name} tells {neighbor.node} {told} prefixes; a peering of a Standard circuit ends with more than {most}"
        )
        problems.add((*path, "advertise"), text)
    elif role is Role.VNET_GATEWAY and other is Role.MSEE and told > MOST_TO_ONPREM:
        text = f"{name} tells {neighbor.node} {told} prefixes; ExpressRoute drops a connection with more than"
        problems.add((*path, "advertise"), f"{text} {MOST_TO_ONPREM} IPv4 prefixes towards on-premises")


def _check_own_prefixes(speakers: Mapping[str, Bgp], roles: Mapping[str, Role | None], problems: Problems) -> None:
    """No prefix of a virtual network is told to it from on-premises: a part of it may be, the same one may not."""
    azures = {
        prefix: name
        for name, bgp in speakers.items()
        if roles.get(name) is Role.VNET_GATEWAY
        for prefix in bgp.originated
    }
    for name, bgp in speakers.items():
        if roles.get(name) in AZURES:
            continue
        same = [prefix for prefix in bgp.originated if prefix in azures]
        if same:
            more = f" and {len(same) - 1} more" if len(same) > 1 else ""
            text = (
                f"{name} tells {same[0]}{more}, which is the virtual network's own, told by {azures[same[0]]}; Azure "
                "takes no exact prefix of a virtual network from on-premises"
            )
            problems.add(("nodes", name, "bgp"), text)
