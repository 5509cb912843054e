"""Proving a lab again and again, each time by what its wires carried since the last time: how a verdict moves.

A capture file grows while it is watched. What is new in it, with the blocks of its beginning, is a capture, too.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lab.capture.keys import Key
from lab.coverage.document import CanaryReport, Report
from lab.coverage.examine import examine
from lab.coverage.judge import Evidence
from lab.coverage.segment import Segment
from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.proof import LEAST_FRAMES, Captured, flush_captures, keys_on_file, send_canaries
from lab.model.topology import Topology

_INTERFACE: Final = 1  # the block type that ends a capture's beginning
_HEADER: Final = struct.Struct("=II")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One proof. `seconds` is from its first canary to its verdict."""

    began: float
    seconds: float
    report: Report


def rounds(client: Client, topology: Topology, timeout: float, pause: float) -> Iterator[Round]:
    """Prove, pause, and prove again, for ever; each time by the frames of that round alone.

    Raises:
        CheckFailedError: the lab ended.
    """
    beginnings: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="wireproof-watch-") as folder:
        before = {each.segment: each for each in flush_captures(client)}
        sizes = {name: each.path.stat().st_size for name, each in before.items()}
        while True:
            began, clock = time.time(), time.monotonic()
            outcomes = send_canaries(client, topology, timeout)
            now = {each.segment: each for each in flush_captures(client)}
            tails = {}
            for name, each in now.items():
                beginnings.setdefault(name, _beginning(each.path))
                tails[name], sizes[name] = _tail(each.path, beginnings[name], sizes[name], Path(folder))
            tokens = tuple(each.canary.token for each in outcomes if each.canary.is_searchable)
            keys = keys_on_file(client.folder)
            report = _judge(topology, tails, tokens, keys, {name: _lost(now[name], before[name]) for name in now})
            before = now
            lost = tuple(str(each.canary.transport) for each in outcomes if not each.arrived)
            report = replace(report, canaries=CanaryReport(sent=len(outcomes), lost=lost))
            yield Round(began=began, seconds=time.monotonic() - clock, report=report)
            time.sleep(pause)


def _judge(
    topology: Topology, tails: dict[str, Path], tokens: tuple[bytes, ...], keys: Sequence[Key], dropped: dict[str, int]
) -> Report:
    return examine(
        (
            Segment(
                name=link.segment,
                capture=tails[link.segment],
                expect=link.expect,
                evidence=Evidence(tokens=tokens, minimum_frames=LEAST_FRAMES, dropped=dropped[link.segment]),
                ends=(link.a.node, link.b.node),
            )
            for link in topology.links
        ),
        keys,
    )


def _lost(now: Captured, before: Captured) -> int:
    return now.dropped - before.dropped


def _beginning(path: Path) -> bytes:
    """The blocks up to the one that describes the interface; the captures of labs have one interface."""
    octets = b""
    with path.open("rb") as file:
        while True:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise InputError(f"{path} ends before it says of which interface it is")
            kind, length = _HEADER.unpack(header)
            octets += header + file.read(length - _HEADER.size)
            if kind == _INTERFACE:
                return octets


def _tail(path: Path, beginning: bytes, size: int, folder: Path) -> tuple[Path, int]:
    """What is new in a capture since it had that size, as a capture; and its size now."""
    with path.open("rb") as file:
        file.seek(size)
        new = file.read()
    tail = folder / path.name
    tail.write_bytes(beginning + new)
    return tail, size + len(new)
