"""An IPsec gateway: its tunnels, its outer ports, and IKE, as a part of a node's driver.

What comes to UDP port 500 is IKE; on port 4500 a marker of four zeros tells IKE from ESP (RFC 3948 2.2); ESP without
UDP has IP protocol 50. ESP goes to the tunnel that its SPI belongs to.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Protocol, final

from dataplane.batch import Batch
from dataplane.esp.engine import EspEngine
from dataplane.esp.events import Audited
from dataplane.esp.layout import GREATEST_HEAD
from dataplane.ike.nat import Endpoint
from dataplane.wire.udp import IKE_PORT, KEEPALIVE, NATT_PORT, NON_ESP_MARKER
from lab.errors import InputError
from lab.host.channel import Message
from lab.host.outer import OuterSocket
from lab.host.tap import Kind, TunTapPort
from lab.model.topology import Topology
from lab.nodes.audit import Audit
from lab.nodes.keying import Keying
from lab.nodes.loop import Loop
from lab.nodes.peers import peer_of
from lab.nodes.sizes import Sizes
from lab.nodes.tunnel import TunnelEnd
from lab.nodes.vpnstatus import connection_status
from lab.ports.keep import keep
from lab.ports.outer import ESP_PORT, GREATEST_ESP_OVERHEAD, OuterPort, packets_a_message
from lab.ports.port import Port

# Enough messages of packets to make the fixed cost of a turn small, few enough to stay in the processor's cache; and
# fewer where a size lets only so much through, so that traffic is not all bursts and pauses.
_MESSAGES: Final = 16
_MESSAGES_OF_A_SIZE: Final = 2
_LEAST_SLOTS: Final = 16
_MOST_BATCHES: Final = 256  # that wait at a port: more than its socket's buffer holds


class Line(Protocol):
    """What a gateway says to process 1."""

    def event(self, name: str, **fields: object) -> None:
        """Tell the event log."""
        ...

    def write_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        """Return when these objects are in the key log."""
        ...


def _attach(device: str) -> Port:
    return TunTapPort(device, Kind.TUN)


@final
class _Burst:
    """What is known beside their octets of packets that came together: of slot i it is `tos[i]` and `source(i)`."""

    __slots__ = ("_places", "port", "tos")

    def __init__(self, port: OuterPort, tos: Sequence[int] | None, places: Sequence[int] | None = None) -> None:
        self.port: Final = port
        self.tos: Final = tos
        self._places: Final = places

    def source(self, slot: int) -> Endpoint:
        """Where the packet came from."""
        return self.port.source(slot if self._places is None else self._places[slot])

    def part(self, slots: Sequence[int]) -> _Burst:
        """The same of these slots alone."""
        places = slots if self._places is None else [self._places[slot] for slot in slots]
        return _Burst(self.port, None if self.tos is None else [self.tos[slot] for slot in slots], places)


@final
class Gateway:
    """A gateway of a topology. `listen` opens an outer port, `attach` a tunnel's device."""

    kind: Final = "gateways"

    def __init__(
        self,
        node: str,
        topology: Topology,
        secrets: Mapping[str, bytes],
        line: Line,
        *,
        listen: Callable[[Endpoint], OuterPort] = OuterSocket,
        attach: Callable[[str], Port] = _attach,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open everything.

        Raises:
            InputError: a secret is not there.
            MachineError: a device or an address is not there, or may not be used.
        """
        self.name: Final = node
        self.key_records: Sequence[Mapping[str, object]] = ()
        self._clock = clock
        self._loop: Loop | None = None
        self._audit: Final = Audit(line.event)
        self._strays: Final = EspEngine()
        self._set_aside: Final = {"keepalive": 0, "too short": 0}
        self._ports: Final[dict[Endpoint, OuterPort]] = {}
        made = []
        outward, inward = Sizes.of(topology, node), Sizes.of(topology, node)
        self._paced: Final[dict[str, float]] = {}  # tunnels from which nothing more is taken until then
        addresses = _addresses(topology, node)
        mine = topology.tunnels(node)
        limits = {each.name: outward.limit(end) for each, end in mine}
        messages = _MESSAGES_OF_A_SIZE if any(limits.values()) else _MESSAGES
        slots = max(_LEAST_SLOTS, messages * packets_a_message(max(each.mtu for each, _ in mine)))
        greatest = max(max(each.mtu, each.path_mtu) for each, _ in mine)
        self._clear, self._wire, self._part = _work_space(slots, greatest)
        try:
            for address in dict.fromkeys(str(end.address) for _, end in mine):
                for port in (IKE_PORT, NATT_PORT, ESP_PORT):
                    self._ports[Endpoint(address, port)] = listen(Endpoint(address, port))
            for connection, end in mine:
                peer = peer_of(connection, end, secrets)
                own = [ip_address(str(each.ip)) for each in end.tunnel_addresses]
                tun = attach(end.device)
                tunnel = TunnelEnd(
                    connection,
                    end,
                    tun,
                    self._clear,
                    self._wire,
                    [*own, *addresses],
                    outward_limit=limits[connection.name],
                    inward_limit=inward.limit(end),
                )
                made.append((tunnel, peer))
        except BaseException:
            _close(self._ports.values(), (tunnel for tunnel, _ in made))
            raise
        self.keying: Final = Keying(made, self._ports, line.write_keys, line.event, self._audit)

    # ---- the part ----

    def join(self, loop: Loop) -> None:
        """Begin to listen, and to move packets; negotiation begins when `begin` is asked for."""
        self._clock = loop.clock
        for port in self._ports.values():
            loop.watch(port, functools.partial(self.inward, port))
        for tunnel in self.keying.tunnels.values():
            loop.watch(tunnel.tun, functools.partial(self.outward, tunnel))
        loop.time(self.keying)
        loop.time(self)
        self._loop = loop

    def status(self) -> dict[str, object]:
        """Each connection, the outer ports, and what belongs to no connection."""
        now = self._clock()
        discarded = {str(reason): count for reason, count in self._strays.counters.discarded.items()}
        return {
            "connections": {name: connection_status(self.keying, name, now) for name in self.keying.tunnels},
            "ports": {str(local): asdict(port.counters) for local, port in self._ports.items()},
            "strays": {**discarded, **self._set_aside},
            "ike_discarded": dict(self.keying.ike.discarded),
            "audits_untold": self._audit.untold,
        }

    def command(self, verb: str, fields: Message) -> object:
        """Do what is asked: `begin`; `up`, `down` and `rekey` of a `connection`; `settle`: take in all that waits.

        Raises:
            InputError: there is no such verb or connection, or it cannot be done now.
        """
        now = self._clock()
        if verb == "begin":
            self.keying.begin(now)
            return None
        if verb == "settle":
            self._settle()
            return self.status()
        if verb not in ("up", "down", "rekey"):
            raise InputError(f"a gateway knows no verb {verb!r}; it knows begin, up, down, rekey and settle")
        name = fields.get("connection")
        if not isinstance(name, str) or name not in self.keying.tunnels:
            raise InputError(f"{self.name} has no connection {name!r}; it has {', '.join(self.keying.tunnels)}")
        if verb == "rekey":
            rekeyed = self.keying.rekey(name, ike=fields.get("what") == "ike", now=now)
            if not rekeyed:
                raise InputError(f"{name} has nothing to rekey at {self.name}: it is not connected")
            return {"rekeyed": rekeyed}
        if verb == "up":
            self.keying.up(name, now, begin=fields.get("begin") is not False)
        else:
            self.keying.down(name, now)
        return connection_status(self.keying, name, now)

    def close(self) -> None:
        """Close every port."""
        _close(self._ports.values(), self.keying.tunnels.values())

    # ---- packets ----

    def _settle(self) -> None:
        for port in self._ports.values():
            for _ in range(_MOST_BATCHES):
                if not self.inward(port):
                    break

    def outward(self, tunnel: TunnelEnd) -> bool:
        """Protect and send what waits at a tunnel, one batch; true when more may wait."""
        now = self._clock()
        more = tunnel.outward(now)
        self.keying.hear(tunnel, now)
        ready_at = tunnel.ready_at(now)
        if ready_at > now and self._loop is not None:
            self._paced[tunnel.name] = ready_at
            self._loop.forget(tunnel.tun)
            return False
        return more

    def next_timeout(self) -> float | None:
        """When the first tunnel that is paced may send again."""
        return min(self._paced.values(), default=None)

    def handle_timer(self, now: float) -> None:
        """Take from tunnels again whose time has come."""
        assert self._loop is not None
        for name in [name for name, ready_at in self._paced.items() if ready_at <= now]:
            del self._paced[name]
            tunnel = self.keying.tunnels[name]
            self._loop.watch(tunnel.tun, functools.partial(self.outward, tunnel))

    def inward(self, port: OuterPort) -> bool:
        """Take what waits at an outer port, one batch; true when more may wait."""
        wire, now = self._wire, self._clock()
        received = port.receive(wire)
        if not received:
            return False
        if port.local.port == IKE_PORT:
            for index in range(received):
                self.keying.receive(bytes(wire[index]), port.source(index), port.local, now)
            return received == wire.slots
        burst = _Burst(port, port.tos())
        spis = wire.column(">u4", 0)  # of IKE it is the marker, 0
        if port.local.port == NATT_PORT and (
            not spis[:received].all() or min(wire.lengths[:received]) < len(NON_ESP_MARKER)
        ):
            burst = self._divert_ike(port, wire, burst, now)
        if wire.count:
            self._dispatch(wire, spis[: wire.count].tolist(), burst, now)
        return received == wire.slots

    def _divert_ike(self, port: OuterPort, wire: Batch, burst: _Burst, now: float) -> _Burst:
        """Take IKE messages and keepalives out of what came to port 4500 (RFC 3948 2.2, 2.3)."""
        messages, others = [], []
        for index, payload in enumerate(wire):
            if len(payload) < len(NON_ESP_MARKER):
                self._set_aside["keepalive" if bytes(payload) == KEEPALIVE else "too short"] += 1
            elif payload[: len(NON_ESP_MARKER)] == NON_ESP_MARKER:
                messages.append((bytes(payload), port.source(index)))
            else:
                others.append(index)
        keep(wire, others)
        rest = burst.part(others)
        for octets, source in messages:
            self.keying.receive(octets, source, port.local, now)
        return rest

    def _dispatch(self, wire: Batch, spis: list[int], burst: _Burst, now: float) -> None:
        """Give ESP packets to the tunnels of their SPIs."""
        by_spi = self.keying.by_spi
        first = by_spi.get(spis[0])
        if spis.count(spis[0]) == len(spis):
            self._deliver(first, wire, burst, now)
            return
        groups: dict[TunnelEnd | None, list[int]] = {}
        for index, spi in enumerate(spis):
            groups.setdefault(by_spi.get(spi), []).append(index)
        if len(groups) == 1:
            self._deliver(first, wire, burst, now)
            return
        part = self._part
        for tunnel, indexes in groups.items():
            part.rows[: len(indexes)] = wire.rows[indexes]
            part.lengths[: len(indexes)] = [wire.lengths[index] for index in indexes]
            part.count = len(indexes)
            self._deliver(tunnel, part, burst.part(indexes), now)

    def _deliver(self, tunnel: TunnelEnd | None, wire: Batch, burst: _Burst, now: float) -> None:
        if tunnel is not None:
            ahead = tunnel.inward(wire, burst.tos, now)
            self.keying.hear(tunnel, now)
            if burst.port.local.port == NATT_PORT:
                for spi, slot in ahead.items():
                    if (source := burst.source(slot)) != tunnel.remote:
                        self.keying.follow(spi, source, burst.port.local, now)
            return
        self._strays.decapsulate(wire, self._clear, now, burst.tos)
        while (event := self._strays.next_event()) is not None:
            if isinstance(event, Audited):
                self._audit.note(None, event)


def _close(ports: Iterable[OuterPort], tunnels: Iterable[TunnelEnd]) -> None:
    for port in ports:
        port.close()
    for tunnel in tunnels:
        tunnel.close()


def _work_space(slots: int, greatest: int) -> tuple[Batch, Batch, Batch]:
    """A batch for packets of this length, with room around them for ESP's texts, and two for what ESP makes of them."""
    # An odd number of cache lines, so that the same column of consecutive slots does not fall on the same few sets.
    stride = (greatest + GREATEST_ESP_OVERHEAD + 63) // 64 * 64 | 64
    return Batch(slots, stride - GREATEST_HEAD, headroom=GREATEST_HEAD), Batch(slots, stride), Batch(slots, stride)


def _addresses(topology: Topology, node: str) -> list[IPv4Address | IPv6Address]:
    """The node's own addresses, those of its loopback first."""
    own = [*topology.node(node).loopback_addresses]
    own += [address for _, end in topology.interfaces(node) for address in end.addresses]
    return [ip_address(str(address.ip)) for address in own]
