"""`wireproof keys import`: the keys of Wireshark, strongSwan and iproute2, as a key log."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lab.errors import ExitCode


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "key_log", metavar="KEYLOG", required=True, type=click.Path(path_type=Path),
    help="The key log; made with mode 0600, or added to.",
)  # fmt: skip
def import_command(files: tuple[Path, ...], key_log: Path) -> ExitCode:
    """Add the keys in files of other programs to a key log, for `verify --keys`.

    \b
    Each FILE is one of
      Wireshark's tables esp_sa and ikev2_decryption_table
      strongSwan's log with `ike = 4` and `chd = 4` (save-keys writes Wireshark's tables)
      what `ip xfrm state` prints, or a script of `ip xfrm state add`
      what `ip macsec show` prints, and a script of `ip macsec add`

    `ip macsec show` tells who uses which key by its id, and never the key: give the lines that installed the keys, too.
    What cannot be imported is told with its file and line, and never the key itself.
    """  # noqa: D301 - click's sign for lines that stay as they are
    from lab.capture import keylog
    from lab.capture.foreign.read import read
    from lab.cli.console import note
    from lab.errors import InputError

    found = read(files)
    if not found.objects:
        raise InputError([*found.problems] or "no keys were found")
    for problem in found.problems:
        note(f"not imported: {problem}")
    there = {_canonical(json.loads(line)) for line in _lines(key_log)}
    fresh = [fields for fields in found.objects if _canonical(fields) not in there]
    keylog.append(key_log, *fresh)
    key_log.chmod(0o600)
    kinds: dict[str, int] = {}
    for fields in fresh:
        kinds[str(fields["type"])] = kinds.get(str(fields["type"]), 0) + 1
    added = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing that was not there"
    click.echo(f"{key_log}: added {added}")
    return ExitCode.OK


def _lines(key_log: Path) -> list[bytes]:
    """The lines of a key log that is there already, which must be one."""
    from lab.capture import keylog

    if not key_log.exists():
        return []
    keylog.read(key_log)
    return [line for line in key_log.read_bytes().splitlines() if line.strip()]


def _canonical(fields: object) -> str:
    return json.dumps(fields, sort_keys=True)
