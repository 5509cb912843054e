"""Network security groups."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netaddr import IPNetwork, IPSet

from lab.azure.security_group import (
    ACCESSES,
    ANY,
    DEFAULT_RULES,
    DIRECTIONS,
    INTERNET,
    LOAD_BALANCER,
    LOAD_BALANCER_ADDRESS,
    PRIORITIES,
    PROTOCOLS,
    TAGS,
    VIRTUAL_NETWORK,
    WITH_PORTS,
)
from lab.model.filters import Direction, FilterRule, SecurityGroup
from lab.model.resources import LocalGateway, VirtualNetwork
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import near
from lab.topology.raw_azure import RawFilterRule, RawSecurityGroup
from lab.topology.resources.reading import Reading

_PORT = 65535
Ports = tuple[tuple[int, int], ...] | None
Networks = tuple[IPNetwork, ...] | None


def read_security_groups(
    reading: Reading, networks: Sequence[VirtualNetwork], local_gateways: Sequence[LocalGateway]
) -> tuple[SecurityGroup, ...]:
    """Every network security group, with service tags put into prefixes."""
    tags = _tags(reading, networks, local_gateways)
    return tuple(
        _read(name, raw, tags, reading) for name, raw in reading.raw.network_security_groups.items() if raw is not None
    )


def _tags(
    reading: Reading, networks: Sequence[VirtualNetwork], local_gateways: Sequence[LocalGateway]
) -> dict[str, Networks]:
    """VirtualNetwork is the network and all that is connected to it by gateways; Internet is everything else."""
    connected = {prefix for network in networks for prefix in network.address_space}
    connected |= {prefix for gateway in local_gateways for prefix in gateway.prefixes}
    azures = (Role.MSEE, Role.VNET_GATEWAY, Role.WORKLOAD)
    for node, bgp in reading.speakers.items():
        if reading.roles.get(node) not in azures:
            connected.update(bgp.originated)
    inside = IPSet(connected)
    outside = IPSet(["0.0.0.0/0"]) - inside
    return {
        VIRTUAL_NETWORK: tuple(inside.iter_cidrs()),
        INTERNET: tuple(outside.iter_cidrs()),
        LOAD_BALANCER: (IPNetwork(LOAD_BALANCER_ADDRESS),),
        ANY: None,
    }


def _read(name: str, raw: RawSecurityGroup, tags: dict[str, Networks], reading: Reading) -> SecurityGroup:
    path: Path = ("azure", "network_security_groups", name)
    rules: list[FilterRule] = []
    first: dict[tuple[Direction, int], str] = {}
    for rule_name, rule in raw.rules.items():
        where = (*path, "rules", rule_name)
        if rule is None or (read := _rule(rule_name, rule, where, tags, reading)) is None:
            continue
        other = first.setdefault((read.direction, read.priority), rule_name)
        if other != rule_name:
            text = f"{other} has priority {read.priority} {read.direction} already; each rule has its own"
            reading.problems.add((*where, "priority"), text)
        rules.append(read)
    rules.sort(key=lambda rule: rule.priority)
    return SecurityGroup(name=name, rules=(*rules, *_defaults(tags)))


def _defaults(tags: dict[str, Networks]) -> tuple[FilterRule, ...]:
    return tuple(
        FilterRule(
            name=name,
            priority=priority,
            direction=Direction(direction),
            allow=access == "Allow",
            protocol=None,
            sources=tags[source],
            destinations=tags[destination],
            source_ports=None,
            destination_ports=None,
            written=(source, destination),
        )
        for name, priority, direction, access, source, destination in DEFAULT_RULES
    )


def _rule(name: str, raw: RawFilterRule, path: Path, tags: dict[str, Networks], reading: Reading) -> FilterRule | None:
    problems = reading.problems
    low, high = PRIORITIES
    if not low <= raw.priority <= high:
        problems.add((*path, "priority"), f"a priority goes from {low} to {high}, not {raw.priority}")
    direction = reading.word(raw.direction, DIRECTIONS, (*path, "direction"))
    access = reading.word(raw.access, ACCESSES, (*path, "access"))
    protocol = reading.word(raw.protocol, PROTOCOLS, (*path, "protocol"))
    sources = _networks(raw.source, (*path, "source"), tags, reading)
    destinations = _networks(raw.destination, (*path, "destination"), tags, reading)
    source_ports = _ports(raw.source_ports, (*path, "source_ports"), reading)
    destination_ports = _ports(raw.destination_ports, (*path, "destination_ports"), reading)
    for which, ports in (("source_ports", source_ports), ("destination_ports", destination_ports)):
        if ports is not None and protocol not in (*WITH_PORTS, None):
            problems.add((*path, which), f"{raw.protocol} has no ports; take {which!r} away")
    if direction is None or access is None or protocol is None:
        return None
    return FilterRule(
        name=name,
        priority=raw.priority,
        direction=Direction(direction),
        allow=access == "Allow",
        protocol=PROTOCOLS[protocol],
        sources=sources,
        destinations=destinations,
        source_ports=source_ports,
        destination_ports=destination_ports,
        written=(_joined(raw.source), _joined(raw.destination)),
    )


def _joined(written: Sequence[str | None]) -> str:
    return " ".join(text for text in written if text is not None)


def _networks(written: Sequence[str | None], path: Path, tags: dict[str, Networks], reading: Reading) -> Networks:
    found: list[IPNetwork] = []
    for i, text in enumerate(written):
        if text in tags:
            known = tags[text]
            if known is None:
                return None
            found.extend(known)
        elif text is not None and text[:1].isalpha():
            reading.problems.add((*path, i), f"unknown service tag {text!r}; {near(text, (*TAGS, ANY))}")
        elif text is not None:
            prefix = reading.prefix(text if "/" in text else f"{text}/32", (*path, i))
            found += [prefix] if prefix is not None else []
    return tuple(found)


def _ports(written: Sequence[str | int | None], path: Path, reading: Reading) -> Ports:
    found = []
    for i, text in enumerate(written):
        if text is None:
            continue
        if text == ANY:
            return None
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(text))
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not low <= high <= _PORT:
            reading.problems.add((*path, i), f"{text!r} is not a port or a range of ports, as in 443 or 1024-65535")
            continue
        found.append((low, high))
    return tuple(found)
