"""Key logs: JSON Lines, one key object a line, append-only, mode 0600.

Reading refuses what is known but not right, naming file and line. Object types and fields that nobody here knows are
passed over, so that newer writers do not break older readers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from lab.capture.keyfields import FieldError, Fields
from lab.capture.keys import EspSa, IkeSa, IkeSk, Key, MacsecSak, MkaCak
from lab.errors import InputError, Problem

_MOST_PROBLEMS: Final = 20
_READERS: Final[dict[str, Callable[[Fields], Key]]] = {
    kind.TYPE: kind.read for kind in (MkaCak, MacsecSak, IkeSa, IkeSk, EspSa)
}


def read(path: Path) -> tuple[Key, ...]:
    """Every key of a key log, oldest first.

    Raises:
        InputError: the file cannot be read, or lines of it are wrong; all of them are named.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"the key log cannot be read: {error.strerror}")]) from None
    keys: list[Key] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            key = parse(json.loads(line))
        except FieldError as error:
            problems.append(Problem(file=str(path), line=number, text=str(error)))
        except (ValueError, RecursionError):  # not JSON, or not UTF-8
            problems.append(Problem(file=str(path), line=number, text="not a JSON object in UTF-8, one a line"))
        else:
            keys += [] if key is None else [key]
    if len(problems) > _MOST_PROBLEMS:
        text = f"and {len(problems) - _MOST_PROBLEMS} lines more are wrong: is this a key log?"
        problems[_MOST_PROBLEMS:] = [Problem(file=str(path), text=text)]
    if problems:
        raise InputError(problems)
    return tuple(keys)


def parse(fields: object) -> Key | None:
    """The key in one object; None for an object type that is not known here.

    Raises:
        FieldError: a known object lacks a field or holds a bad one, or this is no object with a `type`.
    """
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise FieldError("a key log's line is a JSON object with a `type`")
    reader = _READERS.get(fields["type"])
    return None if reader is None else reader(Fields(fields))


def append(path: Path, *objects: Mapping[str, object]) -> None:
    """Add objects to a key log, which is made with mode 0600 where there is none. All of them are written, or none.

    Raises:
        InputError: an object is not one that `read` would take, or the file cannot be written.
    """
    try:
        for fields in objects:
            parse(dict(fields))
        lines = "".join(json.dumps(fields) + "\n" for fields in objects).encode()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _write_whole(descriptor, lines)
        finally:
            os.close(descriptor)
    except FieldError as error:
        raise InputError([Problem(file=str(path), text=f"not written: {error}")]) from None
    except OSError as error:
        raise InputError([Problem(file=str(path), text=f"the key log cannot be written: {error.strerror}")]) from None


def _write_whole(descriptor: int, octets: bytes) -> None:
    """Write all octets at the end of a file, or leave it as it was."""
    end = os.fstat(descriptor).st_size
    try:
        while octets:
            octets = octets[os.write(descriptor, octets) :]
    except OSError:
        os.ftruncate(descriptor, end)  # no half a line
        raise
