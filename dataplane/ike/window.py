"""Message IDs, a window of one, and retransmission with back-off (RFC 7296 2.1 to 2.3). Octets are only carried."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import final

from dataplane.errors import LocalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retransmission:
    """When to send a request again: after `first` seconds, then `factor` times longer each time, at most `longest`.

    After `tries` retransmissions and one more wait, the peer counts as dead. The standard asks for a dozen over several
    minutes (RFC 7296 2.4); the defaults take just under three.
    """

    first: float = 1.0
    factor: float = 1.5
    longest: float = 30.0
    tries: int = 12

    def wait(self, sent: int) -> float:
        """Seconds to wait for an answer after the request was sent `sent` times."""
        return float(min(self.longest, self.first * self.factor ** (sent - 1)))

    @property
    def patience(self) -> float:
        """Seconds until a peer that never answers counts as dead."""
        return sum(self.wait(sent) for sent in range(1, self.tries + 2))


class Turn(enum.Enum):
    """What a received message ID means to the window."""

    NEW = "new"
    REPEATED = "repeated"
    STRAY = "stray"


@dataclass(slots=True, kw_only=True)
class Outstanding:
    """The request that waits for its response. `sent` counts transmissions; `due` is when the next is."""

    message_id: int
    datagrams: tuple[bytes, ...]
    sent: int
    due: float


@final
class Window:
    """Both directions of one IKE SA's message IDs.

    Our requests count from 0, the peer's too; on each side one request at a time is open. The response to the peer's
    last request is kept: a repeated request gets the very same octets.
    """

    __slots__ = ("_answer", "expected", "next_id", "outstanding", "retransmission")

    def __init__(self, retransmission: Retransmission) -> None:
        self.retransmission = retransmission
        self.next_id = 0
        self.expected = 0
        self.outstanding: Outstanding | None = None
        self._answer: tuple[bytes, ...] = ()

    def send(self, datagrams: tuple[bytes, ...], now: float) -> None:
        """Open a request that was just sent with ID `next_id`.

        Raises:
            LocalError: one is open already.
        """
        if self.outstanding is not None:
            raise LocalError("a window of one holds one request")
        due = now + self.retransmission.wait(1)
        self.outstanding = Outstanding(message_id=self.next_id, datagrams=datagrams, sent=1, due=due)

    def close(self, *, reuse: bool = False) -> None:
        """The open request got its response; with `reuse`, the next request has its ID (IKE_SA_INIT, RFC 7296 2.6)."""
        self.outstanding = None
        self.next_id += 0 if reuse else 1

    def turn_of_response(self, message_id: int) -> Turn:
        """Whether a response with this ID is the one that is waited for."""
        waiting = self.outstanding is not None and self.outstanding.message_id == message_id
        return Turn.NEW if waiting else Turn.STRAY

    def turn_of_request(self, message_id: int) -> Turn:
        """Whether a request with this ID is the next, or the last one again."""
        if message_id == self.expected:
            return Turn.NEW
        return Turn.REPEATED if message_id == self.expected - 1 else Turn.STRAY

    def answer(self, datagrams: tuple[bytes, ...]) -> None:
        """The expected request was answered with these."""
        self._answer = datagrams
        self.expected += 1

    @property
    def last_answer(self) -> tuple[bytes, ...]:
        """The response to the peer's last request, for when it comes again."""
        return self._answer

    def retransmit(self, now: float) -> tuple[bytes, ...]:
        """The open request's datagrams if they are due again, else nothing."""
        request = self.outstanding
        if request is None or request.due > now or self.exhausted(now):
            return ()
        request.sent += 1
        request.due = now + self.retransmission.wait(request.sent)
        return request.datagrams

    def exhausted(self, now: float) -> bool:
        """Whether the open request was sent often enough, without a response, to call the peer dead."""
        request = self.outstanding
        return request is not None and request.due <= now and request.sent > self.retransmission.tries
