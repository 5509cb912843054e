"""The coverage report: one data model, of which JSON and the terminal's table are renderings. Plain data throughout."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

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
    """Something to know about frames. `frames` names the first of them, from 1 on as in Wireshark; `count` has all."""

    code: str
    severity: Severity
    text: str
    frames: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionReport:
    """One direction: its frames, those that carry data, those of them opened under every layer that is demanded.

    `token_frames` counts the frames in which a canary's token was found where it belongs; None where none was sent.
    """

    label: str
    frames: int
    data: int
    authenticated: int
    token_frames: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport:
    """One segment: what was expected, what was seen, and the verdict with its reasons.

    `census` has the classes that occurred, by name; `units` the four protocols. `cut` counts frames cut by the snap
    length, `dropped` those that the tap lost, `excluded` those that did not pass the `filter` and were not looked at.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """The canaries that were sent through a lab; `lost` describes each that did not arrive."""

    sent: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All segments, and the canaries where any were sent."""

    segments: tuple[SegmentReport, ...]
    canaries: CanaryReport | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole. Traffic that does not arrive proves nothing, whatever the rest shows."""
        verdict = Verdict.of_all(segment.verdict for segment in self.segments)
        if verdict is Verdict.PROVEN and self.canaries is not None and self.canaries.lost:
            return Verdict.UNPROVEN
        return verdict
