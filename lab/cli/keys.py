"""`wireproof keys`: key logs, from and for other programs."""

from __future__ import annotations

import click

from lab.cli.keys_import import import_command


@click.group("keys")
def keys_command() -> None:
    """Take keys from other programs into a key log."""


keys_command.add_command(import_command)
