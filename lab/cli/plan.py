"""`wireproof plan`: what `up` would do."""

from __future__ import annotations

import click


@click.command("plan")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan_command(file: str, as_json: bool) -> None:
    """Print what `up FILE` would do, in order, each step with what undoes it; do nothing.

    FILE is a path, or the name of a topology in ./topologies or of one that came with wireproof.
    """
    from lab.topology.find import find
    from lab.topology.load import load
    from lab.topology.plan import plan
    from lab.topology.render import as_document, as_text

    topology = load(find(file))
    for warning in topology.warnings:
        click.echo(f"warning: {warning}", err=True)
    operations = plan(topology)
    click.echo(as_document(topology, operations) if as_json else as_text(operations))
