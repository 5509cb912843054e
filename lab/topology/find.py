"""Which file is meant: a path, or the name of a topology that is shipped or stands in ./topologies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lab
from lab.errors import InputError
from lab.topology.problems import near

_ENDINGS = (".yaml", ".yml")


def find(name: str) -> Path:
    """The file of that path, or of the topology of that name.

    Raises:
        InputError: there is none; names what there is.
    """
    path = Path(name)
    if path.is_file():
        return path
    if os.sep not in name and path.suffix not in _ENDINGS:
        known = shipped()
        if name in known:
            return known[name]
        raise InputError(f"there is no topology {name!r}; {near(name, known)}")
    what = f"{name} is {'a folder' if path.is_dir() else 'no ordinary file'}" if path.exists() else f"no file {name}"
    raise InputError(f"{what}; write the path of a topology file, or a name: {', '.join(shipped())}")


def shipped() -> dict[str, Path]:
    """Every topology that can be named: those of ./topologies first, then those that came with wireproof."""
    root = Path(lab.__file__).parent.parent
    folders = (Path("topologies"), root / "topologies", Path(sys.prefix) / "share" / "wireproof" / "topologies")
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.y*ml")):
            if path.suffix in _ENDINGS:
                found.setdefault(path.stem, path)
    return found
