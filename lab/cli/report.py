"""`wireproof report`: the report on a lab's captures, in any rendering, without sending anything."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.renderings import Renderings, hand_out, rendering_options
from lab.errors import ExitCode


@click.command("report")
@click.argument("name", metavar="[LAB]", required=False)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Write JSON; - is standard output."
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the report, and do nothing else.")
@rendering_options
def report_command(
    name: str | None,
    json_file: Path | None,
    schema: bool,
    html: Path | None,
    junit: Path | None,
    rules: tuple[str, ...],
) -> ExitCode:
    """Report on what LAB's captures hold so far: of a lab that runs, or of one that was taken down.

    Nothing is sent. Canaries are those of the last `prove`. Without --html, --junit or --json, or beside them, the
    table is printed; a FILE of - is standard output, instead of the table.

    \b
    wireproof report --html report.html --rules rfc-9206
    wireproof report expressroute-direct --json -
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.holder.evidence import examine_folder, take_evidence
    from lab.report.as_json import SCHEMA_FILE

    if schema:
        click.echo(SCHEMA_FILE.read_text(), nl=False)
        return ExitCode.OK
    evidence = take_evidence(name)
    renderings = Renderings(html=html, junit=junit, json_file=json_file, rules=rules)
    return hand_out(examine_folder(evidence), renderings, evidence.folder.topology)
