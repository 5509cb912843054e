"""Frames that others' software has sent: those of the captures that the tests hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lab.capture.frame import ETHERNET
from lab.capture.source import open_capture
from lab.model.impairment import WireDirection
from lab.model.link import Link
from lab.replay.forge import Target
from lab.topology.load import load

ROOT = Path(__file__).parents[4]
CAPTURES = sorted((ROOT / "tests" / "captures" / "data").glob("*/*.pcap*"))


@cache
def frames_of(path: Path) -> tuple[bytes, ...]:
    with open_capture(path) as capture:
        return tuple(frame.octets for frame in capture if frame.link_type == ETHERNET)


@cache
def everything() -> tuple[bytes, ...]:
    return tuple(frame for path in CAPTURES for frame in frames_of(path))


def link() -> Link:
    return load(ROOT / "topologies" / "expressroute-direct.yaml").link("ce--msee1")


def target(direction: WireDirection = WireDirection.A_TO_B) -> Target:
    return Target.of(link(), direction)
