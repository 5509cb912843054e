"""Keying tunnels: an IKE engine, the clock, and what follows from its events.

A key is in the lab's key log before anything is sent or opened under it. What the tunnels tell (limits reached, first
use, a packet that waits for an SA) becomes wishes to IKE; what IKE tells becomes SAs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.esp.events import Acquire, Audited, EspEvent, SaFirstUsed, SaHardExpired, SaSoftExpired
from dataplane.ike.engine import IkeEngine
from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    ChildSaEstablished,
    ChildSaFailed,
    ChildSaSwitched,
    Event,
    IkeKeysDerived,
    IkeRekeyFailed,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaFailed,
    IkeSaRekeyed,
    PeerHint,
    PeerMoved,
)
from dataplane.ike.nat import Endpoint
from dataplane.ike.policy import Mode, Peer
from dataplane.ike.rules import ExchangeType
from dataplane.wire.udp import NATT_PORT, NON_ESP_MARKER
from lab.nodes.audit import Audit
from lab.nodes.keyrecords import esp_records, ike_record
from lab.nodes.standing import Standing, State
from lab.nodes.tunnel import TunnelEnd
from lab.nodes.wishes import is_first
from lab.ports.outer import ESP_PORT, OuterPort

# How long the end that lets the other one begin waits for it.
_PATIENCE: Final = 5.0
_EXCHANGE_OCTET: Final = 18  # of an IKE header (RFC 7296 3.1)
_ORDINARY: Final = (Cause.CLOSED_HERE, Cause.REKEYED, Cause.REDUNDANT)

Tell = Callable[..., None]
WriteKeys = Callable[[Iterable[Mapping[str, object]]], None]


@final
class Keying:
    """IKE for one gateway's tunnels, which are its peers' names.

    `ports` are the outer ports by where they listen. `write_keys` returns when the objects are on file. `tell` has the
    event log's verb.
    """

    def __init__(
        self,
        tunnels: Iterable[tuple[TunnelEnd, Peer]],
        ports: Mapping[Endpoint, OuterPort],
        write_keys: WriteKeys,
        tell: Tell,
        audit: Audit,
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        made = list(tunnels)
        self.tunnels: Final = {tunnel.name: tunnel for tunnel, _ in made}
        self.peers: Final = {peer.name: peer for _, peer in made}
        self.standings: Final = {name: Standing() for name in self.tunnels}
        self.ike: Final = IkeEngine(self.peers.values(), random)
        self.by_spi: Final[dict[int, TunnelEnd]] = {}
        self._ports: Final = ports
        self._write_keys: Final = write_keys
        self._tell: Final = tell
        self._audit: Final = audit
        self._closed: set[tuple[str, str]] = set()
        self.refused = 0
        self._deadline = math.inf

    # ---- what arrives, and time ----

    def receive(self, octets: bytes, source: Endpoint, destination: Endpoint, now: float) -> None:
        """Take an IKE message, with its marker if it came to port 4500. A connection that is down cannot be begun."""
        if (source.address, destination.address) in self._closed and _begins_anew(octets, destination):
            self.refused += 1
            return
        self.ike.receive(octets, source, destination, now)
        self.settle(now)

    def next_timeout(self) -> float:
        """When `handle_timer` has something to do. Kept, since every turn of the loop asks."""
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """Do what is due for tunnels and their keys."""
        for tunnel in self.tunnels.values():
            if tunnel.deadline <= now:
                tunnel.handle_timer(now)
                self.hear(tunnel, now)
                self._index()
            for spi, heard_at in tunnel.heard():
                self.ike.traffic_seen(spi, heard_at)
        for name, standing in self.standings.items():
            if standing.retry_at is not None and standing.retry_at <= now:
                standing.retry_at = None
                self._begin(name, now)
        self.ike.handle_timer(now)
        self.settle(now)

    # ---- wishes ----

    def begin(self, now: float) -> None:
        """Begin to negotiate; the end that is not the first to begin gives the other one some time."""
        for name, tunnel in self.tunnels.items():
            if self.standings[name].state is not State.UNKNOWN:
                continue  # a packet that wanted to pass, or the peer, has begun already
            if self.peers[name].mode is Mode.RESPONDER:
                self._become(name, State.NOT_CONNECTED, now)
            elif is_first(tunnel.connection, tunnel.end):
                self._begin(name, now)
            else:
                self._become(name, State.CONNECTING, now)
                self.standings[name].retry_at = now + _PATIENCE
        self.settle(now)

    def up(self, name: str, now: float, *, begin: bool = True) -> None:
        """Let a connection come up again, and begin, or else give the other end some time to do so."""
        standing = self.standings[name]
        standing.is_down = False
        self._close_doors()
        if standing.state is State.CONNECTED or self.peers[name].mode is Mode.RESPONDER:
            pass
        elif not begin:
            standing.retry_at = now + _PATIENCE
        else:
            standing.retry_at = None
            if any(sa.peer.name == name and sa.is_setting_up for sa in self.ike.sas):
                self.ike.delete(name, now)  # its next try may be half a minute away
            self._begin(name, now)
        self.settle(now)

    def down(self, name: str, now: float) -> None:
        """Close a connection, and keep it closed."""
        standing = self.standings[name]
        standing.is_down = True
        standing.retry_at = None
        self._close_doors()
        self.ike.delete(name, now)
        self.settle(now)
        self._become(name, State.NOT_CONNECTED, now)

    def rekey(self, name: str, *, ike: bool, now: float) -> int:
        """Replace a connection's children, or its IKE SA; how many of them."""
        wanted = 0
        if ike:
            for sa in self.ike.sas:
                if sa.peer.name == name and sa.is_current:
                    self.ike.rekey_ike(sa.id, now)
                    wanted += 1
        else:
            for child in list(self.tunnels[name].installed.values()):
                self.ike.rekey_child(child.spi_in, now)
                wanted += 1
        self.settle(now)
        return wanted

    # ---- what tunnels tell ----

    def hear(self, tunnel: TunnelEnd, now: float) -> None:
        """Take what a tunnel has to tell."""
        is_changed = False
        while (event := tunnel.esp.next_event()) is not None:
            if isinstance(event, Audited):
                self._audit.note(tunnel.name, event)
            else:
                self._hear(tunnel, event, now)
                is_changed = True
        if is_changed:
            self.settle(now)

    def follow(self, spi: int, source: Endpoint, destination: Endpoint, now: float) -> None:
        """ESP of a tunnel came from elsewhere than before: perhaps a NAT has moved the peer."""
        self.ike.traffic_seen(spi.to_bytes(4, "big"), now, (source, destination))
        self.settle(now)

    def _hear(self, tunnel: TunnelEnd, event: EspEvent, now: float) -> None:
        match event:
            case SaFirstUsed(spi=spi):
                self.ike.traffic_seen(spi.to_bytes(4, "big"), now)
            case SaSoftExpired(spi=spi) if (inbound := tunnel.inbound_spi(spi)) is not None:
                self._wish(self.ike.rekey_child, inbound, now)
            case SaHardExpired(spi=spi, cause=cause):
                self._index()
                self._tell("esp-sa-expired", connection=tunnel.name, spi=f"{spi:08x}", cause=str(cause))
                if (inbound := tunnel.inbound_spi(spi)) is not None:
                    self._wish(lambda spi_in, at: self.ike.delete_child(spi_in, at, Cause.LIFETIME), inbound, now)
            case Acquire():
                standing = self.standings[tunnel.name]
                may_begin = standing.state is State.NOT_CONNECTED and self._may_begin(tunnel.name)
                if may_begin and standing.retry_at is None and not self._is_busy(tunnel.name):
                    self._begin(tunnel.name, now)
            case _:
                pass

    @staticmethod
    def _wish(verb: Callable[[bytes, float], None], spi_in: bytes, now: float) -> None:
        try:
            verb(spi_in, now)
        except LocalError:
            return  # IKE has closed it meanwhile; its event is on the way

    # ---- what IKE tells ----

    def settle(self, now: float) -> None:
        """Write down keys, then act on events, then send: until there is nothing more to do."""
        while events := self._events():
            records: list[Mapping[str, object]] = []
            for event in events:
                if isinstance(event, IkeKeysDerived):
                    records.append(ike_record(event))
                elif isinstance(event, ChildSaEstablished):
                    records += esp_records(event)
            if records:
                self._write_keys(records)
            for event in events:
                self._take(event, now)
        for octets, source, target in self.ike.to_send(now):
            port = self._ports.get(source)
            if port is not None:
                port.send_one(octets, target)
        self._steer()
        self._deadline = min(
            self.ike.next_timeout() or math.inf,
            *(tunnel.deadline for tunnel in self.tunnels.values()),
            *(standing.retry_at or math.inf for standing in self.standings.values()),
        )

    def _events(self) -> list[Event]:
        events = []
        while (event := self.ike.next_event()) is not None:
            events.append(event)
        return events

    def _take(self, event: Event, now: float) -> None:
        match event:
            case ChildSaEstablished():
                self._install(event, now)
            case ChildSaSwitched(peer=name, spi_out=spi_out):
                self.tunnels[name].switch(spi_out)
            case ChildSaDeleted(peer=name, spi_in=spi_in, spi_out=spi_out, cause=cause, detail=detail):
                self.tunnels[name].remove(spi_in, spi_out, now, overlap=cause is Cause.REKEYED)
                self._index()
                self._tell("esp-sa-closed", connection=name, spi_in=spi_in.hex(), cause=cause.value, detail=detail)
                self._fall(name, cause, detail, now)
            case IkeSaDeleted(peer=name, ike=ike, cause=cause, detail=detail):
                self._tell("ike-sa-closed", connection=name, spis=str(ike), cause=cause.value, detail=detail)
                self._fall(name, cause, detail, now)
            case IkeSaFailed() | ChildSaFailed() | IkeRekeyFailed() | PeerHint():
                self._fail(event.peer, event.cause, event.detail, now)
            case PeerMoved(peer=name, remote=remote):
                self.tunnels[name].move(remote)
                self._tell("peer-moved", connection=name, remote=str(remote))
            case IkeSaEstablished() | IkeSaRekeyed() | IkeKeysDerived():
                self._tell_ike(event)

    def _tell_ike(self, event: IkeSaEstablished | IkeSaRekeyed | IkeKeysDerived) -> None:
        """What asks for nothing to be done."""
        match event:
            case IkeSaEstablished(peer=name):
                self._tell(
                    "ike-sa-up", connection=name, spis=str(event.ike), suite=str(event.suite), remote=str(event.remote),
                    weak=list(event.objections),
                )  # fmt: skip
            case IkeSaRekeyed(peer=name, old=old, new=new):
                self._tell("ike-sa-replaced", connection=name, old=str(old), new=str(new))
            case IkeKeysDerived():
                pass

    def _install(self, child: ChildSaEstablished, now: float) -> None:
        port = child.local if child.encapsulated else Endpoint(child.local.address, ESP_PORT)
        tunnel = self.tunnels[child.peer]
        try:
            tunnel.install(child, self._ports[port], now)
        except LocalError as error:
            self._fail(child.peer, Cause.INVALID_SYNTAX, str(error), now)
            self._wish(self.ike.delete_child, child.spi_in, now)
            return
        self._index()
        self._tell(
            "esp-sa-up",
            connection=child.peer,
            child=child.child,
            spi_in=child.spi_in.hex(),
            spi_out=child.spi_out.hex(),
            suite=str(child.suite),
            pfs=None if child.ke is None else str(child.ke),
            replaces=None if child.replaces is None else child.replaces.hex(),
            weak=list(child.objections),
        )
        if tunnel.is_up:
            self._become(child.peer, State.CONNECTED, now)

    def _fail(self, name: str, cause: Cause, detail: str, now: float) -> None:
        """Something did not work; perhaps the connection lives on."""
        if cause in _ORDINARY:
            self._fall(name, None, "", now)
            return
        self._tell("vpn-failure", connection=name, cause=cause.value, detail=detail)
        self.standings[name].blame(cause, detail)
        self._fall(name, None, "", now)

    def _fall(self, name: str, cause: Cause | None, detail: str, now: float) -> None:
        """A connection without a child, and with nothing under way, is not connected; it is tried again."""
        standing = self.standings[name]
        if self.tunnels[name].is_up:
            return
        if cause is not None and cause not in _ORDINARY and cause is not Cause.IKE_SA_GONE:
            standing.blame(cause, detail)
        if self._is_busy(name):
            self._become(name, State.CONNECTING, now)
            return
        self._become(name, State.NOT_CONNECTED, now)
        if standing.retry_at is None and self._may_begin(name):
            standing.pause(now)

    def _may_begin(self, name: str) -> bool:
        return self.peers[name].mode is not Mode.RESPONDER and not self.standings[name].is_down

    def _begin(self, name: str, now: float) -> None:
        self._become(name, State.CONNECTING, now)
        self.ike.initiate(name, now)

    def _is_busy(self, name: str) -> bool:
        """Whether an IKE SA is being set up here, or a child on one that is up."""
        return any(
            sa.peer.name == name
            and ((sa.is_setting_up and sa.is_initiator) or (sa.is_current and sa.active is not None))
            for sa in self.ike.sas
        )

    def _become(self, name: str, state: State, now: float) -> None:
        standing = self.standings[name]
        if standing.become(state, now):
            self._tell("vpn-state", connection=name, state=str(state), why=standing.why)

    def _steer(self) -> None:
        """Let tunnels that are up stand in for those that are not, prefix by prefix; if none is, all take packets.

        Then they are discarded and counted, which is better than that a wider route carries them in clear.
        """
        taken = {prefix for tunnel in self.tunnels.values() if tunnel.is_up for prefix in tunnel.end.peer_prefixes}
        for tunnel in self.tunnels.values():
            own = set(tunnel.end.peer_prefixes)
            tunnel.carry(tunnel.is_up or not own or not own <= taken)

    def _close_doors(self) -> None:
        """Note between which addresses nobody may begin."""
        down = [name for name, standing in self.standings.items() if standing.is_down]
        self._closed = {(self.peers[name].remote or "", self.peers[name].local) for name in down}

    def _index(self) -> None:
        self.by_spi.clear()
        self.by_spi.update({spi: tunnel for tunnel in self.tunnels.values() for spi in tunnel.spis})


def _begins_anew(octets: bytes, destination: Endpoint) -> bool:
    """Whether an IKE message is the first of an exchange that makes an IKE SA."""
    start = len(NON_ESP_MARKER) if destination.port == NATT_PORT else 0
    return octets[start + _EXCHANGE_OCTET : start + _EXCHANGE_OCTET + 1] == bytes((ExchangeType.IKE_SA_INIT,))
