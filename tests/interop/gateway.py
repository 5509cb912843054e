"""A gateway for tests: both engines, UDP 500 and 4500 and raw ESP outside, a TUN device inside, and one plain loop."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Protocol, TypeVar

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError, WireError
from dataplane.esp.engine import EspEngine
from dataplane.esp.events import Direction, SaHardExpired, SaSoftExpired
from dataplane.esp.lifetime import Lifetime
from dataplane.esp.outcomes import Accepted, Protected
from dataplane.esp.sa import InboundSa, OutboundSa, SaParameters
from dataplane.esp.spd import Action, SpdEntry
from dataplane.esp.tunnel import Tunnel
from dataplane.ike.child import ChildSa
from dataplane.ike.engine import IkeEngine
from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished, ChildSaSwitched, Event, PeerMoved
from dataplane.ike.front_door import Thresholds
from dataplane.ike.nat import Endpoint
from dataplane.ike.policy import Peer
from dataplane.ike.sa import IkeSa
from dataplane.ipsec.selectors import ANY_IPV4
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.udp import IKE_PORT, NATT_PORT, NattKind, natt_kind
from tests.interop.world import World

_E = TypeVar("_E")
_GLANCE = 0.02
_OVERLAP_SECONDS = 2.0
PATIENCE = 20.0


class Worker(Protocol):
    """Somebody whose turn comes in the loop, too."""

    def fileno(self) -> int:
        """Readable when there is something to do."""

    def work(self) -> None:
        """Do what is to do, without waiting."""


class Nonces:
    """The machine's entropy, but the first octets of nonces to come can be chosen."""

    def __init__(self) -> None:
        self.next: list[int] = []

    def __call__(self, count: int) -> bytes:
        octets = os.urandom(count)
        if count == 32 and self.next:
            return 4 * bytes((self.next.pop(0),)) + octets[4:]
        return octets


@dataclass
class Doors:
    """Sockets and the device of a gateway, which engines may use one after the other."""

    address: str
    ike: socket.socket
    natt: socket.socket
    esp: socket.socket
    tun: int

    @classmethod
    def open(cls, world: World, place: str, address: str, inside: str, others: Iterable[str]) -> Doors:
        """All there are in a place; `inside` is our address behind the TUN device `tun0`, the way to `others`."""
        doors = cls(
            address=address,
            ike=world.udp(place, address, IKE_PORT),
            natt=world.udp(place, address, NATT_PORT),
            esp=world.raw(place, address, 50),
            tun=world.tun(place, "tun0"),
        )
        world.shell(place, f"ip addr add {inside}/32 dev lo; ip link set tun0 mtu 1400 up")
        for network in others:
            world.shell(place, f"ip route add {network} dev tun0 src {inside}")
        return doors

    def drain(self) -> None:
        """Throw away what waits."""
        for each in (self.ike, self.natt, self.esp):
            with contextlib.suppress(BlockingIOError):
                while True:
                    each.recv(65536)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self.tun, 65536)

    def close(self) -> None:
        """Let go of all."""
        for each in (self.ike, self.natt, self.esp):
            each.close()
        os.close(self.tun)


@dataclass
class Gateway:
    """The engines of a gateway at work on its doors, whenever `serve` is called.

    `heard` and `said` count the IKE datagrams that came and went by their first payload. When it is `deaf`, none comes.
    What is `beside` works in the same loop.
    """

    doors: Doors
    peer: Peer
    thresholds: Thresholds | None = None
    events: list[Event] = field(default_factory=list)
    heard: Counter[int] = field(default_factory=Counter)
    said: Counter[int] = field(default_factory=Counter)
    deaf: bool = False
    beside: Sequence[Worker] = ()

    def __post_init__(self) -> None:
        self.nonces = Nonces()
        self.ike = IkeEngine((self.peer,), self.nonces, thresholds=self.thresholds)
        protect = SpdEntry(
            name="all", action=Action.PROTECT, local=(ANY_IPV4,), remote=(ANY_IPV4,), tunnel=self.peer.name
        )
        self.esp = EspEngine([protect], ipv4=IPv4Address(self.doors.address))
        self._ways: dict[str, tuple[Endpoint, bool]] = {}
        self._going: list[tuple[float, int]] = []
        self.doors.drain()

    # ---- wishes ----

    @property
    def now(self) -> float:
        """The clock of both engines."""
        return time.monotonic()

    @property
    def sa(self) -> IkeSa:
        """The IKE SA that is in use."""
        (current,) = [sa for sa in self.ike.sas if sa.is_current]
        return current

    @property
    def child(self) -> ChildSa:
        """The child that nothing replaces."""
        (current,) = [child for sa in self.ike.sas for child in sa.children if child.is_current]
        return current

    @property
    def is_settled(self) -> bool:
        """Whether one IKE SA is left with one child, and nothing is under way."""
        sas = self.ike.sas
        return len(sas) == 1 and len(sas[0].children) == 1 and sas[0].active is None and not sas[0].queue

    def initiate(self) -> None:
        """Call the peer."""
        self.ike.initiate(self.peer.name, self.now)

    def rekey_child(self) -> None:
        """Replace the child."""
        self.ike.rekey_child(self.child.spi_in, self.now)

    def rekey_ike(self) -> None:
        """Replace the IKE SA."""
        self.ike.rekey_ike(self.sa.id, self.now)

    def told(self, kind: type[_E]) -> list[_E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    # ---- the loop ----

    def serve(self, until: Callable[[], bool], timeout: float = PATIENCE) -> bool:
        """Work until something is so; False when it is not in time."""
        end = time.monotonic() + timeout
        poll = select.poll()
        for door in (self.doors.ike, self.doors.natt, self.doors.esp):
            poll.register(door, select.POLLIN)
        for worker in self.beside:
            poll.register(worker.fileno(), select.POLLIN)
        poll.register(self.doors.tun, select.POLLIN)
        while True:
            self._work()
            if until():
                return True
            if time.monotonic() > end:
                return False
            poll.poll(_GLANCE * 1000)

    def rest(self, seconds: float) -> None:
        """Work for so long."""
        self.serve(lambda: False, seconds)

    def _work(self) -> None:
        for worker in self.beside:
            worker.work()
        self._receive_ike()
        self._receive_natt()
        self._receive_esp()
        self._receive_clear()
        timeout = self.ike.next_timeout()
        if timeout is not None and timeout <= self.now:
            self.ike.handle_timer(self.now)
        if self.esp.next_timeout() <= self.now:
            self.esp.handle_timer(self.now)
        self.speak()

    def _receive_ike(self) -> None:
        for octets, source in _datagrams(self.doors.ike):
            self._hear(octets, octets, source, IKE_PORT)

    def _receive_natt(self) -> None:
        for octets, source in _datagrams(self.doors.natt):
            try:
                kind = natt_kind(octets)
            except WireError:
                continue
            if kind is NattKind.IKE:
                self._hear(octets, octets[4:], source, NATT_PORT)
            elif kind is NattKind.ESP:
                self._open(octets)

    def _hear(self, octets: bytes, message: bytes, source: Endpoint, port: int) -> None:
        if self.deaf:
            return
        self.heard[_first_payload(message)] += 1
        self.ike.receive(octets, source, Endpoint(self.doors.address, port), self.now)
        self.speak()

    def _receive_esp(self) -> None:
        for octets, _ in _datagrams(self.doors.esp):
            self._open(octets[4 * (octets[0] & 15) :])

    def _open(self, octets: bytes) -> None:
        received = self.esp.decapsulate_packet(octets, self.now)
        if isinstance(received, Accepted):
            os.write(self.doors.tun, received.octets)
            self.ike.traffic_seen(octets[:4], self.now)
        self.speak()

    def _receive_clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sent = self.esp.encapsulate_packet(os.read(self.doors.tun, 65536), self.now)
                if isinstance(sent, Protected):
                    self._send_esp(sent)
                self.speak()

    def _send_esp(self, sent: Protected) -> None:
        remote, encapsulated = self._ways[sent.flight.tunnel]
        if encapsulated:
            self.doors.natt.sendto(sent.octets, remote)
        else:
            self.doors.esp.sendto(sent.octets, (remote.address, 0))

    # ---- from engine to engine, and out ----

    def speak(self) -> None:
        """Send what the engines have to say, and do what they told."""
        now = self.now
        while (happened := self.esp.next_event()) is not None:
            if isinstance(happened, SaSoftExpired | SaHardExpired):
                self._expire(happened)
        for datagram in self.ike.to_send(now):
            door = self.doors.natt if datagram.source.port == NATT_PORT else self.doors.ike
            marker = 4 if datagram.source.port == NATT_PORT else 0
            self.said[_first_payload(datagram.octets[marker:])] += 1
            door.sendto(datagram.octets, datagram.destination)
        while (event := self.ike.next_event()) is not None:
            self.events.append(event)
            self._follow(event, now)
        while self._going and self._going[0][0] <= now:
            with contextlib.suppress(LocalError):  # it may have expired meanwhile
                self.esp.sad.remove_inbound(self._going.pop(0)[1])

    def _expire(self, event: SaSoftExpired | SaHardExpired) -> None:
        spi = event.spi.to_bytes(4, "big")
        outbound = event.direction is Direction.OUTBOUND
        for sa in self.ike.sas:
            for child in sa.children:
                if spi == (child.spi_out if outbound else child.spi_in):
                    if isinstance(event, SaSoftExpired):
                        self.ike.rekey_child(child.spi_in, self.now)
                    else:
                        self.ike.delete_child(child.spi_in, self.now, Cause.LIFETIME)

    def _follow(self, event: Event, now: float) -> None:
        match event:
            case ChildSaEstablished():
                self._install(event, now)
            case ChildSaSwitched():
                self.esp.sad.use_outbound(event.peer, int.from_bytes(event.spi_out, "big"))
            case ChildSaDeleted():
                with contextlib.suppress(LocalError):
                    self.esp.sad.remove_outbound(event.peer, int.from_bytes(event.spi_out, "big"))
                # What the peer sent on it before may still be on its way.
                overlap = _OVERLAP_SECONDS if event.cause in (Cause.REKEYED, Cause.REDUNDANT) else 0.0
                self._going.append((now + overlap, int.from_bytes(event.spi_in, "big")))
                self._going.sort()
            case PeerMoved():
                self._ways[event.peer] = (event.remote, True)

    def _install(self, event: ChildSaEstablished, now: float) -> None:
        self._ways[event.peer] = (event.remote, event.encapsulated)
        tunnel = Tunnel(event.peer, udp_encapsulation=event.encapsulated)
        lifetime = Lifetime(
            soft_octets=event.limits.soft_octets or float("inf"), hard_octets=event.limits.hard_octets or float("inf")
        )
        for spi, keys in ((event.spi_in, event.keys_in), (event.spi_out, event.keys_out)):
            parameters = SaParameters(
                spi=int.from_bytes(spi, "big"),
                tunnel=tunnel,
                suite=event.suite,
                keys=keys,
                local=event.local_selectors,
                remote=event.remote_selectors,
                lifetime=lifetime,
            )
            if spi == event.spi_in:
                self.esp.sad.add_inbound(InboundSa(parameters, now))
            else:
                self.esp.sad.add_outbound(OutboundSa(parameters, now, os.urandom), use=event.sends)


def _datagrams(door: socket.socket) -> Iterable[tuple[bytes, Endpoint]]:
    with contextlib.suppress(BlockingIOError):
        while True:
            octets, source = door.recvfrom(65536)
            yield octets, Endpoint(source[0], source[1])


def _first_payload(octets: bytes) -> int:
    try:
        return IkeHeader.parse(octets).next_payload
    except WireError:
        return 0


def psk(text: str) -> Secret:
    """A shared key."""
    return Secret(text.encode())
