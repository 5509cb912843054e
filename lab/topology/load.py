"""The door of the room: a file's name in, a resolved topology out, or everything that is wrong with the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.errors import InputError, Problem
from lab.model.topology import Topology
from lab.topology import document
from lab.topology.problems import Problems
from lab.topology.reach import stops, tunnel_stops
from lab.topology.resolve import resolve
from lab.topology.shape import shape


def load(path: Path | str) -> Topology:
    """Load a topology file.

    Raises:
        InputError: it cannot be read, or something in it is wrong; carries every problem, in the order of the file.
    """
    file = str(path)
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise InputError([Problem(file=file, text=f"cannot be read: {error.strerror}")]) from None
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise InputError([Problem(file=file, line=line, text="is not text in UTF-8; save it as UTF-8")]) from None
    return loads(text, file)


def loads(text: str, file: str = "<text>") -> Topology:
    """Load a topology from text; `file` is what problems call it.

    Raises:
        InputError: something in it is wrong; carries every problem.
    """
    written, wrong = document.read(text, file)
    problems = Problems(document=written, wrong=wrong)
    raw = shape(problems)
    topology = None if raw is None else resolve(raw, problems)
    problems.raise_if_any()
    # Nothing is wrong, so there is a topology.
    assert topology is not None
    for i, (a, b) in enumerate(topology.traffic):
        for stop in stops(topology, a, b):
            problems.warn(("traffic", i), stop)
    for i, connection in enumerate(topology.connections):
        for stop in tunnel_stops(topology, connection):
            problems.warn(("connections", i), stop)
    return replace(topology, warnings=problems.in_order(problems.warnings))
