"""Links as wires: which interfaces of which nodes they join, and what the segment between is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.model.roles import Role
from lab.topology import naming
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawLink


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An end as written: `NODE:INTERFACE`."""

    node: str
    device: str

    def __str__(self) -> str:
        return f"{self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A link whose ends could be read, with what was written of it. `path` is where it stands in the file."""

    path: Path
    raw: RawLink
    segment: str
    a: End
    b: End

    @property
    def ends(self) -> tuple[End, End]:
        """Both ends."""
        return (self.a, self.b)


def read_wires(
    links: list[RawLink | None], nodes: Mapping[str, Role | None], problems: Problems
) -> tuple[tuple[Wire, ...], bool]:
    """Read every link's ends. Also says whether all could be read, that is, whether every segment is known."""
    wires = []
    for i, raw in enumerate(links):
        path = ("links", i)
        ends = None if raw is None else _ends(raw, path, nodes, problems)
        if raw is None or ends is None:
            continue
        a, b = ends
        segment = raw.name or naming.default_segment(a.node, b.node)
        if raw.name is not None and (wrong := naming.SEGMENT.wrong(raw.name)):
            problems.add((*path, "name"), wrong)
        wires.append(Wire(path=path, raw=raw, segment=segment, a=a, b=b))
    _check_segments(wires, problems)
    _check_devices(wires, problems)
    return tuple(wires), len(wires) == len(links)


def _ends(raw: RawLink, path: Path, nodes: Mapping[str, Role | None], problems: Problems) -> tuple[End, End] | None:
    where = (*path, "ends")
    if len(raw.ends) != 2:
        problems.add(where, f"a link has two ends, as in `ends: [ce:link1, msee1:link1]`, not {len(raw.ends)}")
        return None
    ends = [_end(written, (*where, i), nodes, problems) for i, written in enumerate(raw.ends)]
    a, b = ends
    if a is None or b is None:
        return None
    if a.node == b.node:
        problems.add(where, f"both ends are at {a.node!r}; a link joins two nodes")
        return None
    return a, b


def _end(written: str | None, path: Path, nodes: Mapping[str, Role | None], problems: Problems) -> End | None:
    if written is None:
        return None
    node, colon, device = written.partition(":")
    if not colon:
        problems.add(path, f"{written!r} is not an end of a link; write NODE:INTERFACE, as in ce:link1")
        return None
    if node not in nodes:
        problems.add(path, f"the link leads to node {node!r}, which is not there; {near(node, nodes)}")
    if wrong := naming.DEVICE.wrong(device):
        problems.add(path, wrong)
    return End(node=node, device=device)


def _check_segments(wires: list[Wire], problems: Problems) -> None:
    """One link, one segment, one name. The order in which two nodes are written does not tell two links apart."""
    first: dict[str, Wire] = {}
    for wire in wires:
        names = [wire.segment] if wire.raw.name else [wire.segment, naming.default_segment(wire.b.node, wire.a.node)]
        known = next((first[name] for name in names if name in first), None)
        if known is not None:
            line = problems.document.line(known.path)
            text = f"segment {known.segment!r} is the link of line {line} already; give this one another `name:`"
            problems.add(wire.path, text)
        first.setdefault(wire.segment, wire)


def _check_devices(wires: list[Wire], problems: Problems) -> None:
    first: dict[End, Wire] = {}
    for wire in wires:
        for i, end in enumerate(wire.ends):
            known = first.setdefault(end, wire)
            if known is not wire:
                line = problems.document.line(known.path)
                text = f"{end} is an end of the link of line {line} already; each link needs an interface of its own"
                problems.add((*wire.path, "ends", i), text)
