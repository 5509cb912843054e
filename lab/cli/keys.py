"""`wireproof keys`: key logs, from and for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.keys_import import import_command
from lab.cli.observe import lab_option


@click.group("keys")
def keys_command() -> None:
    """Hand the keys of a lab, or of any key log, to other programs; take keys from them."""


keys_command.add_command(import_command)


@keys_command.command("wireshark")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--keys", "key_logs", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
    help="A key log, instead of the running lab's; repeatable.",
)  # fmt: skip
@lab_option
def wireshark(folder: Path, key_logs: tuple[Path, ...], lab_name: str | None) -> None:
    """Write the tables that Wireshark and tshark open IKEv2 and ESP with: esp_sa and ikev2_decryption_table in DIR.

    \b
    wireproof keys wireshark ws
    WIRESHARK_CONFIG_DIR=ws tshark -o esp.enable_encryption_decode:TRUE -r link1.pcapng

    What Wireshark cannot do is left out and named. Whoever reads the tables reads the traffic; their mode is 0600.
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.capture import keylog
    from lab.capture.wireshark import tables_of, write
    from lab.cli.console import note
    from lab.errors import InputError
    from lab.holder.labs import choose

    if key_logs and lab_name:
        raise InputError("--keys and --lab both say whose keys are meant; give one of them")
    sources = key_logs or (choose(lab_name).keys,)
    tables = tables_of([key for source in sources for key in keylog.read(source)])
    for text in tables.notes:
        note(text)
    for path, rows in zip(write(folder, tables), (tables.esp, tables.ike), strict=True):
        click.echo(f"{path}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}")
    note(f"to use them: WIRESHARK_CONFIG_DIR={folder} wireshark -o esp.enable_encryption_decode:TRUE"
         " -o esp.enable_authentication_check:TRUE CAPTURE")  # fmt: skip
