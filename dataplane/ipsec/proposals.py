"""Proposals and the choice among them (RFC 7296 2.7, 3.3). Their octets are IKE's affair."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dataplane.ipsec.transforms import Strength, Transform, TransformType


class SecurityProtocol(enum.IntEnum):
    """RFC 7296 3.3.1."""

    IKE = 1
    AH = 2
    ESP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Transforms of which one of each type is to be chosen, in the proposer's order of preference.

    `number` starts at 1; `spi` is the proposer's inbound SPI: 4 octets for ESP, 8 for an IKE SA's rekey, else none.
    `has_unknown` says that transforms of a type that this package does not know were left out on parsing.
    """

    protocol: SecurityProtocol
    transforms: tuple[Transform, ...]
    number: int = 1
    spi: bytes = b""
    has_unknown: bool = False

    def of(self, kind: TransformType) -> tuple[Transform, ...]:
        """The transforms of one type."""
        return tuple(transform for transform in self.transforms if transform.type is kind)

    def without(self, kind: TransformType) -> Proposal:
        """The same without a type: IKE_AUTH proposes its child without KE (RFC 7296 1.2)."""
        return replace(self, transforms=tuple(each for each in self.transforms if each.type is not kind))

    @property
    def objections(self) -> tuple[str, ...]:
        """Why transforms of it are not good, each as `NAME: reason`."""
        return tuple(f"{each}: {each.objection}" for each in self.transforms if each.strength is not Strength.GOOD)

    @property
    def is_insecure(self) -> bool:
        """Whether a transform of it is refused unless it was asked for by name."""
        return any(each.strength is Strength.INSECURE for each in self.transforms)

    def __str__(self) -> str:
        return f"{self.protocol.name}:{'/'.join(map(str, self.transforms))}"


def choose(offered: Iterable[Proposal], acceptable: Iterable[Proposal]) -> Proposal | None:
    """The responder's choice: its own first preference that the initiator offers, with one transform of each type.

    The result has the number and the SPI of the offer that it was taken from. None: NO_PROPOSAL_CHOSEN.
    """
    offers = tuple(offered)
    for wanted in acceptable:
        for offer in offers:
            chosen = _meet(offer, wanted)
            if chosen is not None:
                return chosen
    return None


def is_choice(chosen: Proposal, offered: Iterable[Proposal]) -> bool:
    """Whether the responder's answer is one transform of each type out of the offer whose number it bears.

    The answer's SPI is the responder's own and is not looked at.
    """
    for offer in offered:
        if offer.number == chosen.number:
            meeting = _meet(offer, chosen)
            return meeting is not None and _said(meeting) == _said(chosen)
    return False


def _meet(offer: Proposal, wanted: Proposal) -> Proposal | None:
    """One transform of each type that both sides name; the wanted side's order decides."""
    if offer.protocol is not wanted.protocol or offer.has_unknown:  # RFC 7296 3.3.6
        return None
    chosen: list[Transform] = []
    for kind in TransformType:
        ours, theirs = wanted.of(kind), offer.of(kind)
        if not ours and not theirs:
            continue
        # RFC 7296 3.3.3, 3.3.6: leaving a type out says the same as offering its NONE.
        none = Transform(type=kind, id=0)
        common = [each for each in ours or (none,) if each in (theirs or (none,))]
        if not common or not (common[0].is_known or common[0] == none):
            return None
        if theirs:
            chosen.append(common[0])
    return replace(offer, transforms=tuple(chosen))


def _said(proposal: Proposal) -> list[Transform]:
    """The transforms in the order of their types, without what says as little as nothing: the NONEs."""
    said = [each for each in proposal.transforms if each.id != 0]
    return sorted(said, key=lambda transform: transform.type)
