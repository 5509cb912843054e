"""One IKE SA's messages: what goes out is sealed and numbered, what comes in must be next in turn and authentic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from dataplane.errors import IntegrityError, WireError
from dataplane.ike.fragments import Reassembly
from dataplane.ike.keymat import IkeKeys
from dataplane.ike.message import Message, links_of
from dataplane.ike.payloads.chain import Link, split
from dataplane.ike.payloads.encrypted import EncryptedFragment
from dataplane.ike.payloads.kinds import Payload, PayloadType
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.protection import Cipher, make_cipher, open_sealed, seal, seal_fragments
from dataplane.ike.rules import Direction, ExchangeType, Violation, check
from dataplane.ike.suite import IkeSuite
from dataplane.ike.window import Turn, Window
from dataplane.wire.ike_header import IkeHeader


@dataclass(frozen=True, slots=True)
class Fresh:
    """A message that is next in turn, authentic (but in IKE_SA_INIT) and legal."""

    message: Message


@dataclass(frozen=True, slots=True)
class Repeated:
    """The peer's last request once more; these datagrams answered it."""

    datagrams: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Illegal:
    """An authentic message, next in turn, that must not be."""

    header: IkeHeader
    violation: Violation


@dataclass(frozen=True, slots=True)
class Dropped:
    """Octets that mean nothing here, and why: one of a few reasons, so that they can be counted."""

    reason: str


Received: TypeAlias = Fresh | Repeated | Illegal | Dropped

_SYNTAX = Notify(notify_type=NotifyType.INVALID_SYNTAX)


@final
class Channel:
    """Messages of one IKE SA, both ways.

    `is_initiator` is this side's part in the IKE SA. `fragment_octets` is the most a message may have before it is
    fragmented; None as long as the peer has not said that it can.
    """

    __slots__ = (
        "_opener", "_pending", "_reassembly", "_sealer", "fragment_octets", "is_initiator", "spi_i", "spi_r", "window",
    )  # fmt: skip

    def __init__(self, spi_i: bytes, spi_r: bytes, *, is_initiator: bool, window: Window) -> None:
        self.spi_i = spi_i
        self.spi_r = spi_r
        self.is_initiator = is_initiator
        self.window = window
        self.fragment_octets: int | None = None
        self._sealer: Cipher | None = None
        self._opener: Cipher | None = None
        self._pending: ExchangeType | None = None
        # Of the peer's requests, and of its responses: both may be on their way at once.
        self._reassembly = {False: Reassembly(), True: Reassembly()}

    def secure(self, suite: IkeSuite, keys: IkeKeys, random: Callable[[int], bytes]) -> None:
        """From now on, everything but IKE_SA_INIT is sealed and opened with these keys."""
        ours = make_cipher(suite, keys.ei, keys.ai, random)
        theirs = make_cipher(suite, keys.er, keys.ar, random)
        self._sealer, self._opener = (ours, theirs) if self.is_initiator else (theirs, ours)

    @property
    def is_secure(self) -> bool:
        """Whether there are keys."""
        return self._sealer is not None

    def request(self, exchange: ExchangeType, payloads: tuple[Payload, ...], now: float) -> tuple[bytes, ...]:
        """Open a request; the datagrams to send."""
        message = self._message(exchange, self.window.next_id, payloads, is_response=False)
        datagrams = self._emit(message)
        self.window.send(datagrams, now)
        self._pending = exchange
        return datagrams

    def respond(self, to: Message | IkeHeader, payloads: tuple[Payload, ...]) -> tuple[bytes, ...]:
        """Answer a request; the datagrams to send, now and whenever the request comes again."""
        message = self._message(ExchangeType(to.exchange_type), to.message_id, payloads, is_response=True)
        datagrams = self._emit(message)
        self.window.answer(datagrams)
        return datagrams

    def receive(self, header: IkeHeader, octets: bytes) -> Received:
        """Judge a message: its turn, its authenticity, its legality, in this order."""
        turn = self._turn(header)
        if turn is Turn.STRAY:
            return Dropped("message ID out of turn")
        if header.is_response and header.exchange_type != self._pending:
            return Dropped("response to another exchange")
        try:
            links = links_of(header, octets)
        except WireError:
            return Dropped("malformed")
        if header.exchange_type == ExchangeType.IKE_SA_INIT:
            return self._receive_clear(header, octets, links, turn)
        if self._opener is None or not links or links[-1].payload_type not in (PayloadType.SK, PayloadType.SKF):
            return Dropped("not protected")
        return self._receive_sealed(header, octets, links, turn)

    def _turn(self, header: IkeHeader) -> Turn:
        if header.is_response:
            return self.window.turn_of_response(header.message_id)
        return self.window.turn_of_request(header.message_id)

    def _receive_clear(self, header: IkeHeader, octets: bytes, links: tuple[Link, ...], turn: Turn) -> Received:
        if turn is Turn.REPEATED or not header.is_response:
            return Dropped("IKE_SA_INIT request out of turn")
        try:
            message = Message.of(header, parse_payloads(links), octets)
        except WireError:
            return Dropped("malformed")
        sealed = links[-1].payload_type if links else PayloadType.NONE
        inside = () if sealed in (PayloadType.SK, PayloadType.SKF) else None
        violation = check(header.exchange_type, Direction.RESPONSE, message.payloads, inside)
        return Fresh(message) if violation is None else Dropped("malformed")

    def _receive_sealed(self, header: IkeHeader, octets: bytes, links: tuple[Link, ...], turn: Turn) -> Received:
        assert self._opener is not None
        try:
            part = EncryptedFragment.of(links[-1])
            content = open_sealed(self._opener, octets, part.sealed)
        except (IntegrityError, WireError) as error:
            return Dropped("malformed" if isinstance(error, WireError) else "ICV does not fit")
        if turn is Turn.REPEATED:
            # RFC 7383 2.6.1: of a repeated request in fragments, the first one brings the answer again.
            return Repeated(self.window.last_answer) if part.number == 1 else Dropped("repeated fragment")
        reassembly = self._reassembly[header.is_response]
        whole = reassembly.add(header.message_id, part.number, part.total, part.first_inner, content)
        if whole is None:
            return Dropped("fragment of a message that is not complete yet")
        first_inner, chain = whole
        direction = Direction.RESPONSE if header.is_response else Direction.REQUEST
        try:
            outside = parse_payloads(links)
            inside = parse_payloads(split(first_inner, chain))
        except WireError as error:
            return Illegal(header, Violation(notify=_SYNTAX, reason=str(error)))
        violation = check(header.exchange_type, direction, outside, inside)
        return Fresh(Message.of(header, inside)) if violation is None else Illegal(header, violation)

    def _message(
        self, exchange: ExchangeType, message_id: int, payloads: tuple[Payload, ...], *, is_response: bool
    ) -> Message:
        return Message(
            spi_i=self.spi_i,
            spi_r=self.spi_r,
            exchange_type=exchange,
            message_id=message_id,
            is_initiator=self.is_initiator,
            is_response=is_response,
            payloads=payloads,
        )

    def _emit(self, message: Message) -> tuple[bytes, ...]:
        if message.exchange_type == ExchangeType.IKE_SA_INIT or self._sealer is None:
            return (message.emit(),)
        if self.fragment_octets is None:
            return (seal(self._sealer, message),)
        return seal_fragments(self._sealer, message, self.fragment_octets)
