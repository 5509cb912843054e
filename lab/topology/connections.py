"""Connections: which gateways they join, from which address to which, under which policy, for which prefixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netaddr import IPAddress, IPNetwork

from lab.azure import ipsec as azure
from lab.errors import InputError
from lab.model.connection import Connection, ConnectionEnd, Encapsulation, Initiative
from lab.model.roles import Role
from lab.model.secret import SecretReference
from lab.topology import naming
from lab.topology.addresses import Addressing, is_address, read_interface, read_prefix
from lab.topology.document import Path
from lab.topology.policies import read_policy
from lab.topology.problems import Problems, near
from lab.topology.raw import RawConnection, RawConnectionEnd
from lab.topology.wires import Wire
from lab.vault.names import parse_secret_url

GATEWAYS = (Role.VPN_DEVICE, Role.VNET_GATEWAY)
_INITIATIVES = dict(zip(azure.CONNECTION_MODES, Initiative, strict=True))
_MTU = (576, 9216)
_MSS = (536, 9176)
# RFC 4303 3.4.3 asks of a receiver for at least 32.
_REPLAY_WINDOW = (32, 65536)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known while connections are read one after the other, and what they have taken so far."""

    roles: Mapping[str, Role | None]
    wires: Sequence[Wire]
    addressing: Addressing
    path_mtu: int
    problems: Problems
    names: dict[str, Path] = field(default_factory=dict)
    pairs: dict[frozenset[IPAddress], Path] = field(default_factory=dict)
    devices: dict[tuple[str, str], Path] = field(default_factory=dict)
    inner: dict[IPAddress, tuple[str, Path]] = field(default_factory=dict)

    def device(self, node: str) -> str:
        """A name for a tunnel's device that no other one of the node has."""
        number = 0
        while (node, f"ipsec{number}") in self.devices:
            number += 1
        return f"ipsec{number}"


def read_connections(
    written: Sequence[RawConnection | None],
    roles: Mapping[str, Role | None],
    wires: Sequence[Wire],
    addressing: Addressing,
    path_mtu: int,
    problems: Problems,
) -> tuple[Connection, ...]:
    """Read every connection. No path of the topology carries more than `path_mtu` octets in one packet."""
    reading = _Reading(roles=roles, wires=wires, addressing=addressing, path_mtu=path_mtu, problems=problems)
    reading.devices |= {(end.node, end.device): wire.path for wire in wires for end in wire.ends}
    read = []
    for i, raw in enumerate(written):
        if raw is not None and (connection := _connection(raw, ("connections", i), reading)):
            read.append(connection)
    return tuple(read)


def _connection(raw: RawConnection, path: Path, reading: _Reading) -> Connection | None:
    problems = reading.problems
    before = len(problems.wrong)
    if wrong := naming.SEGMENT.wrong(raw.name):
        problems.add((*path, "name"), wrong.replace("a segment", "a connection"))
    _claim_name(raw.name, path, reading)
    if raw.encapsulation not in tuple(Encapsulation):
        text = f"unknown encapsulation {raw.encapsulation!r}; {near(raw.encapsulation, Encapsulation)}"
        problems.add((*path, "encapsulation"), text)
    path_mtu = _check_numbers(raw, path, reading)
    if len(raw.ends) != 2:
        text = f"a connection has two ends, as in `ends: {{vpn-device: ..., vnet-gateway: ...}}`, not {len(raw.ends)}"
        problems.add((*path, "ends"), text)
        return None
    ends = [_end(node, end, raw, path, reading) for node, end in raw.ends.items()]
    a, b = ends
    if a is None or b is None or len(problems.wrong) > before:
        return None
    _check_together(a, b, path, reading)
    _check_inner_addresses(a, b, path, reading)
    if len(problems.wrong) > before:
        return None
    return Connection(
        name=raw.name,
        a=a,
        b=b,
        policy_based=raw.use_policy_based_traffic_selectors,
        encapsulation=Encapsulation(raw.encapsulation),
        mtu=raw.mtu,
        mss=raw.mss or None,
        path_mtu=path_mtu,
        replay_window=raw.replay_window,
        on_premises=b
        if reading.roles[b.node] is Role.VPN_DEVICE and reading.roles[a.node] is not Role.VPN_DEVICE
        else a,
        line=problems.document.line(path),
    )


def _claim_name(name: str, path: Path, reading: _Reading) -> None:
    known = reading.names.setdefault(name, path)
    if known != path:
        line = reading.problems.document.line(known)
        reading.problems.add((*path, "name"), f"connection {name!r} is on line {line} already; each needs its own name")


def _check_numbers(raw: RawConnection, path: Path, reading: _Reading) -> int:
    """The path MTU; MTU, MSS and window are only checked."""
    problems = reading.problems
    path_mtu = reading.path_mtu if raw.path_mtu is None else raw.path_mtu
    for name, value, (low, high) in (
        ("mtu", raw.mtu, _MTU),
        ("path_mtu", path_mtu, _MTU),
        ("mss", raw.mss or _MSS[0], _MSS),
        ("replay_window", raw.replay_window, _REPLAY_WINDOW),
    ):
        if not low <= value <= high:
            hint = ", or 0 to leave it alone" if name == "mss" else ""
            problems.add((*path, name), f"{name!r} goes from {low} to {high}{hint}, not {value}")
    return path_mtu


def _end(
    node: str, raw: RawConnectionEnd | None, connection: RawConnection, path: Path, reading: _Reading
) -> ConnectionEnd | None:
    problems, where = reading.problems, (*path, "ends", node)
    before = len(problems.wrong)
    _check_gateway(node, where, reading)
    if raw is None:
        return None
    address = _address(node, raw.address, (*where, "address"), reading)
    device = _device(node, raw.device, where, reading)
    psk = _psk(raw, connection, path, where, problems)
    own_policy, shared_policy = (raw.policy, (*where, "policy")), (connection.policy, (*path, "policy"))
    written, policy_path = own_policy if raw.policy is not None else shared_policy
    policy = read_policy(written, policy_path, problems, allow_insecure=connection.allow_insecure)
    mode, mode_path = (raw.mode, where) if raw.mode is not None else (connection.mode, path)
    initiative = _INITIATIVES.get(mode)
    if initiative is None:
        problems.add((*mode_path, "mode"), f"unknown mode {mode!r}; {near(mode, _INITIATIVES)}")
    dpd, dpd_path = connection.dpd_timeout_seconds, path
    if raw.dpd_timeout_seconds is not None:
        dpd, dpd_path = raw.dpd_timeout_seconds, where
    low, high = azure.DPD_RANGE
    if not low <= dpd <= high:
        text = f"'dpd_timeout_seconds' goes from {low} to {high}, not {dpd}"
        problems.add((*dpd_path, "dpd_timeout_seconds"), text)
    prefixes = _prefixes(raw.prefixes, (*where, "prefixes"), problems)
    peer_prefixes = _peer_prefixes(node, raw, connection, path, problems)
    inner = [
        read_interface(text, (*where, "tunnel_addresses", i), problems) for i, text in enumerate(raw.tunnel_addresses)
    ]
    if len(problems.wrong) > before or address is None or psk is None or policy is None or initiative is None:
        return None
    return ConnectionEnd(
        node=node,
        address=address,
        device=device,
        tunnel_addresses=tuple(each for each in inner if each is not None),
        prefixes=prefixes,
        peer_prefixes=peer_prefixes,
        psk=psk,
        policy=policy,
        initiative=initiative,
        dpd_seconds=dpd,
    )


def _check_gateway(node: str, where: Path, reading: _Reading) -> None:
    if node not in reading.roles:
        text = f"the connection ends at node {node!r}, which is not there; {near(node, reading.roles)}"
        reading.problems.add(where, text)
    elif (role := reading.roles[node]) is not None and role not in GATEWAYS:
        text = f"{node} is of role {role}; a tunnel ends at a node of role {' or '.join(GATEWAYS)}"
        reading.problems.add(where, text)


def _address(node: str, text: str, path: Path, reading: _Reading) -> IPAddress | None:
    """The outer address: one of the node's own."""
    problems = reading.problems
    if not is_address(text):
        problems.add(path, f"{text!r} is not an address, as in 10.0.1.4")
        return None
    address = IPAddress(text)
    if address.version != 4:
        problems.add(path, f"{text} is IPv{address.version}; tunnels of Azure's gateways go over IPv4")
        return None
    addressing = reading.addressing
    own = [each.ip for each in addressing.loopbacks.get(node, ())]
    own += [each.ip for end, all_of_it in addressing.ends.items() if end.node == node for each in all_of_it]
    if node in reading.roles and node not in addressing.unsure and address not in own:
        has = ", ".join(str(each) for each in own if each.version == 4) or "none"
        problems.add(path, f"{text} is no address of {node}; it has {has}")
    return address


def _device(node: str, written: str | None, where: Path, reading: _Reading) -> str:
    device = written or reading.device(node)
    if wrong := naming.DEVICE.wrong(device):
        reading.problems.add((*where, "device"), wrong)
    known = reading.devices.setdefault((node, device), where)
    if known != where:
        line = reading.problems.document.line(known)
        text = f"{node}:{device} is on line {line} already; each tunnel needs a device of its own"
        reading.problems.add((*where, "device"), text)
    return device


def _psk(
    raw: RawConnectionEnd, connection: RawConnection, path: Path, where: Path, problems: Problems
) -> SecretReference | None:
    url, holder = (raw.psk, where) if raw.psk is not None else (connection.psk, path)
    if url is None:
        problems.add(path, "the connection has no 'psk', as in `psk: https://VAULT.vault.azure.net/secrets/SECRET`")
        return None
    try:
        read = parse_secret_url(url)
    except InputError as error:
        problems.add((*holder, "psk"), str(error))
        return None
    return SecretReference(vault=read.vault, secret=read.secret, version=read.version)


def _prefixes(written: Sequence[str | None], path: Path, problems: Problems) -> tuple[IPNetwork, ...]:
    read = [read_prefix(text, (*path, i), problems) for i, text in enumerate(written) if text is not None]
    known = tuple(dict.fromkeys(each for each in read if each is not None))
    if len(known) < sum(each is not None for each in read):
        problems.add(path, "a prefix is written twice; once is enough")
    return known


def _peer_prefixes(
    node: str, raw: RawConnectionEnd, connection: RawConnection, path: Path, problems: Problems
) -> tuple[IPNetwork, ...]:
    """What this end believes to be behind the other one: what it says itself, else what the other one says."""
    if raw.peer_prefixes is not None:
        return _prefixes(raw.peer_prefixes, (*path, "ends", node, "peer_prefixes"), problems)
    for other, end in connection.ends.items():
        if other != node and end is not None:
            return _prefixes(end.prefixes, (*path, "ends", other, "prefixes"), problems)
    return ()


def _check_together(a: ConnectionEnd, b: ConnectionEnd, path: Path, reading: _Reading) -> None:
    problems = reading.problems
    for initiative, text in (
        (Initiative.RESPONDER, "both ends are ResponderOnly, so nobody begins; let one of them be Default"),
        (Initiative.INITIATOR, "both ends are InitiatorOnly, so nobody answers; let one of them be Default"),
    ):
        if a.initiative is b.initiative is initiative:
            problems.add((*path, "mode"), text)
    known = reading.pairs.setdefault(frozenset((a.address, b.address)), path)
    if known != path:
        line = problems.document.line(known)
        text = f"a tunnel between {a.address} and {b.address} is on line {line} already; a peer is known by its address"
        problems.add((*path, "ends"), text)


def _check_inner_addresses(a: ConnectionEnd, b: ConnectionEnd, path: Path, reading: _Reading) -> None:
    """The tunnel's own addresses: as on a wire, both ends share its networks, and nobody else has them."""
    problems = reading.problems
    networks = [{address.cidr for address in end.tunnel_addresses} for end in (a, b)]
    if networks[0] != networks[1]:
        ours, theirs = (", ".join(map(str, sorted(each))) or "none" for each in networks)
        text = f"the tunnel of {a.node} is in {ours} and that of {b.node} in {theirs}; both ends share its networks"
        problems.add((*path, "ends"), text)
    taken = {each.ip: node for node, own in reading.addressing.loopbacks.items() for each in own}
    taken |= {each.ip: end.node for end, own in reading.addressing.ends.items() for each in own}
    for end in (a, b):
        for i, address in enumerate(end.tunnel_addresses):
            where = (*path, "ends", end.node, "tunnel_addresses", i)
            owner, first = reading.inner.setdefault(address.ip, (end.node, where))
            if address.ip in taken:
                problems.add(where, f"{address.ip} is an address of {taken[address.ip]} already")
            elif first != where:
                line = problems.document.line(first)
                problems.add(where, f"{address.ip} is the address of a tunnel of {owner} already, on line {line}")
