"""What a filter can ask of frames, as columns: addresses, VLAN tags, protocols and ports as they stand on the wire.

Nothing is opened: of a MACsec frame there are MAC addresses, of ESP in UDP the ports. A later fragment has the ports of
its datagram's first, if that came before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from lab.capture import frame as link
from lab.capture.burst import Burst, Column
from lab.capture.frame import Frame
from lab.coverage.columns import Heads, gather

MOST_TAGS: Final = 4
_MOST_DATAGRAMS: Final = 4096
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_EXTENSIONS: Final = (0, 43, 60)
_WITH_PORTS: Final = (6, 17, 132)
_HALF: Final = (1 << 64) - 1
NONE: Final = -1


class Traits(NamedTuple):
    """The traits of one frame, NONE where it has no such. Addresses are numbers, of MAC and IP."""

    mac_source: int = NONE
    mac_target: int = NONE
    ether_type: int = NONE
    vlans: tuple[int, ...] = ()
    version: int = 0
    source: int = 0
    target: int = 0
    protocol: int = NONE
    port_source: int = NONE
    port_target: int = NONE


@final
@dataclass(slots=True)
class Columns:
    """The traits of many frames. IP addresses are in two halves, an IPv4 one in the lower."""

    macs: tuple[Column, Column]
    ether_type: Column
    vlans: NDArray[np.int64]  # a row for each of MOST_TAGS, a column a frame
    version: Column
    upper: tuple[NDArray[np.uint64], NDArray[np.uint64]]
    lower: tuple[NDArray[np.uint64], NDArray[np.uint64]]
    protocol: Column
    ports: tuple[Column, Column]


@final
class Reader:
    """Reads traits, and remembers which ports the first fragments of datagrams had."""

    def __init__(self) -> None:
        self._first: Final[dict[tuple[int, int, int, int], tuple[int, int]]] = {}

    def columns(self, burst: Burst) -> Columns:
        """The traits of a burst's frames."""
        count = len(burst)

        def none() -> Column:
            return np.full(count, NONE, np.int64)

        def zero() -> NDArray[np.uint64]:
            return np.zeros(count, np.uint64)

        columns = Columns(
            (none(), none()), none(), np.full((MOST_TAGS, count), NONE, np.int64), np.zeros(count, np.int64),
            (zero(), zero()), (zero(), zero()), none(), (none(), none()),
        )  # fmt: skip
        left = np.ones(count, np.bool_)
        self._many(burst, columns, left)
        for row, frame in zip(np.flatnonzero(left).tolist(), burst.frames(np.flatnonzero(left)), strict=True):
            put(columns, row, self.read(frame))
        return columns

    def read(self, frame: Frame) -> Traits:
        """The traits of one frame."""
        octets, link_type = frame.octets, frame.link_type
        if link_type == link.ETHERNET:
            return self._ethernet(octets)
        if link_type == link.LINUX_SLL:
            return self._network(octets, 16, int.from_bytes(octets[14:16], "big"), Traits())
        if link_type == link.LINUX_SLL2:
            return self._network(octets, 20, int.from_bytes(octets[0:2], "big"), Traits())
        start = 4 if link_type in (link.BSD_LOOPBACK, link.OPENBSD_LOOPBACK) else 0
        version = octets[start] >> 4 if len(octets) > start else 0
        return self._network(octets, start, {4: 0x0800, 6: 0x86DD}.get(version, NONE), Traits())

    def _ethernet(self, octets: bytes) -> Traits:
        if len(octets) < 14:
            return Traits()
        start, vlans = 14, []
        ether_type = int.from_bytes(octets[12:14], "big")
        while ether_type in _TAGS and len(octets) >= start + 4:
            vlans.append(int.from_bytes(octets[start : start + 2], "big") & 0x0FFF)
            ether_type = int.from_bytes(octets[start + 2 : start + 4], "big")
            start += 4
        macs = (int.from_bytes(octets[6:12], "big"), int.from_bytes(octets[0:6], "big"))
        return self._network(octets, start, ether_type, Traits(*macs, vlans=tuple(vlans)))

    def _network(self, octets: bytes, start: int, ether_type: int, traits: Traits) -> Traits:
        traits = traits._replace(ether_type=ether_type)
        if ether_type == 0x0800 and len(octets) >= start + 20 and octets[start] >> 4 == 4:
            source, target = (int.from_bytes(octets[start + at : start + at + 4], "big") for at in (12, 16))
            traits = traits._replace(version=4, protocol=octets[start + 9], source=source, target=target)
            placed = int.from_bytes(octets[start + 6 : start + 8], "big")
            number = int.from_bytes(octets[start + 4 : start + 6], "big")
            payload = start + (octets[start] & 15) * 4
            return self._ports(octets, payload, placed & 0x1FFF, placed & 0x2000, number, traits)
        if ether_type == 0x86DD and len(octets) >= start + 40 and octets[start] >> 4 == 6:
            return self._ipv6(octets, start, traits)
        return traits

    def _ipv6(self, octets: bytes, start: int, traits: Traits) -> Traits:
        source, target = (int.from_bytes(octets[start + at : start + at + 16], "big") for at in (8, 24))
        header, position = octets[start + 6], start + 40
        offset = more = number = 0
        while header in (*_EXTENSIONS, 44) and len(octets) >= position + 8:
            following = octets[position]
            if header == 44:
                placed = int.from_bytes(octets[position + 2 : position + 4], "big")
                offset, more = placed & 0xFFF8, placed & 1
                number = int.from_bytes(octets[position + 4 : position + 8], "big")
                position += 8
            else:
                position += 8 * (octets[position + 1] + 1)
            header = following
            if offset:
                break
        traits = traits._replace(version=6, source=source, target=target, protocol=header)
        return self._ports(octets, position, offset, more, number, traits)

    def _ports(self, octets: bytes, start: int, offset: int, more: int, number: int, traits: Traits) -> Traits:
        if traits.protocol not in _WITH_PORTS:
            return traits
        key = (traits.source, traits.target, traits.protocol, number)
        if offset:
            ports = self._first.get(key, (NONE, NONE))
        elif len(octets) < start + 4:
            return traits
        else:
            both = int.from_bytes(octets[start : start + 4], "big")
            ports = (both >> 16, both & 0xFFFF)
            if more:
                self._first[key] = ports
                if len(self._first) > _MOST_DATAGRAMS:
                    del self._first[next(iter(self._first))]
        return traits._replace(port_source=ports[0], port_target=ports[1])

    def _many(self, burst: Burst, columns: Columns, left: NDArray[np.bool_]) -> None:
        """The traits of those frames that are like most: Ethernet, with IPv4 in one piece or no IP at all."""
        ethernet = np.array([origin[0] == link.ETHERNET for origin in burst.origins], np.bool_)[burst.origin]
        rows = np.flatnonzero(ethernet & (burst.ends - burst.starts >= 14))
        heads = Heads(burst.data, burst.starts[rows] + 12, burst.ends[rows])
        version4 = heads.whole_ipv4()
        tagged = (heads.at - burst.starts[rows][heads.rows] - 14) // 4
        plain = (version4 | ~np.isin(heads.ether, (0x0800, 0x86DD, *_TAGS, 0))) & (tagged == 0)
        rows, at, version4 = rows[heads.rows[plain]], heads.at[plain], version4[plain]
        left[rows] = False
        starts = burst.starts[rows]
        for column, place in zip(columns.macs, (6, 0), strict=True):
            parts = gather(burst.data, starts + place, 6).view(">u2").reshape(-1, 3).astype(np.int64).T
            column[rows] = parts[0] << 32 | parts[1] << 16 | parts[2]
        columns.ether_type[rows] = heads.ether[plain]
        net, inner, words = rows[version4], at[version4], heads.words(plain)[:, version4]
        columns.version[net] = 4
        columns.protocol[net] = words[4] & 0xFF
        for half, place in zip(columns.lower, (6, 8), strict=True):
            half[net] = (words[place].astype(np.int64) << 16 | words[place + 1]).astype(np.uint64)
        ported = np.isin(words[4] & 0xFF, _WITH_PORTS) & (inner + 24 <= burst.ends[net])
        for column, place in zip(columns.ports, (20, 22), strict=True):
            column[net[ported]] = gather(burst.data, inner[ported] + place, 2).view(">u2").astype(np.int64)


def put(columns: Columns, row: int, traits: Traits) -> None:
    """Make the traits those of a row."""
    columns.macs[0][row], columns.macs[1][row] = traits.mac_source, traits.mac_target
    columns.ether_type[row] = traits.ether_type
    columns.vlans[: len(traits.vlans), row] = traits.vlans[:MOST_TAGS]
    columns.version[row] = traits.version
    for end, address in enumerate((traits.source, traits.target)):
        columns.upper[end][row], columns.lower[end][row] = address >> 64, address & _HALF
    columns.protocol[row] = traits.protocol
    columns.ports[0][row], columns.ports[1][row] = traits.port_source, traits.port_target
