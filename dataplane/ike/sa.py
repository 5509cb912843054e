"""An IKE SA: a queue of tasks, a window and a machine. What tasks do is theirs; who may do what is the machine's."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, final

from dataplane.ike.channel import Channel, Dropped, Fresh, Illegal, Repeated
from dataplane.ike.children import Children
from dataplane.ike.dispatch import answer_to, classify
from dataplane.ike.events import (
    Cause,
    IkeKeysDerived,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaFailed,
    IkeSaId,
    IkeSaRekeyed,
)
from dataplane.ike.handshake import Handshake
from dataplane.ike.host import Datagram, Host
from dataplane.ike.keymat import IkeKeys
from dataplane.ike.machine import IkeInput, IkeState, Verdict, ike_transition
from dataplane.ike.message import Message
from dataplane.ike.moves import follow
from dataplane.ike.nat import Endpoint, NatDetection
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.policy import Limits, Peer
from dataplane.ike.rules import ExchangeType
from dataplane.ike.suite import IkeSuite
from dataplane.ike.tasks.informational import DeleteIke
from dataplane.ike.tasks.task import Outcome, Task
from dataplane.ike.window import Window
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.udp import NATT_PORT, NON_ESP_MARKER

LINGER_SECONDS: Final = 30.0

_HANDSHAKE: Final = (IkeState.NEW, IkeState.CONNECTING, IkeState.HALF_OPEN, IkeState.AUTHENTICATING)
_HANDSHAKE_EXCHANGES: Final = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH)


@dataclass(frozen=True, slots=True)
class Queued:
    """A task that waits for its turn, and for its time."""

    task: Task
    at: float


@final
class IkeSa:
    """One IKE SA of a gateway.

    Tasks read and write its attributes; all times are on the engine's clock. `is_initiator` is this side's part in this
    very SA. `lowest_nonce` decides against another SA made at the same time; `rank` and `is_ours` are that and the part
    in the first SA of the line that this one continues. `successor` has taken, or will take, its
    place; `predecessor` is the SA whose place it takes. `early_deletes` are outbound SPIs of children that the peer
    deleted before we heard that they were made. `abandon_at` is when to close it if the peer, whose task that is, has
    not; `give_up_at` is when a set-up has taken too long.
    """

    def __init__(
        self,
        host: Host,
        peer: Peer,
        *,
        is_initiator: bool,
        spi_i: bytes,
        spi_r: bytes,
        local: Endpoint,
        remote: Endpoint,
        now: float,
    ) -> None:
        self.host = host
        self.peer = peer
        self.is_initiator = is_initiator
        self.channel = Channel(spi_i, spi_r, is_initiator=is_initiator, window=Window(peer.retransmission))
        self.state = IkeState.NEW
        self.local = local
        self.remote = remote
        self.nat = NatDetection()
        self.local_id: Identity = peer.local_id
        self.remote_id: Identity | None = peer.remote_id
        self.suite: IkeSuite | None = None
        self.keys: IkeKeys | None = None
        self.uses_ppk = False
        self.children = Children(self)
        self.handshake: Handshake | None = None
        self.lowest_nonce = b""
        self.rank = b""
        self.is_ours = is_initiator
        self.successor: IkeSa | None = None
        self.predecessor: IkeSa | None = None
        self.early_deletes: set[bytes] = set()
        self.created_at = now
        self.established_at: float | None = None
        self.heard_at = now
        self.said_at = now
        self.rekey_at: float | None = None
        self.expire_at: float | None = None
        self.abandon_at: float | None = None
        self.give_up_at: float | None = None
        self.hint: tuple[Cause, str] | None = None
        self.linger_until = now
        self.active: Task | None = None
        self.queue: deque[Queued] = deque()
        self.outbox: list[Datagram] = []
        self._heir: IkeSa | None = None
        self._ended = False
        self._announced = False

    # ---- what it is ----

    @property
    def id(self) -> IkeSaId:
        """Both SPIs."""
        return IkeSaId(self.channel.spi_i, self.channel.spi_r)

    @property
    def spi(self) -> bytes:
        """This side's SPI."""
        return self.channel.spi_i if self.is_initiator else self.channel.spi_r

    @property
    def is_setting_up(self) -> bool:
        """Whether the peer is not authenticated yet."""
        return self.state in _HANDSHAKE

    @property
    def is_current(self) -> bool:
        """Whether it is up and nothing has taken its place."""
        return self.state in (IkeState.ESTABLISHED, IkeState.REKEYING, IkeState.COLLIDED) and self.abandon_at is None

    # ---- the machine ----

    def verdict(self, event: IkeInput) -> Verdict:
        """The verdict on an input that is not taken yet."""
        return ike_transition(self.state, event)[0]

    def apply(self, event: IkeInput) -> Verdict:
        """Take an input; the verdict on it."""
        verdict, self.state = ike_transition(self.state, event)
        return verdict

    # ---- messages ----

    def receive(self, header: IkeHeader, octets: bytes, source: Endpoint, destination: Endpoint, now: float) -> str:
        """Take a message; why it was dropped, or nothing if it was not."""
        received = self.channel.receive(header, octets)
        match received:
            case Dropped(reason):
                return reason
            case Repeated(datagrams):
                self._post(datagrams, destination, source, now)
                return ""
            case Illegal(_, violation):
                self.heard_at = now
                self._refuse(header, violation.notify, violation.reason, source, destination, now)
                return "illegal"
            case Fresh(message):
                reason = self._take(message, source, destination, now)
                self.run(now)
                return reason

    def _take(self, message: Message, source: Endpoint, destination: Endpoint, now: float) -> str:
        if message.is_response:
            return self._on_response(message, source, destination, now)
        event = classify(self, message)
        verdict = self.verdict(event)
        if verdict is Verdict.SKIP:
            return f"{event.value} while {self.state.value}"
        self.heard_at = now
        follow(self, source, destination)
        if verdict is Verdict.TEMPORARY_FAILURE:  # RFC 7296 2.25
            payloads = (Notify(notify_type=NotifyType.TEMPORARY_FAILURE),)
            self._post(self.channel.respond(message, payloads), destination, source, now)
            return ""
        answer = answer_to(event)
        answer.process(self, message, now)
        self._post(self.channel.respond(message, answer.build(self, now)), destination, source, now)
        if self.successor is not None:
            self.successor.run(now)
        return ""

    def _on_response(self, message: Message, source: Endpoint, destination: Endpoint, now: float) -> str:
        task = self.active
        assert task is not None, "the window holds no request without its task"
        if self.channel.is_secure:
            self.heard_at = now
            follow(self, source, destination)
            if message.notify(NotifyType.INVALID_SYNTAX) is not None:  # RFC 7296 2.21.3: fatal on both sides
                self.end(Cause.INVALID_SYNTAX, "the peer says that our request was malformed", now)
                return ""
        self.active = None
        outcome = task.process(self, message, now) or Outcome.DONE
        if outcome is Outcome.IGNORED:
            self.active = task
            return "unauthenticated refusal"
        self.channel.window.close(reuse=outcome is Outcome.AGAIN)
        return ""

    def _refuse(
        self, header: IkeHeader, notify: Notify, reason: str, source: Endpoint, destination: Endpoint, now: float
    ) -> None:
        """An authentic message is illegal: tell the peer, and end what cannot be trusted any more (RFC 7296 2.21)."""
        if not header.is_response:
            self._post(self.channel.respond(header, (notify,)), destination, source, now)
            if notify.notify_type == NotifyType.INVALID_SYNTAX:
                self.end(Cause.INVALID_SYNTAX, reason, now, linger=True)
            return
        self.channel.window.close()
        task, self.active = self.active, None
        if isinstance(task, DeleteIke):  # whatever the answer says, it is over
            self.end(task.cause, task.detail, now)
            return
        if task is not None:
            task.abandon(self, Cause.INVALID_SYNTAX, reason)
        if self.is_setting_up:
            self.end(Cause.INVALID_SYNTAX, reason, now)
        else:
            if self.state in (IkeState.REKEYING, IkeState.COLLIDED):
                self.apply(IkeInput.REKEY_FAILED)
            self.enqueue(DeleteIke(Cause.INVALID_SYNTAX, reason), first=True)
            self.run(now)

    def _post(self, datagrams: tuple[bytes, ...], source: Endpoint, destination: Endpoint, now: float) -> None:
        marker = NON_ESP_MARKER if source.port == NATT_PORT else b""  # RFC 3948 2.2
        self.outbox += [Datagram(marker + octets, source, destination) for octets in datagrams]
        self.said_at = now

    # ---- tasks ----

    def enqueue(self, task: Task, *, first: bool = False, at: float = 0.0) -> None:
        """Put a task into the queue; `at` is when it may begin."""
        if first:
            self.queue.appendleft(Queued(task, at))
        else:
            self.queue.append(Queued(task, at))

    def run(self, now: float) -> None:
        """Begin the next task, if the window is free and one may begin."""
        while self.channel.window.outstanding is None and self.state is not IkeState.DELETED:
            ready = next((queued for queued in self.queue if self._may_begin(queued, now)), None)
            if ready is None:
                return
            self.queue.remove(ready)
            payloads = ready.task.build(self, now)
            if payloads is not None:
                self.active = ready.task
                self._post(self.channel.request(ready.task.exchange, payloads, now), self.local, self.remote, now)

    def _may_begin(self, queued: Queued, now: float) -> bool:
        if queued.at > now:
            return False
        return not self.is_setting_up or queued.task.exchange in _HANDSHAKE_EXCHANGES

    def retransmit(self, now: float) -> None:
        """Send the open request again if it is due; the peer is dead if it was sent often enough."""
        if self.channel.window.exhausted(now):
            cause, detail = self.hint or (Cause.PEER_DEAD, f"no answer from {self.remote}")
            self.end(cause, detail, now)
        elif datagrams := self.channel.window.retransmit(now):
            self._post(datagrams, self.local, self.remote, now)

    # ---- life and death ----

    def take_keys(self, suite: IkeSuite, keys: IkeKeys) -> None:
        """From now on, messages are sealed and opened with these keys."""
        self.suite, self.keys = suite, keys
        self.channel.secure(suite, keys, self.host.random)

    def announce_keys(self) -> None:
        """Tell the driver the keys, once, when they are final: if there may be a PPK, not before that is known."""
        if self.suite is not None and self.keys is not None and not self._announced:
            self._announced = True
            self.host.emit(IkeKeysDerived(peer=self.peer.name, ike=self.id, suite=self.suite, keys=self.keys))

    def establish(self, limits: Limits, now: float) -> None:
        """Tell the driver that it is up, and wind its clocks."""
        assert self.suite is not None, "an IKE SA is established with keys"
        assert self.remote_id is not None, "an IKE SA is established with somebody"
        self.established_at = now
        self.heard_at = now
        self.give_up_at = None
        self.rekey_at = now + limits.soft_seconds
        self.expire_at = now + limits.hard_seconds
        self.host.emit(
            IkeSaEstablished(
                peer=self.peer.name,
                ike=self.id,
                is_initiator=self.is_initiator,
                local=self.local,
                remote=self.remote,
                local_id=self.local_id,
                remote_id=self.remote_id,
                suite=self.suite,
                nat=self.nat,
                uses_ppk=self.uses_ppk,
                limits=limits,
                rekeyed=None if self.predecessor is None else self.predecessor.id,
                objections=self.suite.proposal.objections,
            )
        )

    def make_successor(self, *, is_initiator: bool, spi_i: bytes, spi_r: bytes, now: float) -> IkeSa:
        """An IKE SA that is to take the place of this one; keys and children it has none yet (RFC 7296 2.18)."""
        new = IkeSa(
            self.host,
            self.peer,
            is_initiator=is_initiator,
            spi_i=spi_i,
            spi_r=spi_r,
            local=self.local,
            remote=self.remote,
            now=now,
        )
        new.state = IkeState.ESTABLISHED
        new.predecessor = self
        new.rank, new.is_ours = self.rank, self.is_ours
        new.nat = self.nat
        new.remote_id = self.remote_id
        new.uses_ppk = self.uses_ppk
        new.channel.fragment_octets = self.channel.fragment_octets
        return new

    def hand_over(self, successor: IkeSa) -> None:
        """Give children and work that is left to a successor (RFC 7296 2.18)."""
        if self._heir is successor:
            return
        self.successor = self._heir = successor
        self.host.emit(IkeSaRekeyed(peer=self.peer.name, old=self.id, new=successor.id))
        self.children.move_to(successor.children)
        moving = [queued for queued in self.queue if queued.task.moves_to_successor]
        self.queue.clear()
        if successor.state is IkeState.DELETED:  # the peer made it, and closed it, while we were waiting
            successor._bury(moving, Cause.CLOSED_BY_PEER)
        else:
            successor.queue.extend(moving)

    def end(self, cause: Cause, detail: str, now: float, *, linger: bool = False) -> None:
        """It is over: drop tasks and children, and tell the driver why.

        With `linger`, it goes on for a while to repeat its last answer to a peer that did not get it.
        """
        if self._ended:
            return
        self._ended = True
        was_up = self.established_at is not None
        self.linger_until = now + LINGER_SECONDS if linger else now
        self.apply(IkeInput.FAIL)
        task, self.active = self.active, None
        self.channel.window.outstanding = None
        if task is not None:
            task.abandon(self, cause, detail)
        waiting = list(self.queue)
        self.queue.clear()
        self._bury(waiting, cause)
        for other in self.host.established(self.peer):
            other.children.reassert()
        self.announce_keys()
        if was_up:
            self.host.emit(IkeSaDeleted(peer=self.peer.name, ike=self.id, cause=cause, detail=detail))
        else:
            self.host.emit(
                IkeSaFailed(peer=self.peer.name, ike=self.id, begun_here=self.is_initiator, cause=cause, detail=detail)
            )

    def _bury(self, waiting: list[Queued], cause: Cause) -> None:
        for queued in waiting:
            queued.task.abandon(self, cause, "")
        for child in self.children:
            self.children.remove(child, Cause.IKE_SA_GONE, cause.value)
