"""The folder in which a lab's files are: outside of its namespaces, of this user alone, one for each lab.

Its lock tells whether anything of the lab lives: process 1 takes it before it does anything else, every process that
it forks shares it, and the kernel lets go of it when the last of them has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import InputError, MachineError
from lab.host.processes import Identity

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def root() -> Path:
    """The folder of all of this user's labs; it need not exist."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_own_folder(Path(runtime)):
        return Path(runtime, "wireproof")
    return Path(os.environ.get("TMPDIR") or "/tmp", f"wireproof-{os.getuid()}")  # noqa: S108 - made 0700 and checked


def ensure_root() -> None:
    """Make the folder of all labs if it is not there.

    Raises:
        MachineError: it is not this user's alone.
    """
    _make_own_folder(root())


def check_name(name: str) -> str:
    """Give the name back if a lab may be called so.

    Raises:
        InputError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a lab's name: up to 63 letters, digits, '.', '_' and '-', "
            "of which the first is a letter or a digit"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderRecord:
    """What is known outside about a lab's process 1. `since` is in seconds since 1970."""

    process: Identity
    source: str
    since: float


@dataclass(frozen=True, slots=True)
class LabFolder:
    """One lab's folder and what is in it."""

    name: str
    path: Path

    @classmethod
    def of(cls, name: str) -> LabFolder:
        """The folder of the lab of that name; it need not exist.

        Raises:
            InputError: no lab can be called so.
        """
        return cls(check_name(name), root() / name)

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.path / "control"

    @property
    def record_file(self) -> Path:
        """Who holds the lab."""
        return self.path / "holder.json"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def keys(self) -> Path:
        """The key log."""
        return self.path / "keys.jsonl"

    @property
    def captures(self) -> Path:
        """One pcapng for each segment."""
        return self.path / "captures"

    @property
    def proof(self) -> Path:
        """What the last `prove` sent, and what came of it."""
        return self.path / "proof.json"

    @property
    def logs(self) -> Path:
        """One log for each node that has a process, and the holder's."""
        return self.path / "logs"

    @property
    def vaults(self) -> Path:
        """The lab's own vaults, with the secrets that were made for it."""
        return self.path / "vaults"

    @property
    def topology(self) -> Path:
        """A copy of the topology file that the lab was made from."""
        return self.path / "topology.yaml"

    def log(self, name: str) -> Path:
        """The log of a node, or of `holder`."""
        return self.logs / f"{name}.log"

    def record(self) -> HolderRecord | None:
        """Who holds the lab, or held it without taking it down; None when nobody does."""
        try:
            found = json.loads(self.record_file.read_text())
            return HolderRecord(
                process=Identity(**found["process"]), source=str(found["source"]), since=float(found["since"])
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise MachineError(f"{self.record_file} is damaged", fix=f"rm -r {self.path}") from error

    def write_record(self, record: HolderRecord) -> None:
        """Say who holds the lab; a reader sees all of it or nothing."""
        new = self.path / ".holder.json"
        new.write_text(json.dumps(asdict(record)) + "\n")
        new.replace(self.record_file)

    def forget_holder(self) -> None:
        """Nobody holds the lab any more; its secrets go, captures, logs, events and key log stay."""
        shutil.rmtree(self.vaults, ignore_errors=True)
        for path in (self.control, self.record_file):
            path.unlink(missing_ok=True)

    def lock(self, timeout: float = 0.0) -> int | None:
        """Take the lab's lock, making the folder if need be; None when something of the lab still lives.

        Gives a descriptor: the lock is held until it, and every copy that a fork made, is closed.
        """
        deadline = time.monotonic() + timeout
        while True:
            ensure_root()
            _make_own_folder(self.path)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                    return descriptor
            os.close(descriptor)
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)

    def clear(self) -> None:
        """Remove all that an earlier lab of this name left; for who has the lock."""
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def remove(self) -> None:
        """Remove the folder and all in it; for who has the lock."""
        self.clear()
        self.path.rmdir()


def folders() -> Iterator[LabFolder]:
    """The folders of this user's labs, by name: of those that run, that died, and that were taken down."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(root().iterdir()):
            if path.is_dir() and _NAME.fullmatch(path.name):
                yield LabFolder(path.name, path)


def _make_own_folder(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        try:
            path.mkdir(mode=0o700)
        except (FileNotFoundError, PermissionError) as error:
            fix = "set XDG_RUNTIME_DIR to a folder of yours with mode 0700"
            raise MachineError(f"the folder {path} cannot be made: {error.strerror}", fix=fix) from None
    if not _is_own_folder(path):
        raise MachineError(
            f"{path} is not a folder of yours alone (mode 0700), so a lab's keys cannot be kept there",
            fix="set XDG_RUNTIME_DIR to a folder of yours with mode 0700",
        )


def _is_own_folder(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
