"""The renderings of one document: JSON to the letter, the table as people and pipes see it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from lab.coverage.document import (
    CanaryReport,
    Count,
    DirectionReport,
    Finding,
    Report,
    SegmentReport,
    Severity,
    Units,
    Verdict,
)
from lab.coverage.facts import CanaryPath, HopReport
from lab.report.as_json import as_json
from lab.report.terminal import PIPE_WIDTH, print_report, render

NONE = Units(authenticated=0, failed=0, no_key=0)


def segment(name: str = "ce--msee1", **fields: object) -> SegmentReport:
    known: dict[str, object] = {
        "segment": name, "capture": f"{name}.pcapng", "sha256": "ab" * 32, "verdict": Verdict.PROVEN,
        "reasons": ("100 units authenticated, nothing clear; canary in 40 frames opened, on no wire",),
        "expect": "macsec", "frames": 120, "octets": 60211,
        "census": {"macsec-encrypted": Count(frames=100, octets=60000), "control": Count(frames=20, octets=211)},
        "units": {"macsec": Units(authenticated=100, failed=0, no_key=0), "mka": NONE, "ike": NONE, "esp": NONE},
        "directions": (DirectionReport(label="in", frames=60, data=50, authenticated=50, token_frames=20),),
        "cut": 0, "dropped": 0, "findings": (),
    }  # fmt: skip
    return SegmentReport(**(known | fields))  # type: ignore[arg-type]  # a table of defaults has no types


VIOLATED = segment(
    "a segment with a rather long name",
    verdict=Verdict.VIOLATED,
    expect=None,
    reasons=("3 frames in clear: 4, 9-10", "1 frame that MACsec does not authenticate: 7"),
    census={"cleartext": Count(frames=3, octets=300), "macsec-integrity-only": Count(frames=2, octets=200)},
    units={
        "macsec": Units(authenticated=1, failed=1, no_key=0),
        "mka": NONE,
        "ike": NONE,
        "esp": Units(authenticated=0, failed=0, no_key=0, incomplete=2),
    },
    findings=(
        Finding(code="cleartext", severity=Severity.CRITICAL, text="in clear", frames=(4, 9, 10), count=3),
        Finding(code="cut", severity=Severity.WARNING, text="cut by the snap length", frames=(), count=1),
    ),
)
REPORT = Report(segments=(segment(), VIOLATED))


def printed(report: Report) -> str:
    lines = io.StringIO()
    print_report(report, lines)
    return lines.getvalue()


def test_json_to_the_letter() -> None:
    """What others rely on, and beside it nothing but what is new."""
    document: Any = as_json(Report(segments=(segment(),)))
    (told,) = document.pop("segments")
    assert document == {"schema": "wireproof.coverage/1", "verdict": "proven", "keys": [], "evidence": []}
    direction = told.pop("directions")[0]
    known = {"label": "in", "frames": 60, "data": 50, "authenticated": 50, "token_frames": 20}
    assert {name: direction[name] for name in known} == known
    added = {"ends", "first_time", "last_time", "sas", "negotiations", "downgrades", "residue", "timeline",
             "randomness", "specimens", "evidence"}  # fmt: skip
    assert {name: value for name, value in told.items() if name not in added} == (
        {
            "segment": "ce--msee1",
            "capture": "ce--msee1.pcapng",
            "sha256": "ab" * 32,
            "expect": "macsec",
            "verdict": "proven",
            "reasons": ["100 units authenticated, nothing clear; canary in 40 frames opened, on no wire"],
            "frames": 120,
            "octets": 60211,
            "census": {
                "macsec-encrypted": {"frames": 100, "octets": 60000},
                "control": {"frames": 20, "octets": 211},
            },
            "macsec": {"authenticated": 100, "failed": 0, "no_key": 0},
            "mka": {"authenticated": 0, "failed": 0, "no_key": 0},
            "ike": {"authenticated": 0, "failed": 0, "no_key": 0},
            "esp": {"authenticated": 0, "failed": 0, "no_key": 0},
            "cut": 0,
            "dropped": 0,
            "findings": [],
        }
    )


def test_json_of_findings_and_what_is_incomplete() -> None:
    document = as_json(REPORT)
    assert json.loads(json.dumps(document)) == document
    assert document["verdict"] == "violated"
    told = document["segments"][1]  # type: ignore[index]  # a JSON document is of plain objects
    assert told["esp"] == {"authenticated": 0, "failed": 0, "no_key": 0, "incomplete": 2}
    beside = {"bears_on_verdict": True, "why": "", "change": ""}
    assert told["findings"] == [
        {"code": "cleartext", "severity": "critical", "text": "in clear", "frames": [4, 9, 10], "count": 3, **beside},
        {"code": "cut", "severity": "warning", "text": "cut by the snap length", "frames": [], "count": 1, **beside},
    ]


def test_the_table_in_a_pipe() -> None:
    text = printed(REPORT)
    lines = text.splitlines()
    assert max(map(len, lines)) <= PIPE_WIDTH
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in text
    for words in ("ce--msee1", "expected macsec", "PROVEN", "100 macsec", "VIOLATED", "macsec-integ", "1/2 macsec",
                  "3 frames in clear: 4,", "critical cleartext: 3 frames in clear (4, 9-10)",
                  "warning cut: 1 frame cut by the snap length", "VIOLATED: 2 segments, 240 frames"):  # fmt: skip
        assert words in text
    heads = next(line for line in lines if "verdict" in line)
    assert heads.split() == ["segment", "verdict", "outermost", "authentic", "clear", "control", "why"]


def test_the_table_on_a_terminal_has_colours_and_its_width() -> None:
    for width in (100, 160):
        lines = io.StringIO()
        console = Console(file=lines, width=width, force_terminal=True, color_system="standard", legacy_windows=False)
        console.print(render(REPORT))
        assert "\x1b[1;32mPROVEN" in lines.getvalue()
        assert "\x1b[1;31mVIOLATED" in lines.getvalue()


def test_a_narrow_terminal_gets_lines_instead_of_a_table_that_would_lose_columns() -> None:
    class Narrow(io.StringIO):
        def isatty(self) -> bool:
            return True

    said = {}
    for width in (40, 71, 72, 100):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("COLUMNS", str(width))
            environment.setenv("TERM", "xterm")
            lines = Narrow()
            print_report(REPORT, lines)
        said[width] = re.sub("\x1b\\[[0-9;]*m", "", lines.getvalue())
        assert max(map(len, said[width].splitlines())) <= width
        assert "ce--msee1" in said[width]
    assert [line.rstrip() for line in said[40].splitlines()][1:3] == [" ce--msee1 PROVEN", "   expected macsec"]
    assert ("verdict" in said[71], "verdict" in said[72]) == (False, True)


class Ascii(io.StringIO):
    encoding = "ascii"


def test_the_table_where_only_ascii_can_be_written() -> None:
    lines = Ascii()
    print_report(Report(segments=(segment("müsli--msee1"),)), lines)
    assert lines.getvalue().isascii()
    assert "m?sli--msee1" in lines.getvalue()
    assert "----------" in lines.getvalue()


def test_very_many_reasons_and_findings_are_cut_short_in_the_table_alone() -> None:
    findings = tuple(
        Finding(code=f"code-{number}", severity=Severity.INFO, text="odd", frames=tuple(range(1, 99, 2)), count=49)
        for number in range(30)
    )
    many = segment(reasons=tuple(f"reason {number}" for number in range(30)), findings=findings)
    text = printed(Report(segments=(many,)))
    assert "reason 3" in text
    assert "and 26 more" in text
    assert "reason 4" not in text
    assert "and 22 more findings, see --json" in text
    assert "(1, 3, 5, 7, 9, 11, 13, 15, ...)" in text.replace("\n ", " ")
    document = as_json(Report(segments=(many,)))
    assert len(document["segments"][0]["findings"]) == 30  # type: ignore[index]


@pytest.mark.parametrize(("census", "shown"), [({}, "-"), ({"control": Count(frames=3, octets=5)}, "-")])
def test_a_segment_with_nothing_to_show(census: dict[str, Count], shown: str) -> None:
    units = dict.fromkeys(("macsec", "mka", "ike", "esp"), NONE)
    text = printed(Report(segments=(segment(census=census, units=units, expect=None),)))
    row = next(line for line in text.splitlines() if "ce--msee1" in line)
    assert row.split()[2:4] == [shown, "0"]


def test_directions_that_differ_are_told_apart() -> None:
    ways = tuple(
        DirectionReport(
            label=label,
            frames=9,
            data=9,
            authenticated=9,
            token_frames=1,
            source=source,
            target=target,
            verdict=verdict,
        )
        for label, source, target, verdict in (
            ("in", "msee1", "ce", Verdict.VIOLATED),
            ("out", "ce", "msee1", Verdict.PROVEN),
        )
    )
    text = printed(Report(segments=(segment(verdict=Verdict.VIOLATED, directions=ways),)))
    assert text.index("ce to msee1: PROVEN") < text.index("msee1 to ce:")
    alike = tuple(replace(way, verdict=Verdict.PROVEN) for way in ways)
    assert "ce to msee1" not in printed(Report(segments=(segment(directions=alike),)))


def test_the_ways_of_canaries() -> None:
    hops = tuple(
        HopReport(
            segment=name, direction=direction, form=form, frames=1, first_frame=1, first_time=1, encodings=("as sent",)
        )
        for name, direction, form in (
            ("ce--msee1", "ce to msee1", "in clear"),
            ("msee1--gw", "msee1 to gw", "inside IPsec inside MACsec"),
        )
    )
    path = CanaryPath(
        number=1, transport="udp", source="ce", target="gw", octets=32, arrived=True, attempts=1, hops=hops
    )
    half = replace(path, number=2, hops=hops[:1], arrived=False)
    text = printed(Report(segments=(segment(),), canaries=CanaryReport(sent=2, lost=("x",), paths=(path, half))))
    words = " ".join(text.split())
    assert "way of canaries from ce to gw: ce--msee1 in clear, msee1--gw inside IPsec inside MACsec (1 of 2)" in words


def test_what_several_segments_have_beside_the_verdict_is_said_once() -> None:
    weak = Finding(code="weak-group", severity=Severity.WARNING, text="with group 2", frames=(4,), count=1, bears=False)
    first, second = (replace(segment, findings=(weak,)) for segment in REPORT.segments[:2])
    alone = replace(weak, code="weak-cipher", text="with 3DES")
    report = replace(REPORT, segments=(first, replace(second, findings=(weak, alone))))
    said = " ".join(printed(report).split())
    assert said.count("weak-group") == 1
    assert f"with group 2: {first.segment} (4), {second.segment} (4)" in said
    assert f"{second.segment}: warning weak-cipher (beside the verdict): 1 frame with 3DES (4)" in said
