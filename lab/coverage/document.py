"""The coverage report: one data model, of which JSON, JUnit, HTML and the terminal's table are renderings."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.coverage.facts import (
    CanaryPath,
    Check,
    Evidence,
    IkeSaReport,
    KeyReport,
    PackResult,
    PathReport,
    Provenance,
    RandomnessReport,
    ResidueReport,
    SaReport,
    SpecimenReport,
    TimelineReport,
)
from lab.errors import ExitCode

SCHEMA: Final = "wireproof.coverage/1"


class Verdict(enum.StrEnum):
    """What can be said of a segment. Never is anything proven because nothing bad was seen."""

    PROVEN = "proven"
    VIOLATED = "violated"
    UNPROVEN = "unproven"

    @property
    def exit_code(self) -> ExitCode:
        """What a command that found this ends with."""
        return _EXIT_CODES[self]

    @classmethod
    def of_all(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """The verdict of the whole: violated where any is, proven where all are."""
        every = set(verdicts)
        if cls.VIOLATED in every:
            return cls.VIOLATED
        return cls.PROVEN if every == {cls.PROVEN} else cls.UNPROVEN


_EXIT_CODES: Final = {
    Verdict.PROVEN: ExitCode.OK,
    Verdict.VIOLATED: ExitCode.VIOLATED,
    Verdict.UNPROVEN: ExitCode.UNPROVEN,
}


class Severity(enum.StrEnum):
    """How bad a finding is: critical ones violate, warnings keep a segment from being proven, the rest is to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Frames, and their octets on the wire without FCS."""

    frames: int
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Protected units of one protocol by what their ICV said; `incomplete` ones never arrived as a whole."""

    authenticated: int
    failed: int
    no_key: int
    incomplete: int = 0

    @property
    def checked(self) -> int:
        """Those that arrived as a whole."""
        return self.authenticated + self.failed + self.no_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about frames. `frames` names the first of them, from 1 on as in Wireshark; `count` has all.

    `bears` is False for what is said beside the verdict: how good the protection is, not whether it is there. `why`
    says why it matters, `change` what to do about it.
    """

    code: str
    severity: Severity
    text: str
    frames: tuple[int, ...]
    count: int
    bears: bool = True
    why: str = ""
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionReport:
    """One direction: its frames, those that carry data, those of them opened under every layer that is demanded.

    `token_frames` counts the frames in which a canary's token was found where it belongs; None where none was sent.
    `source` and `target` are nodes, where the path is known. `census` counts frames by class, `coverage` by what
    protects them, in words as flow logs have them.
    """

    label: str
    frames: int
    data: int
    authenticated: int
    token_frames: int | None
    source: str | None = None
    target: str | None = None
    verdict: Verdict = Verdict.UNPROVEN
    reasons: tuple[str, ...] = ()
    census: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The direction by its nodes, else by its label."""
        return f"{self.source} to {self.target}" if self.source and self.target else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """One segment: what was expected, what was seen, and the verdict with its reasons.

    `census` has the classes that occurred, by name; `units` the four protocols. `cut` counts frames cut by the snap
    length, `dropped` those that the tap lost, `excluded` those that did not pass the `filter` and were not looked at.
    `ends` are the nodes that it joins, where they are known.
    """

    segment: str
    capture: str
    sha256: str
    verdict: Verdict
    reasons: tuple[str, ...]
    expect: str | None
    frames: int
    octets: int
    census: Mapping[str, Count]
    units: Mapping[str, Units]
    directions: tuple[DirectionReport, ...]
    cut: int
    dropped: int
    findings: tuple[Finding, ...]
    filter: str | None = None
    excluded: int = 0
    ends: tuple[str, str] | None = None
    first_time: int | None = None
    last_time: int | None = None
    sas: tuple[SaReport, ...] = ()
    negotiations: tuple[IkeSaReport, ...] = ()
    downgrades: tuple[Check, ...] = ()
    residue: ResidueReport | None = None
    timeline: TimelineReport | None = None
    randomness: tuple[RandomnessReport, ...] = ()
    specimens: tuple[SpecimenReport, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """The canaries that were sent through a lab; `lost` describes each that did not arrive, `paths` where each was."""

    sent: int
    lost: tuple[str, ...]
    paths: tuple[CanaryPath, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All segments, and the canaries where any were sent."""

    segments: tuple[SegmentReport, ...]
    canaries: CanaryReport | None = None
    path: PathReport | None = None
    keys: tuple[KeyReport, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    rules: tuple[PackResult, ...] = ()
    provenance: Provenance | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole. Traffic that does not arrive proves nothing, whatever the rest shows."""
        verdict = Verdict.of_all(segment.verdict for segment in self.segments)
        if verdict is Verdict.PROVEN and self.canaries is not None and self.canaries.lost:
            return Verdict.UNPROVEN
        return verdict
