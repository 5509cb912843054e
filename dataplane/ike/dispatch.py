"""Which request is which, and the task that answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.ike.machine import IkeInput
from dataplane.ike.message import Message
from dataplane.ike.payloads.delete import PROTOCOL_IKE, DeletePayload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.rules import ExchangeType
from dataplane.ike.tasks.answer_ike_auth import AnswerIkeAuth
from dataplane.ike.tasks.create_child import AnswerCreateChild
from dataplane.ike.tasks.informational import AnswerDeleteIke, AnswerInformational
from dataplane.ike.tasks.rekey_child import AnswerRekeyChild
from dataplane.ike.tasks.rekey_ike import AnswerRekeyIke
from dataplane.ike.tasks.task import Answer
from dataplane.ipsec.proposals import SecurityProtocol

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

_ANSWERS: Final[dict[IkeInput, Callable[[], Answer]]] = {
    IkeInput.PEER_AUTH: AnswerIkeAuth,
    IkeInput.PEER_CREATE_CHILD: AnswerCreateChild,
    IkeInput.PEER_REKEY_CHILD: AnswerRekeyChild,
    IkeInput.PEER_REKEY: AnswerRekeyIke,
    IkeInput.PEER_INFORM: AnswerInformational,
    IkeInput.PEER_DELETE: AnswerDeleteIke,
}


def classify(sa: IkeSa, request: Message) -> IkeInput:
    """What a legal request is to the machine."""
    if request.exchange_type == ExchangeType.IKE_SA_INIT:
        return IkeInput.PEER_INIT
    if request.exchange_type == ExchangeType.IKE_AUTH:
        return IkeInput.PEER_AUTH
    if request.exchange_type == ExchangeType.INFORMATIONAL:
        closes = any(payload.protocol == PROTOCOL_IKE for payload in request.all(DeletePayload))
        return IkeInput.PEER_DELETE if closes else IkeInput.PEER_INFORM
    proposals = request.one(SecurityAssociation).proposals
    if any(proposal.protocol is SecurityProtocol.IKE for proposal in proposals):
        busy = sa.active is not None and sa.active.is_about_children
        return IkeInput.PEER_REKEY_WHILE_BUSY if busy else IkeInput.PEER_REKEY
    if request.notify(NotifyType.REKEY_SA) is not None:
        return IkeInput.PEER_REKEY_CHILD
    return IkeInput.PEER_CREATE_CHILD


def answer_to(event: IkeInput) -> Answer:
    """The task that answers a request."""
    return _ANSWERS[event]()
