"""What commands print: tables for people, plain columns for pipes, JSON for programs. Data goes to standard output."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence

import click


def print_json(document: object) -> None:
    """Print one JSON object: indented on a terminal, else on one line."""
    click.echo(json.dumps(document, indent=2 if sys.stdout.isatty() else None))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows under the names of their columns; None is an empty cell. A column without name and cells is none."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    kept = [i for i, column in enumerate(columns) if column or any(line[i] for line in cells)]
    columns, cells = [columns[i] for i in kept], [[line[i] for i in kept] for line in cells]
    if sys.stdout.isatty():
        _print_rich(columns, cells, title)
    else:
        _print_plain(columns, cells, title)


class Seconds(click.ParamType[float]):
    """A time, as an option: a number of seconds, from `least` on."""

    name = "seconds"

    def __init__(self, least: float) -> None:
        self._least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Take the number; what is none, or is endless, is bad usage."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = math.nan
        if not self._least <= seconds < math.inf:
            self.fail(f"{value!r} is not a number of seconds from {self._least:g} on.", param, ctx)
        return seconds


def note(text: str) -> None:
    """Say something that is not data."""
    click.echo(text, err=True)


def _print_plain(columns: Sequence[str], cells: list[list[str]], title: str | None) -> None:
    if title:
        click.echo(title)
    lines = [[column.upper() for column in columns], *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(columns: Sequence[str], cells: list[list[str]], title: str | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in line))
    Console().print(table)


# Cells that a person looks for.
_STYLES = {
    "works": "green",
    "ready": "green",
    "up": "green",
    "missing": "bold red",
    "failed": "bold red",
    "dead": "bold red",
    "limited": "yellow",
}
