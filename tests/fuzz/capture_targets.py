"""Fuzz targets of captures and their verdict: functions of octets that may refuse or count, and never raise else.

`python -m tests.fuzz.capture_targets TARGET [ROUNDS [SEED]]` runs one as long as wanted; the tests run each briefly.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.capture import keylog
from lab.capture.frame import LINK_TYPES, Frame
from lab.capture.keyfields import FieldError
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from lab.coverage import census
from lab.coverage.document import Verdict
from lab.errors import InputError
from lab.report.as_json import as_json
from tests.captures.cases import CAPTURES, NAMES, frames_of, keys_of, observe, path_of, report
from tests.fuzz.mutants import main

KEYS = tuple(key for name in NAMES for key in keys_of(name))


def reader(octets: bytes) -> None:
    """A file is read, or refused with its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz"
        path.write_bytes(octets)
        with contextlib.suppress(InputError), open_capture(path) as capture:
            for number, frame in enumerate(capture, 1):
                assert frame.number == number
                assert len(frame.octets) <= frame.original_length


def key_log(octets: bytes) -> None:
    """A line is a key, is passed over, or is refused."""
    with contextlib.suppress(ValueError, RecursionError, FieldError):
        keylog.parse(json.loads(octets))


def frames(octets: bytes) -> None:
    """Whatever a frame is, it is counted once, under each link type."""
    for link_type in LINK_TYPES:
        seen = observe([Frame(1, octets, len(octets), 0, link_type, None, 0)], KEYS)
        assert (seen.frames, sum(seen.class_frames), sum(seen.class_octets)) == (1, 1, len(octets))
        assert all(units[census.FAILED] + units[census.AUTHENTICATED] <= 5 for units in seen.units.values())


def verdict(octets: bytes) -> None:
    """A handful of frames gets a verdict with reasons, that JSON can hold. Cut from the octets: a length, the frame."""
    pieces: list[Frame] = []
    while octets and len(pieces) < 20:
        length, octets = octets[0] * 6, octets[1:]
        pieces.append(Frame(len(pieces) + 1, octets[:length], length, len(pieces), 1, None, 0))
        octets = octets[length:]
    told = report(pieces, KEYS)
    assert told.verdict in Verdict
    assert told.segments[0].reasons
    assert json.loads(json.dumps(as_json(told)))["segments"][0]["frames"] == len(pieces)
    assert dataclasses.asdict(told)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "reader": reader,
    "key_log": key_log,
    "frames": frames,
    "verdict": verdict,
}


def seeds(target: str) -> list[bytes]:
    """Octets worth mutating."""
    if target == "reader":
        with tempfile.TemporaryFile() as stream:
            writer = PcapngWriter(stream, comments=("a",))
            writer.add_interface(name="eth0", description="b")
            writer.write(bytes(30), timestamp_ns=5, dropped=2)
            writer.write_statistics(timestamp_ns=6, received=7, dropped=2)
            stream.seek(0)
            return [stream.read(), path_of("ss-no-proposal").read_bytes()]
    if target == "key_log":
        lines = {line.split(b'"')[3]: line for path in CAPTURES
                 for line in path.with_suffix(".keys.jsonl").read_bytes().splitlines()}  # fmt: skip
        return list(lines.values())
    every = [frame.octets for name in NAMES for frame in frames_of(name)[:20] if len(frame.octets) < 400]
    chosen = random.Random(1).sample(every, 60)
    if target == "frames":
        return chosen
    return [
        b"".join(bytes([len(frame) // 6]) + frame[: len(frame) // 6 * 6] for frame in chosen[start : start + 6])
        for start in range(0, 60, 6)
    ]


def mutate(octets: bytes, dice: random.Random) -> bytes:
    """A few octets changed, dropped or repeated."""
    changed = bytearray(octets)
    for _ in range(dice.choice((1, 1, 2, 5))):
        place = dice.randrange(len(changed) + 1)
        what = dice.random()
        if what < 0.5 and place < len(changed):
            changed[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, changed[place] ^ 1 << dice.randrange(8)))
        elif what < 0.7:
            del changed[place : place + dice.choice((1, 2, 4, 30))]
        elif what < 0.9:
            changed[place:place] = changed[place : place + dice.choice((1, 4, 30))]
        else:
            del changed[place:]
    return bytes(changed)


if __name__ == "__main__":
    main(TARGETS, seeds, mutate)
