"""What a KaY wants done. The driver applies the orders to its SecY in the order they come, before anything is sent.

The orders are those of 802.1AE-2018 10.7 and 802.1X-2020 12.4; each carries all that the SecY's verb needs. The news
is for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from dataplane.macsec.association import Sak
from dataplane.mka.paramsets.sakuse import KeyIdentifier


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReceiveSc:
    """A member's SC is there from now on."""

    sci: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReceiveSc:
    """A member is gone, and all its SAs with it."""

    sci: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReceiveSa:
    """A SAK for a member's SC, PNs from 1 on; it does not receive yet. `ssci` is the member's, None without XPN."""

    sci: bytes
    an: int
    sak: Sak
    ssci: bytes | None
    identifier: KeyIdentifier


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EnableReceiveSa:
    """Receive with this SA."""

    sci: bytes
    an: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReceiveSa:
    """Receive no more with this SA, and forget its key."""

    sci: bytes
    an: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseLowestPn:
    """Delay protection: frames with a PN below this one are too late (802.1X-2020 9.10.1)."""

    sci: bytes
    an: int
    lowest_pn: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTransmitSa:
    """A SAK for our own SC, PNs from 1 on; it does not transmit yet. `ssci` is our own, None without XPN."""

    sci: bytes
    an: int
    sak: Sak
    ssci: bytes | None
    identifier: KeyIdentifier


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EnableTransmitSa:
    """Transmit with this SA, and with no other. All live members receive with it."""

    an: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTransmitSa:
    """Forget this SA and its key."""

    an: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SetControlledPort:
    """Open or close the Controlled Port: closed, nothing but EAPOL passes (802.1X-2020 12.4)."""

    enabled: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined:
    """A peer has proved that it is live, in the CA of this CKN."""

    ckn: bytes
    sci: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft:
    """A peer was not heard for a life time, or came back as somebody new."""

    ckn: bytes
    sci: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyServerElected:
    """The key server of the principal participant; None: there is none any more."""

    sci: bytes | None


SecyOrder: TypeAlias = (
    CreateReceiveSc
    | DeleteReceiveSc
    | CreateReceiveSa
    | EnableReceiveSa
    | DeleteReceiveSa
    | RaiseLowestPn
    | CreateTransmitSa
    | EnableTransmitSa
    | DeleteTransmitSa
)
News: TypeAlias = MemberJoined | MemberLeft | KeyServerElected
KayEvent: TypeAlias = SecyOrder | SetControlledPort | News
