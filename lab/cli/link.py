"""`wireproof link`: cutting a wire, and mending it."""

from __future__ import annotations

import click

from lab.cli.console import note
from lab.cli.observe import lab_option
from lab.holder.client import Client
from lab.holder.labs import choose


@click.command("link")
@click.argument("segment")
@click.argument("state", type=click.Choice(["up", "down"]))
@lab_option
def link_command(segment: str, state: str, lab_name: str | None) -> None:
    """Cut the link SEGMENT, or mend it.

    The wire itself goes down, below MACsec and tags: what speaks over it notices by BFD, or by silence.
    """
    with Client(choose(lab_name)) as client:
        client.ask("link", segment=segment, state=state, timeout=30.0)
    note(f"link {segment} is {state}")
