"""What the kernel of a namespace counts of IP and what is above it: RFC 4293's counters, and their like."""

from __future__ import annotations

import contextlib
from pathlib import Path

_NETWORK = Path("/proc/self/net")


def kernel_counters() -> dict[str, int]:
    """Every counter of the namespace that this process is in, as `IpInReceives` or `UdpInCsumErrors`."""
    found: dict[str, int] = {}
    lines = (_NETWORK / "snmp").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol, _, columns = names.partition(":")
        found |= {
            protocol + name: int(value)
            for name, value in zip(columns.split(), values.partition(":")[2].split(), strict=True)
        }
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        for line in (_NETWORK / "snmp6").read_text().splitlines():
            name, value = line.split()
            found[name] = int(value)
    return found
