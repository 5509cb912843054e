"""`wireproof up` and `wireproof down`: a lab's begin and end."""

from __future__ import annotations

import gc
import time

import click

from lab.cli.console import note, print_json


@click.command("up")
@click.argument("file")
@click.option("--name", help="Call the lab so, instead of as its topology is called.")
@click.option("--no-limits", is_flag=True, help="Keep nobody to the bandwidth of circuits or the size of gateways.")
@click.option("--log-cak", is_flag=True, help="Write CAKs of your own vaults to the key log, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when the lab is up.")
def up_command(file: str, name: str | None, no_limits: bool, log_cak: bool, as_json: bool) -> None:
    """Stand a topology up, and say which step took how long.

    FILE is a path, or the name of a topology in ./topologies or of one that came with wireproof. A lab of that name
    that is up already is left as it is.

    The lab's key log gets every SAK, and the CAKs that were made for this lab; they are enough to open its captures.
    """
    began = time.monotonic()
    gc.disable()  # what is imported stays: looking for garbage in it is a fifth of the time
    from lab.errors import CheckFailedError
    from lab.holder.labs import is_listening
    from lab.holder.launch import Wishes, claim, launch
    from lab.host.state import LabFolder
    from lab.topology.find import find
    from lab.topology.load import load

    gc.freeze()
    gc.enable()
    note_phase("import", time.monotonic() - began)
    phase_began = time.monotonic()
    path = find(file)
    topology = load(path)
    for warning in topology.warnings:
        note(f"warning: {warning}")
    note_phase(f"read {path}", time.monotonic() - phase_began)
    folder = LabFolder.of(topology.name if name is None else name)
    lock = claim(folder)
    if lock is None:
        if not is_listening(folder):
            raise CheckFailedError(f"another command is making lab {folder.name}, or ending it; try again")
        note(f"lab {folder.name} is up already; `wireproof down {folder.name}` takes it down")
    else:
        wishes = Wishes(limits=not no_limits, log_cak=log_cak)
        launch(topology, folder, lock, note_phase, lambda text: note(f"warning: {text}"), wishes)
        note(f"lab {folder.name} is up after {time.monotonic() - began:.2f} s: {len(topology.nodes)} nodes, "
             f"{len(topology.links)} segments")  # fmt: skip
    if as_json:
        seconds = round(time.monotonic() - began, 3)
        print_json({"lab": folder.name, "folder": str(folder.path), "started": lock is not None, "seconds": seconds})


@click.command("down")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Take every lab of yours down.")
@click.option("--purge", is_flag=True, help="Remove captures, logs, events and keys, too.")
def down_command(name: str | None, everything: bool, purge: bool) -> None:
    """Take a lab down: NAME, or the only one there is, or all.

    Its captures, logs, events and key log stay until the next `up` of that name, or until `down --purge`.
    """
    from lab.errors import InputError
    from lab.holder.labs import known
    from lab.holder.takedown import take_down
    from lab.host.state import LabFolder, folders

    if name is not None:
        chosen = [LabFolder.of(name)]
    else:
        chosen = list(folders()) if everything and purge else [lab.folder for lab in known()]
        if len(chosen) > 1 and not everything:
            raise InputError(
                f"there are several labs, name one or say --all: {', '.join(folder.name for folder in chosen)}"
            )
    if not chosen:
        note("no lab")
    for folder in chosen:
        note(take_down(folder, purge=purge))


def note_phase(name: str, seconds: float) -> None:
    """Say how long a step took."""
    note(f"  {name:<40} {seconds * 1000:7.1f} ms")
