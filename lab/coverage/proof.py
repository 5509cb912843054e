"""What was sent through a lab, kept beside its captures; and the report on a lab from its files alone.

The record holds what no capture tells: the canaries with their tokens, which of them arrived, what the taps lost. With
it the same verdict can be formed again, anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.capture.keys import Key
from lab.coverage.assemble import assemble
from lab.coverage.caks import on_file, without_saks
from lab.coverage.document import CanaryReport, Report
from lab.coverage.evidence.sightings import READABLE
from lab.coverage.examine import observe_segment
from lab.coverage.facts import CanaryPath, HopReport, LinkReport, NodeReport, PathReport
from lab.coverage.hygiene import Lifetimes
from lab.coverage.judge import Evidence
from lab.coverage.segment import Observed, Segment
from lab.errors import InputError, Problem
from lab.model.topology import Topology

FORMAT: Final = "wireproof.proof/1"

_FORMS: Final = {
    0: "in clear",
    1: "inside MACsec",
    2: "inside IPsec",
    3: "inside IPsec inside MACsec",
    READABLE: "readable, in MACsec without confidentiality",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCanary:
    """A canary that was sent. Only one that is `searched` carries its whole token."""

    number: int
    token: str
    transport: str
    source: str
    target: str
    octets: int
    searched: bool
    arrived: bool
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known beside a lab's captures. `dropped` counts what each segment's tap lost.

    `with_saks`: a link whose CAKs are on file is judged by the SAKs on file, too, and not by its CAKs alone.
    """

    canaries: tuple[SentCanary, ...] = ()
    minimum_frames: int = 1
    dropped: Mapping[str, int] = field(default_factory=dict)
    with_saks: bool = False

    def as_json(self) -> dict[str, object]:
        """As an object for `json.dumps`."""
        return {
            "format": FORMAT,
            "minimum_frames": self.minimum_frames,
            "dropped": dict(self.dropped),
            "with_saks": self.with_saks,
            "canaries": [asdict(canary) for canary in self.canaries],
        }


def read_proof(path: Path) -> Proof:
    """The record in a file.

    Raises:
        InputError: it cannot be read, or is no such record.
    """
    try:
        return _proof(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"cannot be read: {error.strerror}")]) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        text = f"is not a record of what was sent ({FORMAT}): {error or type(error).__name__}"
        raise InputError([Problem(file=str(path), text=text)]) from None


def examine_lab(topology: Topology, captures: Mapping[str, Path], keys: Sequence[Key], proof: Proof) -> Report:
    """The report on all segments of a topology, from their captures.

    Raises:
        InputError: a capture is missing, cannot be read, or breaks off.
    """
    tokens = tuple(canary.token.encode() for canary in proof.canaries if canary.searched)
    if not proof.with_saks:
        keys = without_saks(keys, topology, on_file(keys))
    observed, lifetimes = [], lifetimes_of(topology)
    for link in topology.links:
        if link.segment not in captures:
            raise InputError(f"there is no capture of segment {link.segment}")
        evidence = Evidence(
            tokens=tokens, minimum_frames=proof.minimum_frames, dropped=proof.dropped.get(link.segment, 0)
        )
        segment = Segment(
            name=link.segment, capture=captures[link.segment], expect=link.expect, evidence=evidence,
            ends=(link.a.node, link.b.node), lifetimes=lifetimes,
        )  # fmt: skip
        observed.append(observe_segment(segment, keys))
    canaries = CanaryReport(
        sent=len(proof.canaries),
        lost=tuple(_describe(each) for each in proof.canaries if not each.arrived),
        paths=tuple(_paths(proof.canaries, observed)),
    )
    return assemble(observed, canaries=canaries if proof.canaries else None, path=path_of(topology))


def lifetimes_of(topology: Topology) -> Lifetimes:
    """How long SAs may live by the policies of a topology's connections: as long as the more patient end allows."""
    policies = [end.policy for connection in topology.connections for end in connection.ends]
    if not policies:
        return Lifetimes()
    return Lifetimes(
        seconds=max(policy.seconds for policy in policies),
        kilobytes=max(policy.kilobytes for policy in policies),
        ike_seconds=max(policy.ike_seconds for policy in policies),
    )


def path_of(topology: Topology) -> PathReport:
    """The path as a picture needs it."""
    return PathReport(
        name=topology.name,
        nodes=tuple(NodeReport(name=node.name, role=str(node.role)) for node in topology.nodes),
        links=tuple(
            LinkReport(
                segment=link.segment,
                ends=(link.a.node, link.b.node),
                bandwidth_gbps=link.bandwidth_gbps,
                tags=link.tag.vids,
                macsec=None if link.macsec is None else link.macsec.cipher_suite,
            )
            for link in topology.links
        ),
    )


def _paths(canaries: Sequence[SentCanary], observed: Sequence[Observed]) -> Iterator[CanaryPath]:
    hops = _hops(observed)
    places = {token: place for place, token in enumerate(dict.fromkeys(c.token for c in canaries if c.searched))}
    for canary in canaries:
        if canary.searched:
            yield CanaryPath(
                number=canary.number,
                transport=canary.transport,
                source=canary.source,
                target=canary.target,
                octets=canary.octets,
                arrived=canary.arrived,
                attempts=canary.attempts,
                hops=tuple(hops.get(places[canary.token], ())),
            )


def _hops(observed: Sequence[Observed]) -> dict[int, list[HopReport]]:
    """For each token where it was seen, in the order of time."""
    hops: dict[int, list[HopReport]] = {}
    for each in observed:
        ends = each.segment.ends
        for (token, form, label), seen in each.seen.collected.sightings.seen.items():
            between = {"out": ends, "in": ends[::-1]}.get(label) if ends else None
            hops.setdefault(token, []).append(
                HopReport(
                    segment=each.segment.name,
                    direction=label if between is None else f"{between[0]} to {between[1]}",
                    form=_FORMS[form],
                    frames=seen.frames,
                    first_frame=seen.first_frame,
                    first_time=seen.first_time or None,
                    encodings=tuple(sorted(seen.encodings)),
                )
            )
    for found in hops.values():
        found.sort(key=lambda hop: (hop.first_time or 0, hop.segment, hop.direction, hop.form))
    return hops


def _describe(canary: SentCanary) -> str:
    return (
        f"{canary.transport} with {canary.octets} octets from {canary.source} to {canary.target}, "
        f"sent {canary.attempts} times"
    )


def _proof(found: Any) -> Proof:
    if found["format"] != FORMAT:
        raise ValueError(f"its format is {str(found['format'])[:40]!r}")
    canaries = []
    for each in found["canaries"]:
        canary = SentCanary(**each)
        numbers = (canary.number, canary.octets, canary.attempts)
        words = (canary.token, canary.transport, canary.source, canary.target)
        flags = (canary.searched, canary.arrived)
        kinds = ((numbers, int), (words, str), (flags, bool))
        if not all(type(value) is kind for values, kind in kinds for value in values) or not canary.token:
            raise ValueError(f"a canary's field is of the wrong kind: {canary.number!r}")
        canaries.append(canary)
    dropped = found["dropped"]
    if not all(type(name) is str and type(count) is int for name, count in dropped.items()):
        raise ValueError("`dropped` counts frames by segment")
    minimum_frames, with_saks = found["minimum_frames"], found["with_saks"]
    if type(minimum_frames) is not int or type(with_saks) is not bool:
        raise ValueError("`minimum_frames` is a number, and `with_saks` true or false")
    return Proof(canaries=tuple(canaries), minimum_frames=minimum_frames, dropped=dropped, with_saks=with_saks)
