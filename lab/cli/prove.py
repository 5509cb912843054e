"""`wireproof prove`: canaries through a lab that runs, then the verdict on every segment."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.console import Seconds, note
from lab.cli.observe import json_option
from lab.cli.renderings import Renderings, hand_out, rendering_options
from lab.errors import ExitCode


@click.command("prove")
@click.argument("name", required=False)
@click.option(
    "--timeout",
    type=Seconds(0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long canaries may take.",
)
@click.option("--with-saks", is_flag=True, help="Judge MKA-keyed links by the SAKs on file, too, not by CAKs alone.")
@click.option("--watch", "watched", is_flag=True, help="Prove again and again, by the newest frames alone.")
@click.option(
    "--pause",
    type=Seconds(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="With --watch, between two proofs.",
)
@click.option("--rounds", type=click.IntRange(min=1), metavar="N", help="With --watch, stop after so many proofs.")
@json_option
@rendering_options
def prove_command(
    name: str | None,
    timeout: float,
    with_saks: bool,
    watched: bool,
    pause: float,
    rounds: int | None,
    as_json: bool,
    html: Path | None,
    junit: Path | None,
    rules: tuple[str, ...],
) -> ExitCode:
    """Send canaries through lab NAME, or the only one there is, and prove what each segment carried.

    Every frame since the lab came up is judged, from the captures and the key log alone. Of the key log, a link that
    MKA keys takes its CAK and CKN and nothing else, where they are on file: what protected its frames is unwrapped from
    what was on its wire.

    With --watch, a line is printed a proof, each by the frames since the one before, until interrupted.
    """
    if watched:
        from lab.cli.watch import watch

        if html or junit or rules:
            raise click.UsageError("--watch prints lines as it goes on; --html, --junit and --rules are for one proof")
        return watch(name, timeout, pause, rounds, as_json=as_json)
    from lab.coverage.caks import on_file
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.proof import keys_on_file, prove
    from lab.topology.load import load

    folder = choose(name)
    with Client(folder) as client:
        report = prove(client, load(folder.topology), timeout, with_saks=with_saks)
    if not with_saks and (segments := sorted(on_file(keys_on_file(folder)))):
        note(f"from CAK and CKN alone: {', '.join(segments)}")
    return hand_out(report, Renderings(html=html, junit=junit, as_json=as_json, rules=rules), folder.topology)
