"""Ending a lab from outside, whatever state it is in; and tidying up after one that is dead."""

from __future__ import annotations

import os

from lab.errors import MachineError
from lab.holder.client import Client
from lab.holder.labs import DeadLabError, NoLabError
from lab.host.processes import kill, wait_for_end
from lab.host.state import LabFolder

_GONE_WITHIN = 10.0


def take_down(folder: LabFolder, *, purge: bool) -> str:
    """End the lab, if it lives, and say what was done; with `purge` nothing of its folder stays.

    Raises:
        MachineError: something of the lab does not end.
    """
    if not folder.path.is_dir():
        return f"no lab {folder.name}"
    try:
        with Client(folder) as client:
            client.end()
        done = f"lab {folder.name} is down"
    except (NoLabError, DeadLabError) as gone:
        done = f"lab {folder.name} was dead" if isinstance(gone, DeadLabError) else f"no lab {folder.name}"
        _end_what_lives(folder)
    lock = folder.lock(timeout=_GONE_WITHIN)
    if lock is None:
        raise MachineError(f"a process of lab {folder.name} does not end; it holds {folder.path}")
    if purge:
        folder.remove()
        done += "; nothing of it is left"
    else:
        folder.forget_holder()
        if not done.startswith("no lab"):
            done += f"; its captures, logs and keys stay in {folder.path} until the next `up`"
    os.close(lock)
    return done


def _end_what_lives(folder: LabFolder) -> None:
    """A process 1 that is not listening yet, or no longer, is known by the record, if it is known at all."""
    record = folder.record()
    process = None if record is None else record.process.open()
    if process is not None:
        kill(process)
        wait_for_end(process, _GONE_WITHIN)
        os.close(process)
