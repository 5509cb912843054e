"""The captures of tests/captures/data: real traffic with every key known, and what an independent program counted."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from lab.capture import keylog
from lab.capture.frame import Frame
from lab.capture.keys import Key
from lab.capture.source import open_capture
from lab.coverage.assemble import report_on
from lab.coverage.document import Report
from lab.coverage.judge import Evidence, watch
from lab.coverage.observe import Observation, Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.segment import Segment
from lab.coverage.tokens import Tokens
from lab.model.expectation import Expectation

DATA = Path(__file__).parent / "data"
CAPTURES = sorted(DATA.glob("*/*.pcap"))
NAMES = [path.stem for path in CAPTURES]


def path_of(name: str) -> Path:
    return next(path for path in CAPTURES if path.stem == name)


def key_log_of(name: str) -> Path:
    return path_of(name).with_suffix(".keys.jsonl")


@cache
def keys_of(name: str) -> tuple[Key, ...]:
    return keylog.read(key_log_of(name))


@cache
def frames_of(name: str) -> tuple[Frame, ...]:
    with open_capture(path_of(name)) as capture:
        return tuple(capture)


def expected_of(name: str) -> dict[str, object]:
    return cast(dict[str, object], json.loads(path_of(name).with_suffix(".expected.json").read_text()))


def observe(
    frames: Iterable[Frame], keys: Sequence[Key], *, expect: Expectation | None = None, tokens: Sequence[bytes] = ()
) -> Observation:
    """Both passes over frames in memory, the plain way."""
    frames = tuple(frames)
    learned = Learning(keys)
    for frame in frames:
        learned.frame(frame)
    openers = Openers(keys, learned, reveal=bool(tokens))
    observer = Observer(openers, tokens=Tokens(tokens), watch=watch(expect))
    for frame in frames:
        observer.frame(frame)
    return observer.finish()


def report(
    frames: Iterable[Frame],
    keys: Sequence[Key],
    *,
    expect: Expectation | None = None,
    evidence: Evidence | None = None,
) -> Report:
    """The report on frames in memory, as one segment."""
    evidence = evidence or Evidence()
    segment = Segment(name="segment", capture=Path("memory"), expect=expect, evidence=evidence)
    seen = observe(frames, keys, expect=expect, tokens=evidence.tokens)
    return Report(segments=(report_on(segment, seen, ""),))


def renumber(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """The frames as they would be read from one file: numbered from 1."""
    return tuple(frame._replace(number=number) for number, frame in enumerate(frames, 1))


def flip(frame: Frame, bit: int) -> Frame:
    """The frame with one bit changed, counted from the start of its first octet."""
    octets = bytearray(frame.octets)
    octets[bit // 8] ^= 0x80 >> bit % 8
    return frame._replace(octets=bytes(octets))


def write_pcap(path: Path, frames: Iterable[Frame], *, link_type: int = 1) -> Path:
    """The frames as a classic pcap file with nanoseconds."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)]
    for frame in frames:
        seconds, fraction = divmod(frame.timestamp_ns, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds, fraction, len(frame.octets), frame.original_length) + frame.octets)
    path.write_bytes(b"".join(parts))
    return path


def cut(frame: Frame, octets: int) -> Frame:
    """The frame as a snap length leaves it."""
    return frame._replace(octets=frame.octets[:octets])
