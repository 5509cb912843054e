"""One end of a tunnel: what is routed into its TUN leaves protected, what arrives protected comes out of it.

    kernel route -> TUN -> SPD -> SA -> outer port -- wire        wire -- outer port -> SA -> selectors -> TUN

It knows nothing of IKE: SAs are given to it, and taken away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, final

from dataplane.batch import Batch
from dataplane.esp.engine import EspEngine
from dataplane.esp.lifetime import Lifetime
from dataplane.esp.sa import InboundSa, OutboundSa, SaParameters
from dataplane.ike.events import ChildSaEstablished
from dataplane.ike.nat import Endpoint
from dataplane.ike.policy import Limits
from lab.host.tap import TunTapPort
from lab.model.connection import Connection, ConnectionEnd
from lab.nodes.bucket import Limit
from lab.nodes.peers import spd_of, way_of
from lab.ports.keep import keep
from lab.ports.outer import ESP_PORT, OuterPort
from lab.ports.port import Port

# Packets that were under way when an SA was replaced are taken for so long (RFC 7296 2.8).
_OVERLAP_SECONDS: Final = 5.0
_ERROR_OCTETS: Final = 1280


@final
class TunnelEnd:
    """The data plane of a connection at one of its gateways.

    `clear` and `wire` are work space that tunnels share, since one works at a time. ICMP errors come from `addresses`.
    """

    def __init__(
        self,
        connection: Connection,
        end: ConnectionEnd,
        tun: Port,
        clear: Batch,
        wire: Batch,
        addresses: Sequence[IPv4Address | IPv6Address],
        *,
        outward_limit: Limit | None = None,
        inward_limit: Limit | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.name: Final = connection.name
        self.connection: Final = connection
        self.end: Final = end
        self.tun: Final = tun
        self.esp: Final = EspEngine(
            spd_of(connection, end),
            ipv4=next((each for each in addresses if isinstance(each, IPv4Address)), None),
            ipv6=next((each for each in addresses if isinstance(each, IPv6Address)), None),
        )
        self.port: OuterPort | None = None
        self.remote: Endpoint | None = None
        self.installed: Final[dict[int, ChildSaEstablished]] = {}
        self._random: Final = random
        self._clear: Final = clear
        self._wire: Final = wire
        self._errors: Final = Batch(16, _ERROR_OCTETS)
        self._ways: Final = {
            encapsulated: way_of(connection, encapsulated=encapsulated) for encapsulated in (False, True)
        }
        self._leaving: list[tuple[float, int]] = []
        self._told: Final[dict[int, float]] = {}
        self.unsent = 0
        self.has_carrier = True
        self._outward_limit: Final = outward_limit
        self._inward_limit: Final = inward_limit
        self.over_limit = 0

    # ---- packets ----

    def outward(self, now: float) -> bool:
        """Protect and send what waits at the TUN, one batch; true when more may wait."""
        clear, wire = self._clear, self._wire
        if self.tun.receive(clear):
            if self._outward_limit is not None:
                self._outward_limit.take(sum(clear.lengths[: clear.count]), now)
            for flight in self.esp.encapsulate(clear, wire, now):
                if self.port is None or self.remote is None:
                    self.unsent += flight.count
                    continue
                self.port.send(
                    wire, flight.first, flight.count, self.remote, tos=flight.tos, dont_fragment=flight.dont_fragment
                )
            self._answer()
        return clear.count == clear.slots

    def ready_at(self, now: float) -> float:
        """When more may be taken from the TUN; until then it waits there, in the kernel's queue."""
        return now if self._outward_limit is None else self._outward_limit.ready_at(now)

    def inward(self, wire: Batch, tos: Sequence[int] | None, now: float) -> Mapping[int, int]:
        """Open what arrived, and hand it over, no more than the gateway's size lets through.

        Gives, of each SPI that got ahead, the slot of the packet that is the furthest.
        """
        clear = self._clear
        ahead = self.esp.decapsulate(wire, clear, now, tos)
        if clear.count and self._inward_limit is not None:
            passing = self._inward_limit.passing(clear.lengths[: clear.count], now)
            if passing is not None:
                self.over_limit += clear.count - len(passing)
                keep(clear, passing)
        if clear.count:
            self.tun.send(clear)
        return ahead

    def _answer(self) -> None:
        """Tell senders on the protected side what did not fit."""
        errors = self._errors
        errors.clear()
        while errors.count < errors.slots and (error := self.esp.next_error()) is not None:
            errors.append(error)
        if errors.count:
            self.tun.send(errors)

    # ---- SAs ----

    def install(self, child: ChildSaEstablished, port: OuterPort, now: float) -> None:
        """Take a child's two SAs into use, beside those that are there.

        Raises:
            LocalError: the peer chose an SPI that it has chosen before.
        """
        way, lifetime = self._ways[child.encapsulated], _lifetime(child.limits)
        inbound, outbound = (
            SaParameters(
                spi=int.from_bytes(spi, "big"),
                tunnel=way,
                suite=child.suite,
                keys=keys,
                local=child.local_selectors,
                remote=child.remote_selectors,
                lifetime=lifetime,
            )
            for spi, keys in ((child.spi_in, child.keys_in), (child.spi_out, child.keys_out))
        )
        self._forget(inbound.spi)  # one that was replaced a moment ago may have borne the same number
        self.esp.sad.add_outbound(OutboundSa(outbound, now, self._random), use=child.sends)
        self.esp.sad.add_inbound(InboundSa(inbound, now, window=self.connection.replay_window))
        self.port = port
        self.remote = child.remote if child.encapsulated else Endpoint(child.remote.address, ESP_PORT)
        self.installed[inbound.spi] = child

    def move(self, remote: Endpoint) -> None:
        """The peer's address or port behind its NAT changed; ESP without UDP has no NAT to be behind."""
        if self.port is not None and self.port.local.port != ESP_PORT:
            self.remote = remote

    def switch(self, spi_out: bytes) -> None:
        """Send on this SA from now on."""
        spi = int.from_bytes(spi_out, "big")
        if self._has_outbound(spi):
            self.esp.sad.use_outbound(self.name, spi)

    def remove(self, spi_in: bytes, spi_out: bytes, now: float, *, overlap: bool) -> None:
        """Send no more on a child; with `overlap`, what is under way to it is still taken for a moment."""
        inbound, outbound = (int.from_bytes(spi, "big") for spi in (spi_in, spi_out))
        if self.installed.pop(inbound, None) is None:
            return
        if self._has_outbound(outbound):
            self.esp.sad.remove_outbound(self.name, outbound)
        if overlap:
            self._leaving.append((now + _OVERLAP_SECONDS, inbound))
        else:
            self._forget(inbound)

    @property
    def spis(self) -> Iterator[int]:
        """The inbound SAs."""
        return (sa.parameters.spi for sa in self.esp.sad if isinstance(sa, InboundSa))

    @property
    def is_up(self) -> bool:
        """Whether something can be sent."""
        return bool(self.esp.sad.outbound(self.name))

    def inbound_spi(self, spi: int) -> bytes | None:
        """The inbound SPI of the child that has this one, whichever way it works; None when it is gone."""
        for inbound, child in self.installed.items():
            if spi in (inbound, int.from_bytes(child.spi_out, "big")):
                return child.spi_in
        return None

    def carry(self, is_wanted: bool) -> None:
        """Take what is routed into the tunnel, or leave it to other ones: the device then has no carrier."""
        if is_wanted is not self.has_carrier:
            self.has_carrier = is_wanted
            if isinstance(self.tun, TunTapPort):
                self.tun.set_carrier(is_wanted)

    # ---- time ----

    @property
    def deadline(self) -> float:
        """When `handle_timer` has something to do."""
        return min([self.esp.next_timeout(), *(when for when, _ in self._leaving)])

    def handle_timer(self, now: float) -> None:
        """Let go of what was replaced a while ago, and look at lifetimes."""
        for when, spi in self._leaving:
            if when <= now:
                self._forget(spi)
        self._leaving = [(when, spi) for when, spi in self._leaving if when > now]
        self.esp.handle_timer(now)

    def heard(self) -> Iterator[tuple[bytes, float]]:
        """The children on which something authentic came in since this was asked last, and when (RFC 7296 2.4)."""
        for sa in self.esp.sad:
            if isinstance(sa, InboundSa) and sa.last_heard is not None:
                spi = sa.parameters.spi
                if self._told.get(spi) != sa.last_heard:
                    self._told[spi] = sa.last_heard
                    yield spi.to_bytes(4, "big"), sa.last_heard

    def close(self) -> None:
        """Close the TUN."""
        self.tun.close()

    def _forget(self, spi: int) -> None:
        self._told.pop(spi, None)
        if self.esp.sad.inbound(spi) is not None:
            self.esp.sad.remove_inbound(spi)

    def _has_outbound(self, spi: int) -> bool:
        return any(
            isinstance(sa, OutboundSa) and sa.tunnel.name == self.name and sa.parameters.spi == spi
            for sa in self.esp.sad
        )


def _lifetime(limits: Limits) -> Lifetime:
    """What ESP watches of a child's limits: octets, and as a last resort the hard limit in seconds, which is IKE's."""
    octets = {}
    if limits.soft_octets is not None and limits.hard_octets is not None:
        octets = {"soft_octets": float(limits.soft_octets), "hard_octets": float(limits.hard_octets)}
    return Lifetime(soft_seconds=limits.hard_seconds, hard_seconds=limits.hard_seconds, **octets)
