"""What is to be examined, and what observing it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lab.coverage.facts import SpecimenReport
from lab.coverage.hygiene import Lifetimes
from lab.coverage.judge import Evidence
from lab.coverage.observe import Observation
from lab.model.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment to examine: its capture, and what is known of it.

    `ends` are the nodes that it joins; what its capture calls outbound is from the first of them.
    """

    name: str
    capture: Path
    expect: Expectation | None = None
    evidence: Evidence = field(default_factory=Evidence)
    ends: tuple[str, str] | None = None
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A segment whose capture was read; with a `filter`, so many frames were `excluded` by it."""

    segment: Segment
    seen: Observation
    sha256: str
    specimens: tuple[SpecimenReport, ...] = ()
    filter: str | None = None
    excluded: int = 0
