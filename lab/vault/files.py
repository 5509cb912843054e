"""Files that only their owner may read. A file appears whole or not at all; a log only ever grows."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from lab.errors import InputError, MachineError

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
T = TypeVar("T")


def make_folder(path: Path) -> None:
    """Make a folder of the owner's alone, and what is missing above it.

    Raises:
        MachineError: it cannot be made.
    """
    with _writing(path):
        for folder in (*reversed(path.parents), path):
            # mkdir's own `parents` would make them readable by others.
            folder.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Put a JSON object into a file of mode 0600, in place of what was there.

    Raises:
        MachineError: it cannot be written; what was there still is.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with _writing(path):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def exists(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        InputError: that cannot be seen from here.
    """
    with _reading(path):
        return path.is_file()


def read(path: Path, parse: Callable[[dict[str, JsonValue]], T]) -> T:
    """What a file holds, as `parse` makes it from the JSON object in it.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    try:
        with _reading(path):
            return _parsed(path.read_text(encoding="utf-8"), parse)
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}; take the file away") from None


def append(path: Path, content: Mapping[str, JsonValue]) -> None:
    """Add a JSON object as a line, in one write, so that lines of several processes never mix.

    Raises:
        MachineError: it cannot be written.
    """
    line = json.dumps(content, separators=(",", ":")) + "\n"
    with _writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def lines(path: Path, parse: Callable[[dict[str, JsonValue]], T]) -> Iterator[T]:
    """What the lines of a log hold, oldest first; none if there is no log yet.

    Raises:
        InputError: the log cannot be read, or a line holds something else.
    """
    if not exists(path):
        return
    with _reading(path), path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _parsed(line, parse)
            except ValueError as error:
                raise InputError(f"{path}:{number}: the log is damaged: {error}; take the line away") from None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        fix = "choose another place for your vaults: export WIREPROOF_VAULTS=FOLDER"
        raise MachineError(f"{path} cannot be written: {error.strerror}", fix=fix) from None


def _parsed(text: str, parse: Callable[[dict[str, JsonValue]], T]) -> T:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return parse(content)
