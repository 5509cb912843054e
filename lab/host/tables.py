"""What the kernel knows in this namespace: its neighbours on each link, and its routes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ARP: Final = Path("/proc/thread-self/net/arp")
_COMPLETE: Final = 0x2  # ATF_COM


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An entry of the ARP table; `mac` is None while nobody has answered."""

    device: str
    address: str
    mac: str | None


def arp_table() -> tuple[Neighbour, ...]:
    """Every entry."""
    found = []
    for line in _ARP.read_text().splitlines()[1:]:
        address, _, flags, mac, _, device = line.split()
        found.append(Neighbour(device=device, address=address, mac=mac if int(flags, 16) & _COMPLETE else None))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRoute:
    """A route of one of the kernel's tables. `origin` says who put it there: kernel, static or bird."""

    prefix: str
    kind: str
    origin: str
    hops: tuple[tuple[str | None, str | None], ...]
    metric: int
    is_down: bool
