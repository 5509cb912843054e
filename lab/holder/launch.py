"""What `up` does from outside: claims the lab's folder, opens the secrets, forks the holder, and listens to it."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.capture import keylog
from lab.errors import WireproofError
from lab.holder import caks
from lab.holder.failure import failure
from lab.holder.main import begin
from lab.holder.order import Order
from lab.host.channel import Channel
from lab.host.processes import fork, interrupts_held, kill
from lab.host.programs import check_programs
from lab.host.state import LabFolder
from lab.model.topology import Topology
from lab.topology.enforcement import without_limits
from lab.topology.operations import GenerateSecret
from lab.topology.plan import plan
from lab.topology.vaults import generate_secrets, resolve_secrets
from lab.vault.roots import user_root

_GONE_WITHIN = 10.0  # seconds after process 1 was killed until nothing of it holds the lock
Progress = Callable[[str, float], None]
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a lab is to be made, beyond its topology.

    Without `limits`, no bandwidth is limited. With `log_cak` CAKs of the user's own vaults, too, go to the key log.
    """

    limits: bool = True
    log_cak: bool = False


def claim(folder: LabFolder) -> int | None:
    """Take the lab's lock and make its folder empty; None when a lab of that name lives.

    Raises:
        MachineError: the folder cannot be this user's alone.
    """
    lock = folder.lock(timeout=0.2)  # somebody else may be clearing up
    if lock is not None:
        folder.clear()
    return lock


def launch(
    topology: Topology,
    folder: LabFolder,
    lock: int,
    progress: Progress,
    warn: Warn = lambda _: None,
    wishes: Wishes | None = None,
) -> None:
    """Make a lab in the folder that is claimed by `lock`; `progress` gets each phase's name and seconds.

    `warn` gets, in words, what is not as the topology means it to be, although the lab is up.

    Returns when it is up. When it cannot be, nothing of it is left: no process, no file.

    Raises:
        WireproofError: why it cannot.
    """
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, lock)
        undo.callback(folder.remove)
        check_programs(topology)
        for path in (folder.captures, folder.logs):
            path.mkdir(mode=0o700)
        shutil.copyfile(topology.source, folder.topology)
        began = time.monotonic()
        order = _order(topology, folder, wishes or Wishes())
        if order.secrets:
            progress("secrets", time.monotonic() - began)
        _launch(order, lock, undo, progress, warn)
        undo.pop_all()


def _order(topology: Topology, folder: LabFolder, wishes: Wishes) -> Order:
    """Have the topology's own secrets made, open all that it names, log CAKs, and order the rest."""
    if not wishes.limits:
        topology = without_limits(topology)
    operations = plan(topology, limits=wishes.limits)
    own = [operation for operation in operations if isinstance(operation, GenerateSecret)]
    generate_secrets(own, folder.vaults, topology.identity, time.time())
    opened = resolve_secrets(topology, folder.vaults, user_root(os.environ), time.time())
    if records := caks.records(topology, opened, every=wishes.log_cak):
        keylog.append(folder.keys, *records)
    rest = tuple(operation for operation in operations if not isinstance(operation, GenerateSecret))
    return Order(folder=folder, topology=topology, plan=rest, secrets=opened)


def _launch(order: Order, lock: int, undo: contextlib.ExitStack, progress: Progress, warn: Warn) -> None:
    """Fork the holder, which takes the lock over, and listen until the lab is up."""
    # An interrupt while process 1 is made, and nobody knows of it yet, would leave a lab that nobody ends.
    with interrupts_held() as let_through:
        ours, theirs = Channel.pair()
        try:
            child = _fork(order, lock, theirs)
        finally:
            theirs.close()
        undo.pop_all()
        undo.callback(_remove, order.folder)
        os.close(lock)
        processes = [os.pidfd_open(child)]
        try:
            let_through()
            _listen(ours, order.folder, progress, warn, processes)
        except BaseException:
            for process in processes:
                kill(process)
            raise
        finally:
            os.waitpid(child, 0)
            for process in processes:
                os.close(process)
            ours.close()


def _fork(order: Order, lock: int, theirs: Channel) -> int:
    log = os.open(order.folder.log("holder"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return fork(functools.partial(begin, order, lock, theirs), keep=(lock, theirs.fileno()), output=log)
    finally:
        os.close(log)


def _listen(ours: Channel, folder: LabFolder, progress: Progress, warn: Warn, processes: list[int]) -> None:
    while True:
        ours.wait()
        try:
            message = ours.receive()
        except EOFError:
            raise WireproofError(f"process 1 ended before the lab was up{_last_words(folder)}") from None
        match message:
            case {"type": "holder", "pid": int(pid)}:
                with contextlib.suppress(ProcessLookupError):  # then its end is what we hear next
                    processes.append(os.pidfd_open(pid))
            case {"type": "phase", "name": str(name), "seconds": float(seconds)}:
                progress(name, seconds)
            case {"type": "warning", "text": str(text)}:
                warn(text)
            case {"type": "error", "message": str(text), "exit_code": int(code)}:
                raise failure(text, code)
            case {"type": "up"}:
                return
            case _:
                raise WireproofError(f"process 1 says what nobody here knows: {message!r}")


def _last_words(folder: LabFolder) -> str:
    try:
        lines = folder.log("holder").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in lines[-8:])


def _remove(folder: LabFolder) -> None:
    """Remove the folder, once nothing of the lab lives."""
    lock = folder.lock(timeout=_GONE_WITHIN)
    if lock is not None:
        folder.remove()
        os.close(lock)
