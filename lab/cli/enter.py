"""`wireproof exec` and `wireproof shell`: being in a node."""

from __future__ import annotations

import os

import click

from lab.cli.observe import lab_option
from lab.holder.client import Client
from lab.holder.labs import choose
from lab.host.entering import run_command


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@lab_option
def exec_command(node: str, command: tuple[str, ...], lab_name: str | None) -> int:
    """Run COMMAND in a node, as in `wireproof exec ce -- ip route`, and exit with its exit code."""
    return _run(node, command, lab_name)


@click.command("shell")
@click.argument("node")
@lab_option
def shell_command(node: str, lab_name: str | None) -> int:
    """Open a shell in a node: $SHELL, else /bin/sh."""
    return _run(node, (os.environ.get("SHELL") or "/bin/sh",), lab_name)


def _run(node: str, command: tuple[str, ...], lab_name: str | None) -> int:
    folder = choose(lab_name)
    with Client(folder) as client:
        entrance = client.enter([node])
    environment = {**os.environ, "WIREPROOF_LAB": folder.name, "WIREPROOF_NODE": node}
    return run_command(entrance, node, command, environment)
