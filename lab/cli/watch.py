"""What `wireproof prove --watch` prints: a line a round, and what is wrong where something changed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from lab.errors import ExitCode

if TYPE_CHECKING:
    from lab.coverage.document import Report
    from lab.holder.watching import Round

_STYLES = {"proven": "green", "violated": "red", "unproven": "yellow"}


def watch(name: str | None, timeout: float, pause: float, most: int | None, *, as_json: bool) -> ExitCode:
    """Prove again and again, at most so many times; give the last verdict's exit code."""
    from itertools import islice

    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.watching import rounds
    from lab.topology.load import load

    folder = choose(name)
    code, said = ExitCode.UNPROVEN, ""
    with Client(folder) as client:
        for each in islice(rounds(client, load(folder.topology), timeout, pause), most):
            code = each.report.verdict.exit_code
            if as_json:
                click.echo(json.dumps(_document(each)))
            else:
                said = _print(each, said)
    return code


def _print(each: Round, said: str) -> str:
    report = each.report
    clock = time.strftime("%H:%M:%S", time.localtime(each.began)) + f".{int(each.began * 10) % 10}"
    verdict = click.style(str(report.verdict).upper(), fg=_STYLES[report.verdict], bold=True)
    assert report.canaries is not None
    arrived = report.canaries.sent - len(report.canaries.lost)
    click.echo(f"{clock}  {verdict}  {arrived} of {report.canaries.sent} canaries arrived, {each.seconds:.2f} s")
    wrong = "\n".join(f"    {line}" for line in _wrong(report))
    if wrong and wrong != said:
        click.echo(wrong)
    return wrong


def _wrong(report: Report) -> list[str]:
    """A line for each segment that is not proven: its ways, and the first reason."""
    lines = []
    for segment in report.segments:
        if segment.verdict != "proven":
            ways = ", ".join(
                f"{way.title} {way.data - way.authenticated} of {way.data} clear"
                for way in segment.directions
                if way.data > way.authenticated and segment.expect != "clear"
            )
            lines.append(f"{segment.segment}: {segment.verdict}; {ways or segment.reasons[0]}")
    return lines


def _document(each: Round) -> dict[str, object]:
    report = each.report
    return {
        "time": each.began,
        "seconds": round(each.seconds, 3),
        "verdict": str(report.verdict),
        "segments": [
            {
                "segment": segment.segment,
                "verdict": str(segment.verdict),
                "reasons": list(segment.reasons),
                "directions": [
                    {
                        "label": way.label,
                        "from": way.source,
                        "to": way.target,
                        "verdict": str(way.verdict),
                        "data": way.data,
                        "authenticated": way.authenticated,
                    }
                    for way in segment.directions
                ],
            }
            for segment in report.segments
        ],
        "canaries": {"sent": report.canaries.sent, "lost": len(report.canaries.lost)} if report.canaries else None,
    }
