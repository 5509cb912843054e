"""`wireproof doctor`: what this machine can do, and how to mend what it cannot."""

from __future__ import annotations

from dataclasses import asdict

import click

from lab.cli.console import note, print_json, print_table
from lab.errors import ExitCode


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor_command(as_json: bool) -> ExitCode:
    """Try everything that a lab needs of this machine, and say what works, what is missing, and what mends it.

    Exits with 4 when something is missing. Nothing is changed.
    """
    from lab.host.preflight import Verdict, examine

    needs = examine()
    missing = [need for need in needs if need.verdict is Verdict.MISSING]
    if as_json:
        print_json({"able": not missing, "needs": [asdict(need) for need in needs]})
    else:
        print_table(("need", "verdict", "detail"), [(need.name, need.verdict, need.detail) for need in needs])
        for need in needs:
            if need.fix is not None:
                note(f"{need.name}: {need.fix}")
    return ExitCode.CANNOT if missing else ExitCode.OK
