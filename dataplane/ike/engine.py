"""All IKE SAs of one gateway: octets, clock readings and wishes go in; octets and events come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, final

from dataplane.errors import LocalError, WireError
from dataplane.ike import timers
from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause, Event, IkeSaId, PeerHint
from dataplane.ike.front_door import FrontDoor, Thresholds, Turned
from dataplane.ike.host import Datagram
from dataplane.ike.machine import IkeState
from dataplane.ike.message import MAJOR_VERSION, Message
from dataplane.ike.moves import follow
from dataplane.ike.nat import Endpoint
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.policy import Mode, Peer
from dataplane.ike.registry import Registry
from dataplane.ike.rules import ExchangeType
from dataplane.ike.sa import IkeSa
from dataplane.ike.tasks.create_child import CreateChild
from dataplane.ike.tasks.ike_sa_init import IkeSaInit
from dataplane.ike.tasks.informational import DeleteChild, DeleteIke, Liveness
from dataplane.ike.tasks.rekey_child import RekeyChild
from dataplane.ike.tasks.rekey_ike import RekeyIke
from dataplane.ike.uniqueness import settle
from dataplane.wire.ike_header import NO_SPI, IkeHeader
from dataplane.wire.udp import IKE_PORT, NATT_PORT, NON_ESP_MARKER

_HINT_PAUSE_SECONDS: Final = 10.0
_COMPLAINT_PAUSE_SECONDS: Final = 1.0


@final
class IkeEngine:
    """IKEv2 for one gateway and its peers, in both roles.

    `random(n)` gives n octets that nobody can foresee. All `now` are seconds on one clock that never goes back.
    `discarded` counts messages that meant nothing, by reason. After any call, take what `to_send` and `next_event`
    have, and ask `next_timeout` anew.
    """

    def __init__(
        self, peers: Iterable[Peer], random: Callable[[int], bytes], *, thresholds: Thresholds | None = None
    ) -> None:
        self._registry = Registry(peers, random)
        self._door = FrontDoor(self._registry, thresholds or Thresholds())
        self._outbox: list[Datagram] = []
        self._hinted: dict[str, float] = {}
        self._complained_at = -_COMPLAINT_PAUSE_SECONDS
        self.discarded: Counter[str] = Counter()

    @property
    def sas(self) -> tuple[IkeSa, ...]:
        """The IKE SAs, to look at: half open, up, being closed."""
        return tuple(sa for sa in self._registry if sa.state is not IkeState.DELETED)

    # ---- octets and time ----

    def receive(self, octets: bytes, source: Endpoint, destination: Endpoint, now: float) -> None:
        """Take a UDP payload that came to port 500, or to 4500 with the marker of four zeros before it."""
        octets = bytes(octets)
        if destination.port == NATT_PORT:  # RFC 3948 2.2
            if not octets.startswith(NON_ESP_MARKER):
                self.discarded["no marker on port 4500"] += 1
                return
            octets = octets[len(NON_ESP_MARKER) :]
        try:
            header = IkeHeader.parse(octets)
        except WireError:
            self.discarded["no IKE header"] += 1
            return
        if header.major_version != MAJOR_VERSION:
            self.discarded["another version of IKE"] += 1
            if header.major_version > MAJOR_VERSION and not header.is_response:  # RFC 7296 2.5
                self._complain(header, NotifyType.INVALID_MAJOR_VERSION, destination, source, now)
        elif header.exchange_type == ExchangeType.IKE_SA_INIT and not header.is_response:
            self._receive_first(header, octets, source, destination, now)
        else:
            self._receive_known(header, octets, source, destination, now)
        self._finish(now)

    def to_send(self, now: float) -> tuple[Datagram, ...]:
        """The UDP payloads to send, in order; each is given once."""
        datagrams = (*self._outbox, *self._registry.sweep(now))
        self._outbox = []
        return datagrams

    def next_timeout(self) -> float | None:
        """When to call `handle_timer` if nothing else happens before; None: no need."""
        times = (timers.next_timeout(sa) for sa in self._registry)
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Retransmit, rekey, delete, ask for signs of life: whatever is due."""
        for sa in self._registry:
            if sa.state is not IkeState.DELETED:
                timers.handle(sa, now)
        self._finish(now)

    def next_event(self) -> Event | None:
        """What happened, oldest first; None when that is all."""
        return self._registry.events.popleft() if self._registry.events else None

    # ---- wishes ----

    def initiate(self, peer: str, now: float, *, child: str | None = None) -> None:
        """See to it that there is an IKE SA with a peer and, on it, its children, or the one that is named.

        Raises:
            LocalError: no such peer or child, or a peer that is not called but calls.
        """
        policy = self._peer(peer)
        wanted = policy.children if child is None else (policy.child(child),)
        current = self._registry.established(policy)
        if current:
            for each in wanted:
                current[0].enqueue(CreateChild(each))
            current[0].run(now)
        elif not any(sa.is_setting_up and sa.is_initiator and sa.peer is policy for sa in self._registry):
            self._call(policy, now)

    def rekey_child(self, spi_in: bytes, now: float) -> None:
        """Replace a child now: its soft limit has passed, or somebody wants it. No harm if that is under way.

        Raises:
            LocalError: no child has this inbound SPI.
        """
        sa, child = self._child(spi_in)
        sa.enqueue(RekeyChild(child))
        sa.run(now)

    def rekey_ike(self, ike: IkeSaId, now: float) -> None:
        """Replace an IKE SA now; its children go over to the new one.

        Raises:
            LocalError: no such IKE SA.
        """
        sa = self._registry.ike(ike)
        sa.enqueue(RekeyIke())
        sa.run(now)

    def delete_child(self, spi_in: bytes, now: float, cause: Cause = Cause.CLOSED_HERE) -> None:
        """Close a child: somebody wants it, or its hard limit has passed.

        Raises:
            LocalError: no child has this inbound SPI.
        """
        sa, child = self._child(spi_in)
        sa.enqueue(DeleteChild(child, cause), first=True)
        sa.run(now)

    def delete(self, peer: str, now: float) -> None:
        """Close all IKE SAs with a peer, and their children with them.

        Raises:
            LocalError: no such peer.
        """
        policy = self._peer(peer)
        for sa in self._registry:
            if sa.peer is not policy or sa.state is IkeState.DELETED:
                continue
            if sa.is_setting_up and sa.state is not IkeState.AUTHENTICATING:
                sa.end(Cause.CLOSED_HERE, "", now)
            else:
                sa.enqueue(DeleteIke(Cause.CLOSED_HERE), first=True)
                sa.run(now)

    def check_liveness(self, ike: IkeSaId, now: float) -> None:
        """Ask the peer of an IKE SA for a sign of life now.

        Raises:
            LocalError: no such IKE SA.
        """
        sa = self._registry.ike(ike)
        sa.enqueue(Liveness())
        sa.run(now)

    def traffic_seen(self, spi_in: bytes, now: float, way: tuple[Endpoint, Endpoint] | None = None) -> None:
        """Authentic ESP came in on a child since the last call: the peer lives, and uses this child.

        `way`, of ESP in UDP: from where and to where the packet came that was ahead of all others.
        """
        found = self._registry.child(spi_in)
        if found is None:
            return  # it was removed while the news was on its way through the driver
        sa, child = found
        sa.heard_at = max(sa.heard_at, now)  # RFC 7296 2.4
        if way is not None:
            follow(sa, *way)
        if any(old.successor is child for old in sa.children):
            sa.children.switch(child)  # RFC 7296 2.8: the peer has its half of the new one

    # ---- within ----

    def _finish(self, now: float) -> None:
        """What follows from whatever happened."""
        settle(self._registry, now)
        self._outbox += self._registry.sweep(now)

    def _peer(self, name: str) -> Peer:
        peer = self._registry.peer_of.get(name)
        if peer is None:
            raise LocalError(f"there is no peer {name}; there are {', '.join(self._registry.peer_of)}")
        return peer

    def _child(self, spi_in: bytes) -> tuple[IkeSa, ChildSa]:
        found = self._registry.child(spi_in)
        if found is None:
            raise LocalError(f"there is no child with inbound SPI {spi_in.hex()}")
        return found

    def _call(self, peer: Peer, now: float) -> None:
        if peer.remote is None or peer.mode is Mode.RESPONDER:
            raise LocalError(f"peer {peer.name} is not called; it calls")
        sa = IkeSa(
            self._registry,
            peer,
            is_initiator=True,
            spi_i=self._registry.new_ike_spi(),
            spi_r=NO_SPI,
            local=Endpoint(peer.local, IKE_PORT),
            remote=Endpoint(peer.remote, IKE_PORT),
            now=now,
        )
        self._registry.adopt(sa)
        sa.enqueue(IkeSaInit())
        sa.run(now)

    def _receive_first(
        self, header: IkeHeader, octets: bytes, source: Endpoint, destination: Endpoint, now: float
    ) -> None:
        if header.spi_r != NO_SPI or not header.is_initiator or header.message_id != 0:
            self.discarded["IKE_SA_INIT request out of turn"] += 1
            return
        known = self._registry.begun_by(source, header.spi_i, octets)
        if known is not None and known.handshake is not None:  # RFC 7296 2.1: the very same answer
            self._answer(known.handshake.response, destination, source)
            return
        half_open = sum(sa.state is IkeState.HALF_OPEN for sa in self._registry)
        met = self._door.knock(octets, source, destination, half_open, now)
        if isinstance(met, Turned):
            self._turn_away(met, source, destination, now)
            return
        self._registry.adopt(met)
        self._registry.remember_request(source, met)
        assert met.handshake is not None, "whoever is let in was answered"
        self._answer(met.handshake.response, destination, source)

    def _turn_away(self, met: Turned, source: Endpoint, destination: Endpoint, now: float) -> None:
        self.discarded[met.reason] += 1
        if met.answer:
            self._answer(met.answer, destination, source)
        if met.peer and self._hinted.get(met.peer, -_HINT_PAUSE_SECONDS) + _HINT_PAUSE_SECONDS <= now:
            self._hinted[met.peer] = now  # anybody can make us turn them away: do not fill the driver's ears
            self._registry.emit(PeerHint(peer=met.peer, cause=met.cause, detail=met.detail))

    def _receive_known(
        self, header: IkeHeader, octets: bytes, source: Endpoint, destination: Endpoint, now: float
    ) -> None:
        ours, theirs = (header.spi_r, header.spi_i) if header.is_initiator else (header.spi_i, header.spi_r)
        sa = self._registry.by_spi(ours)
        expected = None if sa is None else sa.channel.spi_r if sa.is_initiator else sa.channel.spi_i
        if sa is None or header.is_initiator == sa.is_initiator or expected not in (theirs, NO_SPI):
            self.discarded["unknown IKE SPI"] += 1
            if sa is None and not header.is_response:  # RFC 7296 2.21.4
                self._complain(header, NotifyType.INVALID_IKE_SPI, destination, source, now)
            return
        reason = sa.receive(header, octets, source, destination, now)
        if reason:
            self.discarded[reason] += 1

    def _complain(
        self, header: IkeHeader, notify_type: NotifyType, source: Endpoint, destination: Endpoint, now: float
    ) -> None:
        """An answer without protection, seldom enough to be of no use to anybody but its receiver."""
        if now - self._complained_at < _COMPLAINT_PAUSE_SECONDS:
            return
        self._complained_at = now
        message = Message(
            spi_i=header.spi_i,
            spi_r=header.spi_r,
            exchange_type=header.exchange_type,
            message_id=header.message_id,
            is_initiator=not header.is_initiator,
            is_response=True,
            payloads=(Notify(notify_type=notify_type),),
        )
        self._answer(message.emit(), source, destination)

    def _answer(self, octets: bytes, source: Endpoint, destination: Endpoint) -> None:
        marker = NON_ESP_MARKER if source.port == NATT_PORT else b""
        self._outbox.append(Datagram(marker + octets, source, destination))
