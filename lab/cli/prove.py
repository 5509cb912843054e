"""`wireproof prove`: canaries through a lab that runs, then the verdict on every segment."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.observe import json_option
from lab.cli.renderings import Renderings, hand_out, rendering_options
from lab.errors import ExitCode


@click.command("prove")
@click.argument("name", required=False)
@click.option("--timeout", default=5.0, show_default=True, metavar="SECONDS", help="How long canaries may take.")
@json_option
@rendering_options
def prove_command(
    name: str | None, timeout: float, as_json: bool, html: Path | None, junit: Path | None, rules: tuple[str, ...]
) -> ExitCode:
    """Send canaries through lab NAME, or the only one there is, and prove what each segment carried.

    Every frame since the lab came up is judged, from the captures and the key log alone.
    """
    from dataclasses import replace

    from lab.coverage.provenance import formed_here
    from lab.holder.client import Client
    from lab.holder.labs import choose
    from lab.holder.proof import prove
    from lab.topology.load import load

    folder = choose(name)
    with Client(folder) as client:
        report = prove(client, load(folder.topology), timeout)
    report = replace(report, provenance=formed_here(folder.topology))
    return hand_out(report, Renderings(html=html, junit=junit, as_json=as_json, rules=rules))
