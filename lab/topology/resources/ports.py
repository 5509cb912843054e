"""Port pairs of ExpressRoute Direct."""

from __future__ import annotations

from lab.azure.port import ADMIN_STATES, BANDWIDTHS_GBPS, ENCAPSULATIONS, IP_MTU, LINKS
from lab.model.link import Link, TagKind
from lab.model.resources import Port
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import near
from lab.topology.raw_azure import RawPort
from lab.topology.resources.reading import Reading

_KINDS = {"Dot1Q": TagKind.DOT1Q, "QinQ": TagKind.QINQ}


def read_ports(reading: Reading) -> tuple[Port, ...]:
    """Every port pair."""
    ports = []
    taken: dict[str, str] = {}
    for name, raw in reading.raw.ports.items():
        if raw is not None and (port := _read(name, raw, reading, taken)):
            ports.append(port)
    return tuple(ports)


def _read(name: str, raw: RawPort, reading: Reading, taken: dict[str, str]) -> Port | None:
    path: Path = ("azure", "ports", name)
    problems = reading.problems
    if len(raw.links) != len(LINKS):
        text = f"a port pair has two links, {' and '.join(LINKS)}: name two segments, not {len(raw.links)}"
        problems.add((*path, "links"), text)
        return None
    if raw.bandwidth not in BANDWIDTHS_GBPS:
        known = " or ".join(map(str, BANDWIDTHS_GBPS))
        text = f"{raw.bandwidth} Gb/s is not a port of ExpressRoute Direct; write {known}"
        problems.add((*path, "bandwidth"), text)
    encapsulation = reading.word(raw.encapsulation, ENCAPSULATIONS, (*path, "encapsulation"))
    links = [reading.link(segment, (*path, "links", i)) for i, segment in enumerate(raw.links)]
    for i, link in enumerate(links):
        if link is not None:
            _check_link(link, name, raw, (*path, "links", i), reading, taken)
    _check_tags([link for link in links if link is not None], encapsulation, path, reading)
    return Port(
        name=name,
        segments=tuple(link.segment for link in links if link is not None),
        bandwidth_gbps=raw.bandwidth,
        encapsulation=raw.encapsulation,
        enabled=_enabled(name, raw, path, reading),
    )


def _enabled(name: str, raw: RawPort, path: Path, reading: Reading) -> tuple[bool, ...]:
    for link, state in raw.admin_state.items():
        if link not in LINKS:
            text = f"{link!r} is no link of a port pair; {near(link, LINKS)}"
            reading.problems.add((*path, "admin_state", link), text)
        if state not in ADMIN_STATES:
            text = f"unknown admin_state {state!r}; {near(state, ADMIN_STATES)}"
            reading.problems.add((*path, "admin_state", link), text)
    off = [link for link in LINKS if link not in raw.admin_state]
    if off:
        text = (
            f"{' and '.join(off)} of {name} will carry nothing: a new port pair's links are Disabled; write "
            "`admin_state: {link1: Enabled, link2: Enabled}`"
        )
        reading.problems.warn((*path, "admin_state"), text)
    return tuple(raw.admin_state.get(link) == "Enabled" for link in LINKS)


def _check_link(link: Link, name: str, raw: RawPort, path: Path, reading: Reading, taken: dict[str, str]) -> None:
    problems = reading.problems
    other = taken.setdefault(link.segment, name)
    if other != name:
        problems.add(path, f"{link.segment} is a link of port pair {other} already")
    roles = sorted(str(reading.roles.get(end.node)) for end in link.ends)
    if roles != [Role.CE, Role.MSEE]:
        text = (
            f"{link.segment} joins {roles[0]} and {roles[1]}; a link of ExpressRoute Direct goes from the customer's "
            "edge (ce) to Microsoft's (msee), with nobody between"
        )
        problems.add(path, text)
    if link.bandwidth_gbps is not None and link.bandwidth_gbps != raw.bandwidth:
        text = f"{link.segment} has `bandwidth: {link.bandwidth_gbps}` and its port pair {raw.bandwidth}; they are one"
        problems.add(path, text)
    if link.a.mtu > IP_MTU:
        text = f"{link.segment} leaves IP {link.a.mtu} octets; a port of ExpressRoute Direct takes up to {IP_MTU}"
        problems.add(path, text)


def _check_tags(links: list[Link], encapsulation: str | None, path: Path, reading: Reading) -> None:
    if encapsulation is None:
        return
    kind = _KINDS[encapsulation]
    for link in links:
        if link.tag.kind is not kind:
            text = (
                f"the encapsulation is {encapsulation} and {link.segment} has `kind: {link.tag.kind}`; write "
                f"`tag: {{kind: {kind}, ...}}` at the link"
            )
            reading.problems.add((*path, "encapsulation"), text)
    if len({link.tag for link in links}) > 1 and all(link.tag.kind is kind for link in links):
        tags = " and ".join(f"{'.'.join(map(str, link.tag.vids))} at {link.segment}" for link in links)
        text = f"both links of a port pair bear a circuit's tags alike, and these are {tags}"
        reading.problems.add((*path, "links"), text)
