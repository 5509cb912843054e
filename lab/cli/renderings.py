"""How commands that end in a verdict hand it out: the table or JSON on standard output, and files of any rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lab.cli.console import note
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.coverage.document import Report

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderings:
    """What was asked for. `json_file` is for commands whose --json takes a file."""

    html: Path | None = None
    junit: Path | None = None
    json_file: Path | None = None
    as_json: bool = False
    rules: tuple[str, ...] = ()


def rendering_options(command: Command) -> Command:
    """The options --html, --junit and --rules."""
    for option in (
        click.option("--rules", "rules", metavar="NAME", multiple=True, help="A rule pack to go through: wireproof,"
                     " pci-dss-4.0.1, nist-sp-800-77r1, rfc-9206, or a YAML file. Repeatable."),
        click.option("--junit", "junit", metavar="FILE", type=click.Path(path_type=Path),
                     help="Write JUnit XML, a case for each segment and direction."),
        click.option("--html", "html", metavar="FILE", type=click.Path(path_type=Path),
                     help="Write the report as one HTML file that needs nothing else."),
    ):  # fmt: skip
        command = option(command)
    return command


def hand_out(report: Report, renderings: Renderings, topology: Path | None = None) -> ExitCode:
    """Print the report and write the files asked for; give the verdict's exit code.

    Where it has no provenance yet, it gets that of this machine, now, and of this topology's file.

    Raises:
        InputError: there is no such rule pack, or a file cannot be written.
    """
    from dataclasses import replace

    if renderings.rules:
        from lab.coverage.rules.checks import apply_packs

        report = replace(report, rules=apply_packs(report, renderings.rules))
    if report.provenance is None and (renderings.as_json or renderings.html or renderings.json_file):
        from lab.coverage.provenance import formed_here

        report = replace(report, provenance=formed_here(topology))
    if renderings.html is not None:
        from lab.report.html import as_html

        _write(renderings.html, as_html(report))
    if renderings.junit is not None:
        from lab.report.junit import as_junit

        _write(renderings.junit, as_junit(report))
    if renderings.json_file is not None:
        import json

        from lab.report.as_json import as_json

        _write(renderings.json_file, json.dumps(as_json(report), indent=2) + "\n")
    if renderings.as_json:
        from lab.cli.console import print_json
        from lab.report.as_json import as_json

        print_json(as_json(report))
    elif Path("-") not in (renderings.html, renderings.junit, renderings.json_file):
        from lab.report.terminal import print_report

        print_report(report)
    return report.verdict.exit_code


def _write(path: Path, text: str) -> None:
    if path == Path("-"):
        click.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    note(f"{path} is written")
