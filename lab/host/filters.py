"""Packet filters by nftables, in the namespace that this process is in. IPv4 alone.

An Allow returns to where the rules were tried from, so that what is passed on by another device that is filtered is
tried there again; what answers a flow passes. Each rule bears its name and counts what it decided.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from netaddr import IPNetwork

from lab.errors import MachineError
from lab.host.programs import NFT
from lab.model.filters import Direction, FilterRule, SecurityGroup

FILTERS: Final = "wireproof_filters"
LIMITS: Final = "wireproof_limits"
_WITH_PORTS: Final = "{ 6, 17 }"
# How long at its rate a limit lets pass at once what came too fast: enough for TCP to find the rate.
_BURST_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a rule decided so far."""

    device: str
    direction: Direction
    rule: str
    packets: int
    octets: int


def security_group(device: str, group: SecurityGroup) -> str:
    """The rules of a device in a subnet."""
    lines = [f"table ip {FILTERS} {{"]
    for direction in Direction:
        rules = "".join(f"    {_rule(rule)}\n" for rule in group.rules if rule.direction is direction)
        lines.append(f"  chain {_chain(direction, device)} {{\n    ct state established,related return\n{rules}  }}")
    inbound, outbound = (_chain(direction, device) for direction in Direction)
    for hook, tried in (
        ("input", [f'iifname "{device}" jump {inbound}']),
        ("forward", [f'iifname "{device}" jump {inbound}', f'oifname "{device}" jump {outbound}']),
        ("output", [f'oifname "{device}" jump {outbound}']),
    ):
        jumps = "".join(f"    {jump}\n" for jump in tried)
        lines.append(f"  chain {hook} {{\n    type filter hook {hook} priority filter; policy accept;\n{jumps}  }}")
    return "\n".join([*lines, "}"]) + "\n"


def bandwidth(device: str, mbps: int) -> str:
    """Limits on what is passed on: of what came in by a device, and of what leaves by it."""
    octets = mbps * 125_000
    burst = max(64 << 10, int(octets * _BURST_SECONDS))
    limit = f"limit rate over {octets // 1000} kbytes/second burst {burst // 1000} kbytes counter drop"
    return (
        f"table ip {LIMITS} {{\n  chain forward {{\n"
        "    type filter hook forward priority filter + 10; policy accept;\n"
        f'    iifname "{device}" {limit}\n    oifname "{device}" {limit}\n  }}\n}}\n'
    )


def apply(rules: str) -> None:
    """Have the kernel do it, all or nothing.

    Raises:
        MachineError: nft is not installed, or the kernel cannot do it.
    """
    ran = subprocess.run([NFT.path(), "-f", "-"], input=rules, text=True, capture_output=True, check=False)
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        text = f"nft refuses the rules: {said[0] if said else f'exit code {ran.returncode}'}"
        raise MachineError(text, fix="use a kernel with nf_tables, conntrack and its limits built in")


def counts() -> tuple[Count, ...]:
    """What each rule of this namespace's security groups has decided.

    Raises:
        MachineError: nft is not installed.
    """
    command = [NFT.path(), "--json", "list", "table", "ip", FILTERS]
    ran = subprocess.run(command, text=True, capture_output=True, check=False)
    if ran.returncode:  # there is no such table: nothing is filtered
        return ()
    found = (item["rule"] for item in json.loads(ran.stdout)["nftables"] if "rule" in item)
    return tuple(count for rule in found if (count := _count(rule)))


def _count(rule: dict[str, Any]) -> Count | None:
    direction, _, device = rule["chain"].partition("_")
    counter = next((part["counter"] for part in rule["expr"] if "counter" in part), None)
    if counter is None or "comment" not in rule:
        return None
    return Count(
        device=device.replace("/", "-"),
        direction=Direction(direction.capitalize()),
        rule=rule["comment"],
        packets=counter["packets"],
        octets=counter["bytes"],
    )


def _chain(direction: Direction, device: str) -> str:
    # nft's names know no hyphen, and devices' names no slash.
    return f"{direction.lower()}_{device.replace('-', '/')}"


def _rule(rule: FilterRule) -> str:
    parts = []
    if rule.protocol is not None:
        parts.append(f"meta l4proto {rule.protocol}")
    elif rule.source_ports is not None or rule.destination_ports is not None:
        parts.append(f"meta l4proto {_WITH_PORTS}")
    for key, networks in (("ip saddr", rule.sources), ("ip daddr", rule.destinations)):
        if networks is not None:
            parts.append(f"{key} {_set(networks)}")
    for key, ports in (("th sport", rule.source_ports), ("th dport", rule.destination_ports)):
        if ports is not None:
            ranges = ", ".join(f"{low}-{high}" if low < high else str(low) for low, high in sorted(ports))
            parts.append(f"{key} {{ {ranges} }}")
    verdict = "return" if rule.allow else "drop"
    return f'{" ".join([*parts, "counter"])} {verdict} comment "{rule.name}"'


def _set(networks: Iterable[IPNetwork]) -> str:
    """Distinct networks, none within another, as nft wants them."""
    from netaddr import cidr_merge

    return f"{{ {', '.join(map(str, cidr_merge(list(networks))))} }}"
