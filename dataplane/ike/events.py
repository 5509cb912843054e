"""What an engine tells its driver, and why things fail. Events are values; none is ever repeated or taken back."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from dataplane.ike.keymat import IkeKeys
from dataplane.ike.nat import Endpoint, NatDetection
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.policy import Limits
from dataplane.ike.suite import IkeSuite
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import Transform


class Cause(enum.Enum):
    """Why an SA ended, or never came to be."""

    # the administrator, and the ordinary course of things
    CLOSED_HERE = "closed here"
    CLOSED_BY_PEER = "closed by the peer"
    REKEYED = "replaced by its successor"
    REDUNDANT = "lost against another SA made at the same time"
    LIFETIME = "lifetime over"
    INITIAL_CONTACT = "the peer began anew"
    IKE_SA_GONE = "its IKE SA ended"
    # the network
    PEER_DEAD = "the peer does not answer"
    # what the two sides want does not meet
    AUTHENTICATION_FAILED = "shared keys or identities do not fit"
    UNKNOWN_IDENTITY = "nobody here or there goes by that identity"
    NO_PROPOSAL_CHOSEN = "no common proposal"
    PFS_MISMATCH = "PFS wanted on one side alone, or with different groups"
    TS_UNACCEPTABLE = "traffic selectors do not meet"
    PPK_MISMATCH = "post-quantum preshared keys do not fit"
    CHILDLESS_REFUSED = "an IKE SA without a child is not wanted"
    NO_ADDITIONAL_SAS = "the peer takes no more SAs"
    TEMPORARY_FAILURE = "the peer was busy for too long"
    CHILD_SA_NOT_FOUND = "the peer does not know the child"
    # somebody does not keep to the standard
    INVALID_SYNTAX = "a message that the standard does not allow"
    REFUSED = "refused for a reason that is not known here"


@dataclass(frozen=True, slots=True, order=True)
class IkeSaId:
    """An IKE SA's two SPIs, initiator's first."""

    spi_i: bytes
    spi_r: bytes

    def __str__(self) -> str:
        return f"{self.spi_i.hex()}_i {self.spi_r.hex()}_r"


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeKeysDerived:
    """The keys of an IKE SA are final; told once for each SA, before anything else about it.

    With a PPK, SK_d, SK_pi and SK_pr are those with the PPK in them (RFC 8784).
    """

    peer: str
    ike: IkeSaId
    suite: IkeSuite
    keys: IkeKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSaEstablished:
    """An IKE SA is up: both ends proved that they know the shared key, or a predecessor vouches for them.

    `is_initiator`: this side began. `rekeyed`: the predecessor. `objections`: why transforms of it are not good.
    """

    peer: str
    ike: IkeSaId
    is_initiator: bool
    local: Endpoint
    remote: Endpoint
    local_id: Identity
    remote_id: Identity
    suite: IkeSuite
    nat: NatDetection
    uses_ppk: bool
    limits: Limits
    rekeyed: IkeSaId | None
    objections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSaRekeyed:
    """The children of `old` belong to `new` from now on; `old` is being closed."""

    peer: str
    old: IkeSaId
    new: IkeSaId


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSaDeleted:
    """An IKE SA that was established is gone. Its children, if it had any, were told of before."""

    peer: str
    ike: IkeSaId
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSaFailed:
    """An IKE SA could not be set up. `begun_here`: this side was the one that wanted it."""

    peer: str
    ike: IkeSaId
    begun_here: bool
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeRekeyFailed:
    """An IKE SA could not be replaced; it lives on, and another try will be made before its lifetime ends."""

    peer: str
    ike: IkeSaId
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerHint:
    """Somebody, perhaps the peer, refused an IKE_SA_INIT. It is not authenticated, so it is tried on for a while."""

    peer: str
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSaEstablished:
    """A pair of ESP SAs is agreed on, and the peer may use its half from now on: install both.

    `spi_in` is in packets that come here, `spi_out` in those that go. `sends` says whether outgoing traffic goes into
    it at once; if not, a `ChildSaSwitched` will say when. `replaces` is the inbound SPI of the child it takes over
    from. `ke` is the key exchange that was made for it, None without PFS. With `encapsulated`, ESP goes in UDP between
    `local` and `remote`, else as it is between their addresses.
    """

    peer: str
    child: str
    ike: IkeSaId
    spi_in: bytes
    spi_out: bytes
    suite: EspSuite
    keys_in: EspKeys
    keys_out: EspKeys
    ke: Transform | None
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]
    limits: Limits
    local: Endpoint
    remote: Endpoint
    encapsulated: bool
    is_initiator: bool
    sends: bool
    replaces: bytes | None
    objections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSaSwitched:
    """Outgoing traffic goes into this child from now on."""

    peer: str
    child: str
    spi_in: bytes
    spi_out: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSaDeleted:
    """A child is gone: remove both halves.

    With cause REKEYED, packets that were on their way may still come in on the old inbound SA for a moment.
    """

    peer: str
    child: str
    spi_in: bytes
    spi_out: bytes
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSaFailed:
    """A child could not be set up, or not be replaced (`rekeyed` is then its inbound SPI; it lives on meanwhile)."""

    peer: str
    child: str
    rekeyed: bytes | None
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerMoved:
    """The peer's address or port changed behind its NAT; encapsulated ESP of these children goes there now."""

    peer: str
    ike: IkeSaId
    remote: Endpoint
    spis_out: tuple[bytes, ...]


Event: TypeAlias = (
    IkeKeysDerived
    | IkeSaEstablished
    | IkeSaRekeyed
    | IkeSaDeleted
    | IkeSaFailed
    | IkeRekeyFailed
    | PeerHint
    | ChildSaEstablished
    | ChildSaSwitched
    | ChildSaDeleted
    | ChildSaFailed
    | PeerMoved
)
