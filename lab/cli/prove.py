"""`wireproof prove`: canaries through a lab that runs, then the verdict on every segment."""

from __future__ import annotations

import click

from lab.cli.observe import json_option
from lab.errors import ExitCode


@click.command("prove")
@click.argument("name", required=False)
@click.option("--timeout", default=5.0, show_default=True, metavar="SECONDS", help="How long canaries may take.")
@click.option("--with-saks", is_flag=True, help="Judge MKA-keyed links by the SAKs on file, too, not by CAKs alone.")
@click.option("--watch", "watched", is_flag=True, help="Prove again and again, by the newest frames alone.")
@click.option("--pause", default=0.2, show_default=True, metavar="SECONDS", help="With --watch, between two proofs.")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N", help="With --watch, stop after so many proofs.")
@json_option
def prove_command(
    name: str | None,
    timeout: float,
    with_saks: bool,
    watched: bool,
    pause: float,
    rounds: int | None,
    as_json: bool,
) -> ExitCode:
    """Send canaries through lab NAME, or the only one there is, and prove what each segment carried.

    Every frame since the lab came up is judged, from the captures and the key log alone. Of the key log, a link that
    MKA keys takes its CAK and CKN and nothing else, where they are on file: what protected its frames is unwrapped from
    what was on its wire.

    With --watch, a line is printed a proof, each by the frames since the one before, until interrupted.
    """
    if watched:
        from lab.cli.watch import watch

        return watch(name, timeout, pause, rounds, as_json=as_json)
    from lab.cli.console import note, print_json
    from lab.holder import caks
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.proof import keys_on_file, prove
    from lab.report.as_json import as_json as document
    from lab.report.terminal import print_report
    from lab.topology.load import load

    folder = choose(name)
    with Client(folder) as client:
        report = prove(client, load(folder.topology), timeout, with_saks=with_saks)
    if not with_saks and (segments := sorted(caks.on_file(keys_on_file(folder)))):
        note(f"from CAK and CKN alone: {', '.join(segments)}")
    if as_json:
        print_json(document(report))
    else:
        print_report(report)
    return report.verdict.exit_code
