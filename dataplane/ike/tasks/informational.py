"""INFORMATIONAL: deletes, and whether anybody is there (RFC 7296 1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dataplane.ike.child import ChildSa
from dataplane.ike.events import Cause
from dataplane.ike.machine import ChildInput, IkeInput, IkeState, Verdict
from dataplane.ike.message import Message
from dataplane.ike.payloads.delete import PROTOCOL_ESP, PROTOCOL_IKE, DeletePayload
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.rules import ExchangeType
from dataplane.ike.tasks.task import Answer, Task

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa


class Liveness(Task):
    """An empty request: any answer says that the peer lives."""

    exchange: ClassVar[ExchangeType] = ExchangeType.INFORMATIONAL

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """Nothing but the header."""
        return ()

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """It came; that is all."""


class DeleteChild(Task):
    """Close a child (RFC 7296 1.4.1)."""

    exchange: ClassVar[ExchangeType] = ExchangeType.INFORMATIONAL
    is_about_children: ClassVar[bool] = True

    def __init__(self, child: ChildSa, cause: Cause, detail: str = "") -> None:
        self.child = child
        self.cause = cause
        self.detail = detail

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """A delete payload with our inbound SPI, unless somebody was faster."""
        if self.child.apply(ChildInput.DELETE) is Verdict.SKIP:
            return None
        return (DeletePayload(protocol=PROTOCOL_ESP, spis=(self.child.spi_in,)),)

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Whatever the answer says, the child is gone on both sides."""
        self.child.apply(ChildInput.DELETED)
        sa.children.remove(self.child, self.cause, self.detail)


class DeleteUnborn(Task):
    """Close a child that the peer made and we could not accept: its answer to our request was wrong."""

    exchange: ClassVar[ExchangeType] = ExchangeType.INFORMATIONAL
    is_about_children: ClassVar[bool] = True

    def __init__(self, spi_in: bytes) -> None:
        self.spi_in = spi_in

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """A delete payload with the SPI that we had offered."""
        return (DeletePayload(protocol=PROTOCOL_ESP, spis=(self.spi_in,)),)

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Nothing of it was ever here."""


class DeleteIke(Task):
    """Close the IKE SA, and with it its children."""

    exchange: ClassVar[ExchangeType] = ExchangeType.INFORMATIONAL

    def __init__(self, cause: Cause, detail: str = "", *, notify: Notify | None = None) -> None:
        self.cause = cause
        self.detail = detail
        self.notify = notify

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """A delete payload for the IKE SA or, when authentication failed, the notification that says so (2.21.2)."""
        if sa.apply(IkeInput.DELETE) is Verdict.SKIP:
            return None
        return (DeletePayload(protocol=PROTOCOL_IKE) if self.notify is None else self.notify,)

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Whatever the answer says, it is over."""
        sa.end(self.cause, self.detail, now)


class AnswerInformational(Answer):
    """Children that the peer closes, or nothing at all."""

    def __init__(self) -> None:
        self._closed: list[bytes] = []

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Close what the peer closed."""
        spis = [spi for each in message.all(DeletePayload) if each.protocol == PROTOCOL_ESP for spi in each.spis]
        if spis and sa.predecessor is not None:
            settle_predecessor(sa)
        for spi in spis:
            self._close(sa, spi)
        failed = message.notify(NotifyType.AUTHENTICATION_FAILED)
        if failed is not None:  # RFC 7296 2.21.2: the initiator did not believe us
            sa.end(Cause.AUTHENTICATION_FAILED, "the peer did not accept our AUTH", now, linger=True)

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """The other halves of the pairs that were closed here and now: our inbound SPIs."""
        return (DeletePayload(protocol=PROTOCOL_ESP, spis=tuple(self._closed)),) if self._closed else ()

    def _close(self, sa: IkeSa, spi: bytes) -> None:
        child = sa.children.by_outbound(spi)
        if child is None:
            # It may be one that our open request makes, whose answer is late: then it is born dead.
            if sa.active is not None and sa.active.is_about_children:
                sa.early_deletes.add(spi)
            return
        was_replaced = child.successor is not None
        superseded = child.abandon_at is not None and not was_replaced
        if child.apply(ChildInput.PEER_DELETE) is Verdict.SKIP:
            return  # RFC 7296 1.4.1: both closed it at once; the answer does not name it
        self._closed.append(child.spi_in)
        cause = Cause.REKEYED if was_replaced else Cause.REDUNDANT if superseded else Cause.CLOSED_BY_PEER
        sa.children.remove(child, cause)


class AnswerDeleteIke(Answer):
    """The peer closes the IKE SA."""

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        """Let it go; children that belong to a successor go there first."""
        if sa.state is IkeState.COLLIDED and sa.successor is not None:
            sa.hand_over(sa.successor)  # RFC 7296 2.25.2: our own request to rekey is forgotten
        cause = Cause.CLOSED_BY_PEER
        if sa.successor is not None:
            cause = Cause.REKEYED
        elif sa.abandon_at is not None:
            cause = Cause.REDUNDANT
        sa.apply(IkeInput.PEER_DELETE)
        sa.end(cause, "", now, linger=True)

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        """The answer to the delete of an IKE SA is empty (RFC 7296 1.4.1)."""
        return ()


def settle_predecessor(sa: IkeSa) -> None:
    """Work on children arrives on an IKE SA that the peer made while we were making one too.

    So the peer counts this one as the one that lives; it may know the outcome before we do.
    """
    old = sa.predecessor
    if old is not None and old.state is IkeState.COLLIDED and old.successor is sa and len(old.children):
        old.hand_over(sa)
