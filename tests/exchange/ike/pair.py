"""Two IKE engines and a wire between them that the test holds in its hands, on a clock that the test turns.

A test reads like the standard's figures: `flow("--> CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KE, TSi, TSr }")` delivers
the oldest datagram from the left engine to the right one, and fails unless it is that message.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from dataplane.crypto.secret import Secret
from dataplane.ike.child import ChildSa
from dataplane.ike.engine import IkeEngine
from dataplane.ike.events import (
    ChildSaDeleted,
    ChildSaEstablished,
    ChildSaFailed,
    ChildSaSwitched,
    Event,
    IkeKeysDerived,
    IkeSaDeleted,
    IkeSaFailed,
    IkeSaId,
)
from dataplane.ike.front_door import Thresholds
from dataplane.ike.host import Datagram
from dataplane.ike.machine import ChildState, IkeState
from dataplane.ike.message import Message, links_of
from dataplane.ike.nat import Endpoint
from dataplane.ike.payloads.chain import split
from dataplane.ike.payloads.encrypted import EncryptedFragment
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.payloads.kinds import Payload, PayloadType
from dataplane.ike.payloads.notify import Notify
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.policy import ChildPolicy, IkePolicy, Lifetime, Peer
from dataplane.ike.protection import make_cipher, open_sealed
from dataplane.ike.rules import ExchangeType
from dataplane.ike.sa import IkeSa
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.transforms import NO_ESN, Transform, encr, integ, ke, prf
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.udp import NATT_PORT

NONCE_OCTETS = 32
_E = TypeVar("_E")

LEFT, RIGHT = "203.0.113.1", "10.0.1.4"


def ike_proposal(*groups: int, cipher: Transform | None = None) -> Proposal:
    """AES-GCM with SHA-256, or a cipher with SHA-256 as its integrity check too, and these groups."""
    encryption = cipher or encr("ENCR_AES_GCM_16", 256)
    check = () if "GCM" in str(encryption) or "CHACHA" in str(encryption) else (integ("AUTH_HMAC_SHA2_256_128"),)
    transforms = (encryption, *check, prf("PRF_HMAC_SHA2_256"), *map(ke, groups or (19,)))
    return Proposal(protocol=SecurityProtocol.IKE, transforms=transforms)


def esp_proposal(*groups: int, cipher: Transform | None = None) -> Proposal:
    """The same for ESP; no groups, no PFS."""
    encryption = cipher or encr("ENCR_AES_GCM_16", 256)
    check = () if "GCM" in str(encryption) or "CHACHA" in str(encryption) else (integ("AUTH_HMAC_SHA2_256_128"),)
    return Proposal(protocol=SecurityProtocol.ESP, transforms=(encryption, *check, *map(ke, groups), NO_ESN))


def child_policy(
    *groups: int, name: str = "net", local: str = "192.168.0.0/16", remote: str = "10.0.0.0/16"
) -> ChildPolicy:
    """A child between two prefixes."""
    return ChildPolicy(
        name=name,
        proposals=(esp_proposal(*groups),),
        local=(TrafficSelector.of(local),),
        remote=(TrafficSelector.of(remote),),
        lifetime=Lifetime(seconds=3600),
    )


LEFT_PEER = Peer(
    name="right",
    local=LEFT,
    remote=RIGHT,
    local_id=Identity.address(LEFT),
    remote_id=Identity.address(RIGHT),
    psk=Secret(b"a shared key for tests"),
    ike=IkePolicy(proposals=(ike_proposal(),)),
    children=(child_policy(19),),
)


def mirrored(peer: Peer) -> Peer:
    """The other side's policy for the same tunnel."""
    children = tuple(replace(child, local=child.remote, remote=child.local) for child in peer.children)
    return replace(
        peer,
        name="left" if peer.name == "right" else "right",
        local=peer.remote or RIGHT,
        remote=peer.local,
        local_id=peer.remote_id or Identity.address(RIGHT),
        remote_id=peer.local_id,
        children=children,
    )


class Dice:
    """Entropy that repeats itself. `next_nonces` are first octets for the nonces to come."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)
        self.next_nonces: deque[int] = deque()

    def __call__(self, count: int) -> bytes:
        octets = self._random.randbytes(count)
        if count == NONCE_OCTETS and self.next_nonces:
            return bytes((self.next_nonces.popleft(),)) + octets[1:]
        return octets


class Node:
    """One engine, its clock, and what it told."""

    def __init__(self, name: str, peer: Peer, seed: int | str, thresholds: Thresholds | None = None) -> None:
        self.name = name
        self.peer = peer
        self.dice = Dice(f"{seed} {name}")
        self.engine = IkeEngine((peer,), self.dice, thresholds=thresholds)
        self.events: list[Event] = []
        self.outbox: deque[Datagram] = deque()
        self.now = 0.0

    def settle(self) -> None:
        """Take what the engine has to say and to send."""
        self.outbox.extend(self.engine.to_send(self.now))
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)

    def receive(self, datagram: Datagram) -> None:
        self.engine.receive(datagram.octets, datagram.source, datagram.destination, self.now)
        self.settle()

    # ---- wishes ----

    def initiate(self, child: str | None = None) -> None:
        self.engine.initiate(self.peer.name, self.now, child=child)
        self.settle()

    def rekey_child(self, child: ChildSa | None = None) -> None:
        self.engine.rekey_child((child or self.child).spi_in, self.now)
        self.settle()

    def delete_child(self, child: ChildSa | None = None) -> None:
        self.engine.delete_child((child or self.child).spi_in, self.now)
        self.settle()

    def rekey_ike(self) -> None:
        self.engine.rekey_ike(self.ike.id, self.now)
        self.settle()

    def delete(self) -> None:
        self.engine.delete(self.peer.name, self.now)
        self.settle()

    def dpd(self) -> None:
        self.engine.check_liveness(self.ike.id, self.now)
        self.settle()

    def lose_child(self) -> None:
        """Forget the child without a word: a broken peer."""
        self.ike.children._all.clear()

    # ---- what there is ----

    @property
    def sas(self) -> tuple[IkeSa, ...]:
        return self.engine.sas

    @property
    def ike(self) -> IkeSa:
        """The one IKE SA that is in use."""
        current = [sa for sa in self.sas if sa.is_current]
        assert len(current) == 1, f"{len(current)} IKE SAs"
        return current[0]

    @property
    def children(self) -> list[ChildSa]:
        return [child for sa in self.sas for child in sa.children]

    @property
    def child(self) -> ChildSa:
        """The one child that nothing replaces."""
        current = [child for child in self.children if child.is_current]
        assert len(current) == 1, f"{len(current)} children"
        return current[0]

    def states(self) -> dict[bytes, ChildState]:
        return {child.spi_in: child.state for child in self.children}

    def ike_states(self) -> list[IkeState]:
        return [sa.state for sa in self.sas]

    def told(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[_E]) -> _E:
        return self.told(kind)[-1]

    def sending_spi(self) -> bytes | None:
        """The outbound SPI that a driver, who heard the events, would now send on."""
        current: bytes | None = None
        living: list[bytes] = []
        for event in self.events:
            if isinstance(event, ChildSaEstablished):
                living.append(event.spi_out)
                current = event.spi_out if event.sends else current
            elif isinstance(event, ChildSaSwitched):
                current = event.spi_out
            elif isinstance(event, ChildSaDeleted):
                living.remove(event.spi_out)
                if current == event.spi_out:
                    current = None
        assert current is None or current in living
        return current

    def living_spis(self) -> set[bytes]:
        """The inbound SPIs that a driver, who heard the events, would now have."""
        living: set[bytes] = set()
        for event in self.events:
            if isinstance(event, ChildSaEstablished):
                living.add(event.spi_in)
            elif isinstance(event, ChildSaDeleted):
                living.discard(event.spi_in)
        return living

    def failures(self) -> list[str]:
        kinds = (ChildSaFailed, IkeSaFailed, IkeSaDeleted)
        return [f"{type(event).__name__}: {event.cause.value}" for event in self.events if isinstance(event, kinds)]


class Pair:
    """A left and a right node; `a` is the left one."""

    def __init__(
        self,
        left: Peer = LEFT_PEER,
        right: Peer | None = None,
        *,
        seed: int | str = 1,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.a = Node("a", left, seed, thresholds)
        self.b = Node("b", mirrored(left) if right is None else right, seed, thresholds)
        self.now = 0.0

    @classmethod
    def established(
        cls, left: Peer = LEFT_PEER, right: Peer | None = None, *, swap: bool = False, seed: int | str = 1
    ) -> Pair:
        """A pair with an IKE SA and a child; with `swap` the right one began."""
        pair = cls(left, right, seed=seed)
        (pair.b if swap else pair.a).initiate()
        pair.run()
        assert len(pair.a.living_spis()) == len(pair.b.living_spis()) > 0, pair.a.failures() + pair.b.failures()
        assert not pair.a.outbox
        assert not pair.b.outbox
        return pair

    # ---- the wire ----

    def flow(self, arrow: str, held: Datagram | None = None) -> Message:
        """Deliver the oldest datagram that way, or one that was held back; it must be the message that is written."""
        direction, _, wanted = arrow.partition(" ")
        sender, receiver = self._ends(direction)
        datagram = held or self._next(sender)
        message = self.open(datagram)
        assert wanted.endswith("...") or summary(message) == wanted
        assert summary(message).startswith(wanted.removesuffix("...").rstrip(" {"))
        receiver.receive(datagram)
        return message

    def hold(self, arrow: str) -> Datagram:
        """Take the oldest datagram that way off the wire; deliver it later with `flow`, or never."""
        direction, _, wanted = arrow.partition(" ")
        datagram = self._next(self._ends(direction)[0])
        text = summary(self.open(datagram))
        assert text == wanted or (wanted.endswith("...") and text.startswith(wanted.removesuffix("...").rstrip(" {")))
        return datagram

    drop = hold

    def run(self, most: int = 200) -> None:
        """Deliver everything until both are silent."""
        for _ in range(most):
            if self.a.outbox:
                self.b.receive(self.a.outbox.popleft())
            elif self.b.outbox:
                self.a.receive(self.b.outbox.popleft())
            else:
                return
        raise AssertionError("they never stop talking")

    def silent(self) -> bool:
        return not self.a.outbox and not self.b.outbox

    def wait(self, seconds: float, *, deliver: bool = False) -> None:
        """Turn the clock, firing timers on their way; with `deliver`, the wire works meanwhile."""
        end = self.now + seconds
        while True:
            due = [t for t in (self.a.engine.next_timeout(), self.b.engine.next_timeout()) if t is not None]
            step = min([end, *due])
            self.now = max(self.now, step)
            for node in (self.a, self.b):
                node.now = self.now
                timeout = node.engine.next_timeout()
                if timeout is not None and timeout <= self.now:
                    node.engine.handle_timer(self.now)
                    node.settle()
            if deliver:
                self.run()
            if step >= end:
                return

    def _ends(self, direction: str) -> tuple[Node, Node]:
        assert direction in ("-->", "<--"), direction
        return (self.a, self.b) if direction == "-->" else (self.b, self.a)

    def _next(self, sender: Node) -> Datagram:
        assert sender.outbox, f"{sender.name} has nothing to say"
        return sender.outbox.popleft()

    # ---- opening messages with the keys that were told ----

    def keys(self) -> dict[IkeSaId, IkeKeysDerived]:
        told: dict[IkeSaId, IkeKeysDerived] = {}
        for node in (self.a, self.b):
            for event in node.told(IkeKeysDerived):
                known = told.setdefault(event.ike, event)
                assert known.keys == event.keys, "both sides derive the same"
        return told

    def open(self, datagram: Datagram) -> Message:
        octets = datagram.octets[4:] if datagram.source.port == NATT_PORT else datagram.octets
        header = IkeHeader.parse(octets)
        links = links_of(header, octets)
        if not links or links[-1].payload_type not in (PayloadType.SK, PayloadType.SKF):
            return Message.parse(octets)
        told = self.keys()[IkeSaId(header.spi_i, header.spi_r)]
        key, check = (told.keys.ei, told.keys.ai) if header.is_initiator else (told.keys.er, told.keys.ar)
        cipher = make_cipher(told.suite, key, check, bytes)
        part = EncryptedFragment.of(links[-1])
        assert part.total == 1, "a fragment"
        chain = open_sealed(cipher, octets, part.sealed)
        return Message.of(header, parse_payloads(split(part.first_inner, chain)))


_NAMES = {PayloadType.IDI: "IDi", PayloadType.IDR: "IDr", PayloadType.TSI: "TSi", PayloadType.TSR: "TSr"}


def summary(message: Message) -> str:
    """The message as the standard writes it."""
    if not message.payloads:
        return f"{ExchangeType(message.exchange_type).name} {{ }}"
    return f"{ExchangeType(message.exchange_type).name} {{ {', '.join(_names(message))} }}"


def _names(message: Message) -> Iterator[str]:
    for payload in message.payloads:
        yield _name(payload, message)


def _name(payload: Payload, message: Message) -> str:
    if isinstance(payload, Notify):
        return f"N({payload.name})"
    kind = PayloadType(payload.payload_type)
    if kind is PayloadType.NONCE:
        return "Nr" if message.is_response else "Ni"
    if kind is PayloadType.DELETE:
        return "D"
    return _NAMES.get(kind, kind.name)


def shorten(text: str) -> str:
    """A summary without its abilities and NAT detection, for IKE_SA_INIT."""
    return re.sub(r", N\((NAT_DETECTION|IKEV2_FRAG|CHILDLESS)[A-Z0-9_]*\)", "", text)


def endpoint(node: Node, port: int = 500) -> Endpoint:
    return Endpoint(node.peer.local, port)
