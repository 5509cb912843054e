"""Which labs there are, and whether they live. A lab lives when somebody listens at its control socket."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import CheckFailedError, InputError
from lab.host.control import connect
from lab.host.processes import boot_id
from lab.host.state import HolderRecord, LabFolder, folders


class NoLabError(InputError):
    """There is no lab of that name."""


class DeadLabError(CheckFailedError):
    """Of the lab there is only what it left when it died."""


def absence(folder: LabFolder) -> NoLabError | DeadLabError:
    """Why nobody answers for the lab."""
    if (record := folder.record()) is not None:
        return DeadLabError(epitaph(folder, record))
    others = ", ".join(lab.folder.name for lab in known())
    made = f"there are {others}" if others else "`wireproof up FILE` makes one"
    return NoLabError(f"there is no lab {folder.name!r}; {made}")


def epitaph(folder: LabFolder, record: HolderRecord) -> str:
    """Say of a dead lab what became of it, what is left, and what to do."""
    if record.process.boot_id != boot_id():
        cause = "this machine was started anew since"
    else:
        cause = f"its process 1 (pid {record.process.pid}) was killed or crashed"
    return (
        f"lab {folder.name} is dead: {cause}. Nothing of it runs; its captures, logs and keys are still in "
        f"{folder.path}. `wireproof up {record.source}` makes it anew, `wireproof down {folder.name}` tidies up"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A lab that lives, or died without being taken down."""

    folder: LabFolder
    record: HolderRecord | None
    lives: bool

    @property
    def state(self) -> str:
        """In one word."""
        return "up" if self.lives else "dead"


def is_listening(folder: LabFolder) -> bool:
    """Whether the lab's process 1 can be called."""
    try:
        connect(folder.control).close()
    except OSError:
        return False
    return True


def known() -> list[Known]:
    """All of this user's labs that live or are dead; not those that were taken down."""
    found = []
    for folder in folders():
        lives = is_listening(folder)
        record = folder.record()
        if lives or record is not None:
            found.append(Known(folder=folder, record=record, lives=lives))
    return found


def choose(name: str | None) -> LabFolder:
    """The lab of that name; without a name the one that runs, or, if none runs, the one that is dead.

    Raises:
        InputError: there is none, or there are several.
    """
    if name is not None:
        return LabFolder.of(name)
    labs = known()
    candidates = [lab.folder for lab in labs if lab.lives] or [lab.folder for lab in labs]
    if not candidates:
        raise InputError("no lab is up; `wireproof up FILE` makes one")
    if len(candidates) > 1:
        raise InputError(f"there are several labs, name one: {', '.join(folder.name for folder in candidates)}")
    return candidates[0]
