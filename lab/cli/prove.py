"""`wireproof prove`: canaries through a lab that runs, then the verdict on every segment."""

from __future__ import annotations

import click

from lab.cli.observe import json_option
from lab.errors import ExitCode


@click.command("prove")
@click.argument("name", required=False)
@click.option("--timeout", default=5.0, show_default=True, metavar="SECONDS", help="How long canaries may take.")
@json_option
def prove_command(name: str | None, timeout: float, as_json: bool) -> ExitCode:
    """Send canaries through lab NAME, or the only one there is, and prove what each segment carried.

    Every frame since the lab came up is judged, from the captures and the key log alone.
    """
    from lab.cli.console import print_json
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.proof import prove
    from lab.report.as_json import as_json as document
    from lab.report.terminal import print_report
    from lab.topology.load import load

    folder = choose(name)
    with Client(folder) as client:
        report = prove(client, load(folder.topology), timeout)
    if as_json:
        print_json(document(report))
    else:
        print_report(report)
    return report.verdict.exit_code
