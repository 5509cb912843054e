"""The parts of the document that carry evidence beside the verdict. Plain data, without a decision in it.

Times are in nanoseconds since 1970, None where a capture has none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Status(enum.StrEnum):
    """What the frames say of a claim. NOT_OBSERVED: they say nothing of it, neither for nor against."""

    MET = "met"
    NOT_MET = "not-met"
    NOT_OBSERVED = "not-observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One of the ten kinds of evidence: what it shows, in a sentence. A `hint` never decides anything."""

    kind: str
    status: Status
    text: str
    hint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One item of a list of checks."""

    name: str
    status: Status
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaReport:
    """One key in use on a segment. Numbers are packet numbers, sequence numbers or message ids, by protocol.

    `missing` counts the numbers between the lowest and the highest that were not seen, `repeated` the units that had a
    number which another unit had, too. The limits are those that a policy sets, None where none is known.
    """

    protocol: str
    name: str
    key: str
    algorithm: str
    key_bits: int
    directions: tuple[str, ...]
    units: int
    octets: int
    first_frame: int
    last_frame: int
    first_time: int | None
    last_time: int | None
    lowest: int
    highest: int
    missing: int
    repeated: int
    number_bits: int
    offset: int = 0
    limit_seconds: int | None = None
    limit_octets: int | None = None

    @property
    def seconds(self) -> float:
        """From the first unit to the last."""
        if self.first_time is None or self.last_time is None:
            return 0.0
        return (self.last_time - self.first_time) / 1e9

    @property
    def spent(self) -> float:
        """Which part of its numbers is used up."""
        return self.highest / 2.0**self.number_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueReport:
    """What an onlooker reads by design: values by field, the fields that have more of them, and lengths.

    `by_design` says in words what each protocol leaves readable.
    """

    by_design: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    overflowing: tuple[str, ...]
    least_length: int
    most_length: int
    distinct_lengths: int
    common_lengths: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineReport:
    """Frames by class in equal spans of time, the first of which begins at `start`."""

    start: int
    span_ns: int
    classes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomnessReport:
    """How the octets of a class are spread, in a sample: a hint."""

    name: str
    octets: int
    bits_per_octet: float
    chi_square: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One header of a dissected frame: its octets from `start` to `end`, and what they say."""

    name: str
    start: int
    end: int
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A frame at one stage of opening. `octets` are the first of `length`."""

    title: str
    length: int
    octets: bytes
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenReport:
    """One frame, shown as it was on the wire and after opening."""

    frame: int
    what: str
    time: int | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReport:
    """A pair of IPsec SAs as they were agreed on; `group` is None without a key exchange of their own."""

    frame: int
    protocol: str
    encryption: str | None
    integrity: str | None
    esn: bool
    group: str | None
    initial: bool
    rekeys: str | None
    transport: bool
    spis: tuple[str, ...]
    selectors_asked: tuple[str, ...]
    selectors_answered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeSaReport:
    """An IKE SA as far as its messages were heard and could be deciphered."""

    spis: tuple[str, str]
    frame: int
    encryption: str | None
    integrity: str | None
    prf: str | None
    group: str | None
    rekeys: str | None
    ppk: bool
    authentication: Mapping[str, str]
    children: tuple[ChildReport, ...]
    messages_deciphered: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HopReport:
    """Where a canary was seen: a segment and direction, under which layers, in how many frames, first when."""

    segment: str
    direction: str
    form: str
    frames: int
    first_frame: int
    first_time: int | None
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPath:
    """One canary and its way through the captures."""

    number: int
    transport: str
    source: str
    target: str
    octets: int
    arrived: bool
    attempts: int
    hops: tuple[HopReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """A node of the path."""

    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """A segment's place in the path."""

    segment: str
    ends: tuple[str, str]
    bandwidth_gbps: int | None = None
    tags: tuple[int, ...] = ()
    macsec: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathReport:
    """The path as a picture needs it: nodes and the links between them. `known` is False for a guess from names."""

    name: str
    nodes: tuple[NodeReport, ...]
    links: tuple[LinkReport, ...]
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule of a pack, with what the frames say of it."""

    id: str
    clause: str
    title: str
    status: Status
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackResult:
    """A rule pack gone through. It says what frames show of a document's clauses, and certifies nothing."""

    name: str
    title: str
    source: str
    note: str
    results: tuple[RuleResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """A key in use anywhere, by its id. No key is in a report."""

    key: str
    protocol: str
    algorithm: str
    names: tuple[str, ...]
    segments: tuple[str, ...]
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a report comes from: who formed it with what, from which configuration, and when.

    All that differs between two reports on the same captures is in `clock`.
    """

    versions: Mapping[str, str]
    topology: str | None
    topology_sha256: str | None
    clock: Mapping[str, str]
