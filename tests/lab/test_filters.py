"""A security group in nftables decides as the model says: each packet is put to both, and counters are read."""

from __future__ import annotations

import contextlib
import functools
import random
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPAddress, IPNetwork

from lab.host import filters
from lab.host.programs import NFT
from lab.model.filters import Direction, FilterRule, Packet, SecurityGroup
from lab.topology.load import loads
from tests.lab.isolated import isolated

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(NFT.find() is None, reason=f"nft is not installed: {NFT.fix}"),
]
DEVICE = "eth-0"
OWN = IPAddress("10.0.2.4")
NETWORKS = [IPNetwork(text) for text in ("10.0.0.0/16", "192.168.0.0/16", "192.168.66.0/24", "203.0.113.7/32")]
HOSTS = [IPAddress(text) for text in ("10.0.9.9", "192.168.1.10", "192.168.66.3", "203.0.113.7", "8.8.8.8")]
PROTOCOLS = [1, 6, 17, 50, 51]
PORTS = [22, 23, 443, 2323, 40000]


def a_group(seed: int) -> SecurityGroup:
    """Some rules by chance, then those that every group has."""
    dice = random.Random(seed)

    def networks() -> tuple[IPNetwork, ...] | None:
        return tuple(dice.sample(NETWORKS, dice.randint(1, 2))) if dice.random() < 0.5 else None

    def ports(protocol: int | None) -> tuple[tuple[int, int], ...] | None:
        if protocol not in (None, 6, 17) or dice.random() < 0.5:
            return None
        return tuple((low, low + dice.choice([0, 0, 500])) for low in dice.sample([20, 443, 2300, 40000], 2))

    rules = []
    for priority in range(100, 106):
        protocol = dice.choice([None, *PROTOCOLS])
        rules.append(
            FilterRule(
                name=f"rule-{priority}",
                priority=priority,
                direction=dice.choice(list(Direction)),
                allow=dice.random() < 0.5,
                protocol=protocol,
                sources=networks(),
                destinations=networks(),
                source_ports=ports(protocol),
                destination_ports=ports(protocol),
            )
        )
    return SecurityGroup(name="nsg", rules=(*rules, *plain_group().rules))


@functools.cache
def plain_group() -> SecurityGroup:
    """Azure's own rules, with the tags of a network of 10.0.0.0/16 that knows 192.168.0.0/16."""
    text = (
        "name: t\nnodes: {a: {role: host}}\nlinks: []\ntraffic: []\nazure:\n"
        "  virtual_networks: {v: {address_space: [10.0.0.0/16], subnets: {s: {prefix: 10.0.2.0/24}}}}\n"
        "  local_network_gateways: {l: {address: 203.0.113.1, prefixes: [192.168.0.0/16]}}\n"
        "  network_security_groups: {nsg: {}}\n"
    )
    return loads(text).resources.security_groups[0]


def packets(seed: int, count: int) -> list[Packet]:
    dice = random.Random(seed)
    made = []
    for number in range(count):
        direction, other, protocol = dice.choice(list(Direction)), dice.choice(HOSTS), dice.choice(PROTOCOLS)
        has_ports = protocol in (6, 17)
        # A source port of its own makes each a flow of its own.
        ports = (dice.choice([*PORTS, 50000 + number]), dice.choice(PORTS)) if has_ports else (0, 0)
        made.append(
            Packet(
                direction=direction,
                protocol=protocol,
                source=OWN if direction is Direction.OUTBOUND else other,
                destination=other if direction is Direction.OUTBOUND else OWN,
                source_port=ports[0],
                destination_port=ports[1],
            )
        )
    return made


def octets(packet: Packet) -> bytes:
    if packet.protocol == 6:
        payload = struct.pack(">HHIIBBHHH", packet.source_port, packet.destination_port, 1, 0, 0x50, 2, 1024, 0, 0)
    elif packet.protocol == 17:
        payload = struct.pack(">HHHH", packet.source_port, packet.destination_port, 8, 0)
    elif packet.protocol == 1:
        payload = struct.pack(">BBHHH", 8, 0, 0xF7FF, 0, 0)
    else:
        payload = bytes(24)
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, packet.protocol, 0,
        packet.source.packed, packet.destination.packed,
    )  # fmt: skip
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack(">H", total) + header[12:] + payload


def put_to_the_kernel(group: SecurityGroup, given: list[Packet]) -> list[str]:
    """Which rule's counter each packet raised; run in a namespace of its own."""
    for command in (
        f"ip link add {DEVICE} type veth peer name outside",
        f"ip addr add {OWN}/24 dev {DEVICE}",
        f"ip link set {DEVICE} up",
        "ip link set outside up",
        f"ip route add default via 10.0.2.1 dev {DEVICE}",
        f"ip neigh add 10.0.2.1 lladdr 02:00:00:00:00:01 dev {DEVICE}",
    ):
        subprocess.run(command.split(), check=True)
    for name in ("all", DEVICE):
        Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
    for address in HOSTS:  # those in the device's own network
        subprocess.run(
            ["ip", "neigh", "replace", str(address), "lladdr", "02:00:00:00:00:01", "dev", DEVICE], check=True
        )
    filters.apply(filters.security_group(DEVICE, group))
    shown = subprocess.run(["ip", "-br", "link", "show", DEVICE], capture_output=True, text=True, check=True).stdout
    mac = shown.split()[2]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("outside", 0))
    own = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    head = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("0200000000010800")
    decided = []
    before: dict[tuple[str, str], int] = {}
    for packet in given:
        if packet.direction is Direction.INBOUND:
            wire.send(head + octets(packet))
        else:
            with contextlib.suppress(PermissionError):  # how a drop shows to the sender
                own.sendto(octets(packet), (str(packet.destination), 0))
        now = {(count.direction.value, count.rule): count.packets for count in filters.counts()}
        raised = [key for key, packets in now.items() if packets != before.get(key, 0)]
        before = now
        decided.append(",".join(f"{direction}/{rule}" for direction, rule in raised))
    return decided


@pytest.mark.parametrize("seed", range(3))
def test_nftables_decides_as_the_model_does(seed: int) -> None:
    group, given = a_group(seed), packets(seed, 60)
    decided: list[Any] = isolated(functools.partial(put_to_the_kernel, group, given))
    answers = {"established": 0}
    seen = set()
    for packet, raised in zip(given, decided, strict=True):
        rule = group.decide(packet)
        if not raised:  # it belongs to a flow that passed, one way or the other
            answers["established"] += 1
            continue
        assert raised == f"{packet.direction}/{rule.name}", packet
        seen.add(rule.name)
    assert answers["established"] < len(given) // 2
    assert len(seen) > 4
