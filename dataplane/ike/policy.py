"""What the administrator wants: proposals, lifetimes, identities, selectors. Checked here, once; read everywhere."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.window import Retransmission
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.selectors import ANY_IPV4, TrafficSelector
from dataplane.ipsec.transforms import Strength, TransformType, encryption

IKE_LIFETIME_SECONDS: Final = 28_800.0
CHILD_LIFETIME_SECONDS: Final = 27_000.0
_LEAST_FRAGMENT_OCTETS: Final = 128
_SPREAD: Final = 1 << 16


class Mode(enum.Enum):
    """Who may begin: this side alone, the peer alone, or whoever comes first."""

    BOTH = "both"
    INITIATOR = "initiator"
    RESPONDER = "responder"


class Childless(enum.Enum):
    """Whether an IKE SA may be set up without a child (RFC 6023).

    ALLOW answers such a peer. PREFER begins so, if the peer can; FORCE insists. Then the first child, too, is made by
    CREATE_CHILD_SA, with PFS. NEVER refuses.
    """

    NEVER = "never"
    ALLOW = "allow"
    PREFER = "prefer"
    FORCE = "force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The lifetime of one SA: soft, when it is replaced, and hard, when it ends. None: not limited in octets."""

    soft_seconds: float
    hard_seconds: float
    soft_octets: int | None = None
    hard_octets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long SAs live. Never negotiated: each side keeps its own (RFC 7296 2.8).

    The hard limits are `seconds` and `octets`. The soft ones lie before them by the fraction `margin` and, so that two
    sides with the same policy do not rekey at once, by a random part of the fraction `jitter`.
    """

    seconds: float
    octets: int | None = None
    margin: float = 0.1
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.seconds <= 0 or (self.octets is not None and self.octets <= 0):
            raise LocalError("a lifetime is longer than nothing")
        if self.margin < 0 or self.jitter < 0 or self.margin + self.jitter >= 1:
            raise LocalError(f"margin {self.margin} and jitter {self.jitter} leave nothing of a lifetime")

    def draw(self, random: Callable[[int], bytes]) -> Limits:
        """The limits of a new SA; `random(n)` gives n random octets."""
        part = 1 - self.margin - self.jitter * int.from_bytes(random(2), "big") / _SPREAD
        return Limits(
            soft_seconds=self.seconds * part,
            hard_seconds=self.seconds,
            soft_octets=None if self.octets is None else int(self.octets * part),
            hard_octets=self.octets,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IkePolicy:
    """How IKE SAs are protected; the first proposal is preferred.

    Raises:
        LocalError: proposals that no IKE SA can have, or an insecure transform without `allow_insecure`.
    """

    proposals: tuple[Proposal, ...]
    lifetime: Lifetime = Lifetime(seconds=IKE_LIFETIME_SECONDS)
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        _check(self.proposals, SecurityProtocol.IKE, (TransformType.ENCR, TransformType.PRF, TransformType.KE))
        _check_strength(self.proposals, allow_insecure=self.allow_insecure)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPolicy:
    """A child to set up or accept: how its traffic is protected, and which traffic that is.

    With KE transforms in the proposals every child has PFS, but one made within IKE_AUTH (RFC 7296 1.2). `accepted` are
    those that the peer may offer, if they are others than this side offers.

    Raises:
        LocalError: proposals that ESP cannot have, an insecure transform without `allow_insecure`, or no selectors.
    """

    name: str
    proposals: tuple[Proposal, ...]
    local: tuple[TrafficSelector, ...] = (ANY_IPV4,)
    remote: tuple[TrafficSelector, ...] = (ANY_IPV4,)
    lifetime: Lifetime = Lifetime(seconds=CHILD_LIFETIME_SECONDS)
    allow_insecure: bool = False
    accepted: tuple[Proposal, ...] | None = None

    def __post_init__(self) -> None:
        for proposals in (self.proposals, self.acceptable):
            _check(proposals, SecurityProtocol.ESP, (TransformType.ENCR,))
            _check_strength(proposals, allow_insecure=self.allow_insecure)
        if not self.local or not self.remote:
            raise LocalError(f"child {self.name} has no traffic selectors on one side")

    @property
    def acceptable(self) -> tuple[Proposal, ...]:
        """What the peer may offer, best first."""
        return self.proposals if self.accepted is None else self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Ppk:
    """A post-quantum preshared key and its identity (RFC 8784). `required`: no IKE SA without it."""

    identity: bytes
    secret: Secret
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A gateway at the other end.

    `remote` None: it may come from any address, and cannot be called. `remote_id` None: any identity will do that has
    the shared key. `dpd_seconds` is how long the peer may be silent before it is asked (RFC 7296 2.4); None: for ever.
    After `dead_seconds` of silence, with an open request sent often enough, it counts as dead before `retransmission`
    says so; None: it does not.
    `fragment_octets` is the most a UDP payload may have before messages are sent in fragments; None: never.
    `encapsulate` makes ESP go in UDP as if there were a NAT. `unique` keeps one IKE SA with the peer, and one child of
    the same selectors.
    """

    name: str
    local: str
    remote: str | None
    local_id: Identity
    remote_id: Identity | None
    psk: Secret
    ike: IkePolicy
    children: tuple[ChildPolicy, ...]
    mode: Mode = Mode.BOTH
    childless: Childless = Childless.ALLOW
    ppk: Ppk | None = None
    dpd_seconds: float | None = 45.0
    dead_seconds: float | None = None
    retransmission: Retransmission = field(default_factory=Retransmission)
    fragment_octets: int | None = 1252
    encapsulate: bool = False
    unique: bool = True

    def __post_init__(self) -> None:
        if not len(self.psk):
            raise LocalError(f"peer {self.name} has an empty shared key")
        if self.remote is None and self.mode is Mode.INITIATOR:
            raise LocalError(f"peer {self.name} has no address to call")
        if len({child.name for child in self.children}) != len(self.children):
            raise LocalError(f"peer {self.name} has two children of one name")
        if self.fragment_octets is not None and self.fragment_octets < _LEAST_FRAGMENT_OCTETS:
            raise LocalError(f"fragments have at least {_LEAST_FRAGMENT_OCTETS} octets, not {self.fragment_octets}")

    def child(self, name: str) -> ChildPolicy:
        """The child policy of that name.

        Raises:
            LocalError: there is none.
        """
        for policy in self.children:
            if policy.name == name:
                return policy
        raise LocalError(f"peer {self.name} has no child {name}")


def _check(proposals: tuple[Proposal, ...], protocol: SecurityProtocol, needed: tuple[TransformType, ...]) -> None:
    if not proposals:
        raise LocalError("a policy has at least one proposal")
    for proposal in proposals:
        if proposal.protocol is not protocol:
            raise LocalError(f"{proposal} is not for {protocol.name}")
        unknown = [str(each) for each in proposal.transforms if not each.is_known]
        missing = [kind.name for kind in needed if not proposal.of(kind)]
        if unknown or missing:
            raise LocalError(f"{proposal}: {', '.join(unknown)} unknown, {', '.join(missing)} missing")
        aead = {encryption(each).is_aead for each in proposal.of(TransformType.ENCR)}
        checks = [each for each in proposal.of(TransformType.INTEG) if each.id != 0]
        if aead != {not checks}:  # RFC 7296 3.3: AEADs stand in proposals of their own
            raise LocalError(f"{proposal}: ciphers need an integrity check beside them, AEADs must not have one")
        if protocol is SecurityProtocol.IKE and any(
            not encryption(each).is_confidential for each in proposal.of(TransformType.ENCR)
        ):
            raise LocalError(f"{proposal}: an IKE SA is always encrypted")  # RFC 7296 3.3.2
        if protocol is SecurityProtocol.IKE and any(each.id == 0 for each in proposal.of(TransformType.KE)):
            raise LocalError(f"{proposal}: an IKE SA always has a key exchange")


def _check_strength(proposals: tuple[Proposal, ...], *, allow_insecure: bool) -> None:
    for proposal in proposals:
        bad = [each for each in proposal.transforms if each.strength is Strength.INSECURE]
        if bad and not allow_insecure:
            raise LocalError("; ".join(f"{each}: {each.objection}" for each in bad) + "; allow_insecure would let it")
