"""`wireproof list`, `status`, `logs`, `events`: looking at labs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.overview import age, print_status
from lab.errors import ExitCode, InputError
from lab.holder.client import Client
from lab.holder.labs import choose, known
from lab.host.channel import Message
from lab.host.state import LabFolder

lab_option = click.option("--lab", "lab_name", metavar="NAME", help="The lab that is meant, where several are up.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_GLANCE = 0.2  # seconds between two looks at a file that may have grown


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the labs that are up, and those that died without being taken down."""
    labs = known()
    if as_json:
        print_json([
            {"lab": lab.folder.name, "state": lab.state, "folder": str(lab.folder.path),
             "source": lab.record.source if lab.record else None,
             "pid": lab.record.process.pid if lab.record else None,
             "since": lab.record.since if lab.record else None}
            for lab in labs
        ])  # fmt: skip
    elif not labs:
        note("no lab")
    else:
        rows = [(lab.folder.name, lab.state, age(lab.record.since) if lab.record else "",
                 lab.record.source if lab.record else "") for lab in labs]  # fmt: skip
        print_table(("lab", "state", "for", "source"), rows)


@click.command("status")
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Show it again every second, until interrupted.")
@json_option
def status_command(name: str | None, watch: bool, as_json: bool) -> ExitCode:
    """Show a lab's nodes and segments: NAME, or the only lab there is.

    Exits with 1 when the lab is dead or a process of it has failed.
    """
    folder = choose(name)
    while True:
        with Client(folder) as client:
            status = client.ask("status")
        if watch and sys.stdout.isatty():
            click.clear()
        print_json(status) if as_json else print_status(status)
        if not watch:
            return ExitCode.VIOLATED if status["failed"] else ExitCode.OK
        time.sleep(1)


@click.command("logs")
@click.argument("node")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows, until the lab is gone.")
@lab_option
def logs_command(node: str, follow: bool, lab_name: str | None) -> None:
    """Show the log of a node's process, or of `holder`, the lab's process 1, or of `capture`."""
    folder = choose(lab_name)
    path = folder.log(node)
    if not path.is_file():
        there = sorted(log.stem for log in folder.logs.glob("*.log"))
        raise InputError(f"there is no log of {node!r}; there are those of {', '.join(there) or 'nobody'}")
    with path.open(encoding="utf-8", errors="replace") as log, ExitStack() as stack:
        client = stack.enter_context(Client(folder)) if follow else None
        ended = client is None
        while True:
            click.echo(log.read(), nl=False)
            if client is None or ended:
                return
            ended = client.ends_within(_GLANCE)


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on as they happen, until the lab is gone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@lab_option
def events_command(follow: bool, as_json: bool, lab_name: str | None) -> None:
    """Print what happened in a lab since it was ordered."""
    import json

    for event in _events(choose(lab_name), follow=follow):
        click.echo(json.dumps(event) if as_json else _sentence(event))


def _events(folder: LabFolder, *, follow: bool) -> Iterator[Message]:
    """What is on file; then, as long as the lab lives, what comes. Nothing twice, nothing left out."""
    import json

    with ExitStack() as stack:
        coming = stack.enter_context(Client(folder)).events() if follow else iter(())
        last_seq = next(coming)["last_seq"] if follow else None
        if folder.events.exists():
            for line in folder.events.read_text().splitlines():
                event: Message = json.loads(line)
                if last_seq is None or event["seq"] <= last_seq:
                    yield event
        yield from coming


def _sentence(event: Mapping[str, Any]) -> str:
    fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("seq", "time", "event"))
    return f"{event['time'][11:23]}  {event['event']:<20} {fields}".rstrip()
