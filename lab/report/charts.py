"""Small charts as geometry: frames by class over time, as bars on top of each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lab.coverage.census import NAMES
from lab.coverage.facts import TimelineReport

WIDTH: Final = 1000
HEIGHT: Final = 90

# From the bottom up: what is protected, then what negotiates it, then what is clear.
_ORDER: Final = (
    "macsec-encrypted", "esp", "macsec-integrity-only", "esp-null", "mka", "ike", "control", "malformed", "cleartext",
)  # fmt: skip
assert set(_ORDER) == set(NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One class in one span of time."""

    name: str
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The bars, and what the axes say. `present` are the classes that occur."""

    bars: tuple[Bar, ...]
    most: int
    seconds: float
    span: str
    present: tuple[str, ...]


def chart(timeline: TimelineReport) -> Chart:
    """The chart of a timeline."""
    count = len(next(iter(timeline.classes.values())))
    totals = [sum(counts[place] for counts in timeline.classes.values()) for place in range(count)]
    return Chart(
        bars=tuple(_bars(timeline, count, max(totals))),
        most=max(totals),
        seconds=count * timeline.span_ns / 1e9,
        span=spell_seconds(timeline.span_ns / 1e9),
        present=tuple(name for name in _ORDER if name in timeline.classes),
    )


def spell_seconds(seconds: float) -> str:
    """A time for people."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def _bars(timeline: TimelineReport, count: int, most: int) -> Iterator[Bar]:
    width = WIDTH / count
    for place in range(count):
        y = float(HEIGHT)
        for name in _ORDER:
            frames = timeline.classes.get(name, (0,) * count)[place]
            if frames:
                height = HEIGHT * frames / most
                y -= height
                begin = spell_seconds(place * timeline.span_ns / 1e9)
                yield Bar(name=name, x=round(place * width, 2), y=round(y, 2), width=round(max(width * 0.86, 1), 2),
                          height=round(height, 2), title=f"{frames} {name}, {begin} after the start")  # fmt: skip
