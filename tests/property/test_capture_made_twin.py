"""The fast way, and the fast way in several processes, say what the plain way says of frames of every kind."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture import window
from lab.capture.pcapng import PcapngWriter
from lab.capture.source import open_capture
from lab.coverage import census
from lab.coverage.bulk import Bulk
from lab.coverage.crew import go
from lab.coverage.fast import LEFT, Fast, Opened
from lab.coverage.judge import watch
from lab.coverage.observe import Observation, Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.tokens import Tokens
from lab.model.expectation import Expectation
from tests.captures.cases import observe
from tests.property.capture_traffic import MADE_KEYS, OTHER, TOKEN, Traffic
from tests.property.test_capture_bulk_twin import EXPECTATIONS, collected

CODES = (
    *census.NAMES, *(f"inside-{name}" for name in census.NAMES), *(f"token-under-{under}" for under in range(4)),
    *(f"{a}-{b}" for a in census.PROTOCOLS for b in ("failed", "no-key", "incomplete")),
    "token-readable", "cut", "odd", "inside-malformed",
)  # fmt: skip


def everything(seen: Observation) -> dict[str, object]:
    """All that was observed, in an order that everybody has."""
    told = {field.name: getattr(seen, field.name) for field in dataclasses.fields(seen)}
    notes = [(note.code, note.text, note.count, note.frames) for note in seen.notes.of(*CODES)]
    return told | {"notes": notes, "directions": seen.directions.all(), "collected": collected(seen.collected)}


def write(path: Path, traffic: Sequence[object]) -> Path:
    """As a tap would write it: directions where they are known."""
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        writer.add_interface(name="eth0")
        for frame in traffic:
            writer.write(frame.octets, timestamp_ns=frame.timestamp_ns, original_length=frame.original_length,  # type: ignore[attr-defined]
                         direction=frame.direction)  # type: ignore[attr-defined]  # fmt: skip
    return path


def read(path: Path, expect: Expectation | None, tokens: Sequence[bytes], workers: int = 1) -> Observation:
    searched = Tokens(tokens)
    openers = Openers(MADE_KEYS, Learning(MADE_KEYS), reveal=bool(searched))
    observer = Observer(openers, tokens=searched, watch=watch(expect))
    fast = Fast(openers, searched)
    with open_capture(path) as capture:
        go(((burst, None) for burst in capture.bursts()), Bulk(observer, fast), fast, workers)
    return observer.finish()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32), tokens=st.sampled_from([(), (TOKEN, OTHER), (TOKEN,)]),
    expect=st.sampled_from(EXPECTATIONS), chunk=st.sampled_from([1 << 12, 1 << 14, 1 << 22]),
)  # fmt: skip
def test_fast_and_plain(
    tmp_path: Path, seed: int, tokens: Sequence[bytes], expect: Expectation | None, chunk: int
) -> None:
    frames = Traffic(seed, tokens=bool(tokens)).frames(120)
    path = write(tmp_path / "made.pcapng", frames)
    plain = observe(frames, MADE_KEYS, expect=expect, tokens=tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", chunk)
        assert everything(read(path, expect, tokens)) == everything(plain)


@pytest.mark.parametrize("seed", range(8))
def test_several_processes_and_one(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    tokens, expect = dice.choice(((), (TOKEN, OTHER))), dice.choice(EXPECTATIONS)
    path = write(tmp_path / "made.pcapng", Traffic(seed, tokens=bool(tokens)).frames(600))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", 1 << 13)
        alone, crew = (read(path, expect, tokens, workers) for workers in (1, 3))
    assert everything(alone) == everything(crew)
    assert list(alone.collected.ledger.identities) == list(crew.collected.ledger.identities)
    told = [
        json.dumps([(note.code, note.text, note.frames) for note in seen.notes.of(*CODES)]) for seen in (alone, crew)
    ]
    assert told[0] == told[1]


def test_most_frames_of_every_usual_kind_go_the_fast_way(tmp_path: Path) -> None:
    """Or the twin tests would prove nothing."""
    taken: dict[int, int] = {}
    for seed in range(40):
        path = write(tmp_path / "made.pcapng", Traffic(seed, tokens=False).frames(300))
        openers = Openers(MADE_KEYS, Learning(MADE_KEYS), reveal=False)
        bulk = Bulk(Observer(openers, tokens=Tokens(()), watch=watch(None)), fast := Fast(openers, Tokens(())))
        with open_capture(path) as capture:
            for burst in capture.bursts():
                opened = fast.look(burst, None, bulk.state())
                for kind, count in zip(*np.unique(opened.kind, return_counts=True), strict=True):
                    taken[int(kind)] = taken.get(int(kind), 0) + int(count)
    assert min(taken[kind] for kind in (census.MACSEC_ENCRYPTED, census.ESP, census.CLEARTEXT)) > 500
    assert min(taken[kind] for kind in (census.MACSEC_INTEGRITY_ONLY, census.ESP_NULL)) > 50
    assert taken[LEFT] < sum(taken.values()) * 0.8, "the others are odd on purpose"


def test_what_was_found_with_a_state_that_is_out_of_date_is_looked_at_again(tmp_path: Path) -> None:
    path = write(tmp_path / "made.pcapng", Traffic(1, tokens=False).frames(200))
    seen = []
    for stale in (False, True):
        openers = Openers(MADE_KEYS, Learning(MADE_KEYS), reveal=False)
        observer = Observer(openers, tokens=Tokens(()), watch=watch(None))
        fast = Fast(openers, Tokens(()))
        bulk = Bulk(observer, fast)
        with open_capture(path) as capture:
            for burst in capture.bursts():
                state = ([2**60 + 5 for _ in bulk.state()[0]], [2**61 for _ in bulk.state()[1]])
                found: Opened = fast.look(burst, None, state if stale else bulk.state())
                bulk.settle(burst, None, found, state if stale else bulk.state())
        seen.append(everything(observer.finish()))
    assert seen[0] == seen[1]
