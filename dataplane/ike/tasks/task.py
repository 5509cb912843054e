"""What a task is: whoever begins an exchange builds, then processes; whoever answers processes, then builds."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from dataplane.ike.events import Cause
from dataplane.ike.message import Message
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify
from dataplane.ike.rules import ExchangeType

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


class Outcome(enum.Enum):
    """What a response meant to the exchange."""

    DONE = "done"
    AGAIN = "the same request is to be made anew, with the same message ID"  # IKE_SA_INIT alone
    IGNORED = "as if it had not come"  # IKE_SA_INIT alone: it is not authenticated


class Refusal(Exception):  # noqa: N818 - not an error of ours: two sides do not agree, and somebody has to be told
    """What this side does not accept: the notification for the peer, the cause and the detail for people."""

    def __init__(self, notify: Notify, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.notify = notify
        self.cause = cause
        self.detail = detail


class Task(ABC):
    """An exchange that this side begins.

    `is_about_children`: while it is open, the peer cannot rekey the IKE SA (RFC 7296 2.25.1). `moves_to_successor`: if
    the IKE SA is rekeyed before it begins, it is still to be done.
    """

    exchange: ClassVar[ExchangeType]
    is_about_children: ClassVar[bool] = False
    moves_to_successor: ClassVar[bool] = True

    @abstractmethod
    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """The request's payloads; None when there is nothing to do any more."""

    @abstractmethod
    def process(self, sa: IkeSa, message: Message, now: float) -> Outcome | None:
        """Take the response; no outcome says DONE."""

    def abandon(self, sa: IkeSa, cause: Cause, detail: str) -> None:  # noqa: B027 - most tasks have nothing to undo
        """The IKE SA ended before the response came."""


class Answer(ABC):
    """An exchange that the peer begins."""

    @abstractmethod
    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Take the request."""

    @abstractmethod
    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """The response's payloads."""
