"""Post-quantum preshared keys within IKE_AUTH (RFC 8784 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.ike.keymat import IkeKeys, mix_ppk
from dataplane.ike.message import Message
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.policy import Ppk

if TYPE_CHECKING:
    from dataplane.ike.sa import IkeSa

_PPK_ID_FIXED: Final = 2  # RFC 8784 5.1: an identity agreed on beforehand


def identity_notify(ppk: Ppk) -> Notify:
    """N(PPK_IDENTITY): which PPK the initiator uses."""
    return Notify(notify_type=NotifyType.PPK_IDENTITY, data=bytes((_PPK_ID_FIXED,)) + ppk.identity)


def mixed_keys(sa: IkeSa, ppk: Ppk) -> IkeKeys:
    """The IKE SA's keys with the PPK in them."""
    assert sa.suite is not None, "a PPK is mixed into keys"
    assert sa.keys is not None, "a PPK is mixed into keys"
    return mix_ppk(sa.suite.make_prf(), ppk.secret, sa.keys)


def ppk_asked_for(message: Message, ppk: Ppk) -> bool:
    """Whether the initiator's identity of a PPK is the one of ours."""
    asked = message.notify(NotifyType.PPK_IDENTITY)
    return asked is not None and asked.data == bytes((_PPK_ID_FIXED,)) + ppk.identity


def ppk_accepted(message: Message) -> bool:
    """Whether the responder says that it used the PPK."""
    return message.notify(NotifyType.PPK_IDENTITY) is not None
