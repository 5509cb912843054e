"""A LAN under a virtual clock: members with a real KaY and a real SecY each, and a hub that can lose and disorder."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from dataplane.crypto.secret import Secret
from dataplane.macsec import counters as secy_verdict
from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import GCM_AES_128, CipherSuite
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.events import (
    CreateTransmitSa,
    EnableTransmitSa,
    KayEvent,
    KeyServerElected,
    MemberJoined,
    MemberLeft,
    SetControlledPort,
)
from dataplane.mka.kay import KaY
from dataplane.mka.keys import Cak
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.orders import carry_out, next_pns
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.peerlists import LivePeerList
from dataplane.mka.paramsets.sakuse import KeyIdentifier
from dataplane.mka.verdict import Outcome

LATENCY = 0.001
CKN = bytes.fromhex("c0ffee")
NEWS = (MemberJoined, MemberLeft, KeyServerElected)


def cak(ckn: bytes = CKN, *, octets: int = 16, seed: int = 1) -> Cak:
    return Cak(cak=Secret(bytes((seed + i) % 256 for i in range(octets))), ckn=ckn)


class Settings(TypedDict, total=False):
    """How a member differs from the others."""

    suite: CipherSuite
    priority: int
    delay_protect: bool
    sci_encoding: SciEncoding
    version: int
    policy: SakPolicy


class Member:
    """A KaY beside a SecY, and what a driver does for them."""

    def __init__(
        self,
        lan: Lan,
        number: int,
        *,
        suite: CipherSuite = GCM_AES_128,
        priority: int = 16,
        delay_protect: bool = False,
        sci_encoding: SciEncoding = SciEncoding.EXPLICIT,
        version: int = 3,
        policy: SakPolicy | None = None,
    ) -> None:
        self.lan = lan
        self.number = number
        self.sci = bytes.fromhex(f"0200000000{number:02x}0001")
        entropy = random.Random(lan.seed * 1000 + number)
        self.kay = KaY(
            KayConfiguration(
                sci=self.sci,
                policy=policy or SakPolicy(suite=suite),
                key_server_priority=priority,
                delay_protect=delay_protect,
                version=version,
            ),
            random=entropy.randbytes,
        )
        self.secy = SecY(
            self.sci,
            cipher_suite=suite,
            generation=Generation(sci_encoding=sci_encoding),
            verification=Verification(replay_window=64),
        )
        self.open = False
        self.events: list[KayEvent] = []
        self.sent_mkpdus: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.delivered: list[bytes] = []
        self.discarded: list[secy_verdict.DiscardReason] = []
        self.alive = True

    def work(self) -> None:
        """What a driver does after each verb: events first, then what is to be sent."""
        while (event := self.kay.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, SetControlledPort):
                self.open = event.enabled
            elif not isinstance(event, NEWS):
                if isinstance(event, EnableTransmitSa):
                    self.lan.check_receivers(self, event.an)
                carry_out(event, self.secy)
        for frame in self.kay.to_send(self.lan.now):
            self.sent_mkpdus.append(frame)
            self.lan.transmit(self, frame)

    def receive(self, frame: bytes) -> None:
        if frame[12:14] == b"\x88\x8e":
            self.outcomes.append(self.kay.receive(frame, self.lan.now))
            self.work()
            return
        outcome = self.secy.validate_frame(frame)
        if isinstance(outcome, secy_verdict.Accepted):
            self.delivered.append(outcome.octets)
        else:
            self.discarded.append(outcome.reason)

    def tick(self) -> None:
        self.kay.handle_timer(self.lan.now, next_pns(self.secy))
        self.work()

    def join(self, key: Cak) -> None:
        self.kay.add_participant(key, self.lan.now)
        self.work()

    def leave(self, ckn: bytes) -> None:
        self.kay.remove_participant(ckn, self.lan.now)
        self.work()

    def send(self, payload: bytes) -> bool:
        """A data frame to everybody through the Controlled Port; False where it is closed."""
        if not self.open:
            return False
        outcome = self.secy.protect_frame(b"\xff" * 6 + self.sci[:6] + b"\x08\x00" + payload)
        assert isinstance(outcome, secy_verdict.Accepted), outcome
        self.lan.transmit(self, outcome.octets)
        return True


@dataclass
class Faults:
    """Per copy of an MKPDU: the chance that it is lost, comes twice, comes late by up to so much. Data is spared."""

    loss: float = 0.0
    duplication: float = 0.0
    lateness: float = 0.0
    cut: set[int] = field(default_factory=set)


class Lan:
    """Frames take LATENCY to everybody else. Time passes only in `run`."""

    def __init__(self, seed: int = 1, faults: Faults | None = None) -> None:
        self.seed = seed
        self.now = 100.0
        self.faults = faults or Faults()
        self.members: list[Member] = []
        self.unready: list[str] = []
        self.frames: list[bytes] = []
        self._owners: dict[bytes, Member] = {}
        self._audience: dict[KeyIdentifier, set[bytes]] = {}
        self._chance = random.Random(seed)
        self._order = itertools.count()
        self._wire: list[tuple[float, int, Member, bytes]] = []
        self.filter: Callable[[Member, Member, bytes], bytes | None] = lambda sender, receiver, frame: frame

    def member(self, number: int, **settings: Unpack[Settings]) -> Member:
        member = Member(self, number, **settings)
        self.members.append(member)
        return member

    def transmit(self, sender: Member, frame: bytes) -> None:
        self.frames.append(frame)
        if frame[12:14] == b"\x88\x8e":
            self.listen(sender, frame)
        for receiver in self.members:
            if receiver is sender or {sender.number, receiver.number} & self.faults.cut:
                continue
            passed = self.filter(sender, receiver, frame)
            if passed is not None:
                for delay in self._delays(frame):
                    heapq.heappush(self._wire, (self.now + delay, next(self._order), receiver, passed))

    def _delays(self, frame: bytes) -> list[float]:
        if frame[12:14] != b"\x88\x8e":
            return [LATENCY]
        copies = 1 + (self._chance.random() < self.faults.duplication)
        kept = [self._chance.random() >= self.faults.loss for _ in range(copies)]
        return [LATENCY + self._chance.random() * self.faults.lateness for keep in kept if keep]

    def run(self, seconds: float, each: Callable[[], None] | None = None, every: float = 0.01) -> None:
        """Let time pass; call `each` every so often."""
        end = self.now + seconds
        next_call = self.now
        while True:
            candidates = [end]
            if self._wire:
                candidates.append(self._wire[0][0])
            if each is not None:
                candidates.append(next_call)
            timeouts = [(member.kay.next_timeout(), member) for member in self.members if member.alive]
            candidates += [when for when, _ in timeouts if when is not None]
            self.now = max(self.now, min(candidates))
            if self.now >= end:
                self.now = end
                return
            for when, member in timeouts:
                if when is not None and when <= self.now:
                    member.tick()
            while self._wire and self._wire[0][0] <= self.now:
                _, _, receiver, frame = heapq.heappop(self._wire)
                if receiver.alive:
                    receiver.receive(frame)
            if each is not None and next_call <= self.now:
                each()
                next_call += every

    def listen(self, sender: Member, frame: bytes) -> None:
        """Remember whose MI is whose, and whom each distributed SAK is for."""
        mkpdu = Mkpdu.parse(frame[18:])
        self._owners[mkpdu.basic.mi] = sender
        distributed, live = mkpdu.find(DistributedSak), mkpdu.find(LivePeerList)
        if distributed is not None and live is not None:
            name = KeyIdentifier(mkpdu.basic.mi, distributed.kn)
            self._audience.setdefault(name, {mkpdu.basic.mi, *(peer.mi for peer in live.peers)})

    def check_receivers(self, sender: Member, an: int) -> None:
        """Before an SA transmits, every other member that its SAK is for receives with it."""
        created = [event for event in sender.events if isinstance(event, CreateTransmitSa) and event.an == an]
        identifier, key = created[-1].identifier, created[-1].sak.key
        for receiver in {self._owners[mi].number: self._owners[mi] for mi in self._audience[identifier]}.values():
            if receiver.sci != sender.sci and receiver in self.members and receiver.alive:
                channel = receiver.secy.receive_channel(sender.sci)
                sa = None if channel is None else channel.receiving_sa(an)
                if sa is None or sa.sak.key != key:
                    self.unready.append(f"{sender.number} -> {receiver.number}: AN {an} at {self.now:.3f}")

    def secured(self) -> bool:
        """Whether every member transmits with one SAK, and nobody with another."""
        keys = [member.secy.transmit.encoding_sa for member in self.members if member.alive]
        if not keys or any(key is None or not key.in_use for key in keys):
            return False
        return all(member.open for member in self.members if member.alive) and all(
            key is not None and keys[0] is not None and key.sak.key == keys[0].sak.key for key in keys
        )


def pair(seed: int = 1, faults: Faults | None = None, **settings: Unpack[Settings]) -> Lan:
    """Two members that have the same CAK from the start. The first is the key server: the lower SCI."""
    lan = Lan(seed, faults)
    for number in (1, 2):
        lan.member(number, **settings)
    for member in lan.members:
        member.join(cak(octets=settings.get("suite", GCM_AES_128).key_octets))
    return lan
