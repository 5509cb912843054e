"""The fast way through a capture says exactly what the plain one says, whatever happens to the frames."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture import window
from lab.capture.frame import Frame
from lab.capture.keys import Key
from lab.capture.source import open_capture
from lab.coverage.bulk import Bulk
from lab.coverage.evidence.collected import Collected
from lab.coverage.fast import Fast
from lab.coverage.judge import watch
from lab.coverage.observe import Observation, Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.tokens import Tokens
from lab.model.expectation import Expectation, Layer
from tests.captures.cases import NAMES, cut, flip, frames_of, keys_of, observe, renumber, write_pcap

EXPECTATIONS = (
    None,
    Expectation(layers=()),
    Expectation(layers=(Layer.MACSEC,)),
    Expectation(layers=(Layer.IPSEC,)),
    Expectation(layers=(Layer.MACSEC, Layer.IPSEC)),
)


def facts(seen: Observation) -> dict[str, object]:
    """Everything that was observed, to be compared."""
    told = {field.name: getattr(seen, field.name) for field in dataclasses.fields(seen)}
    codes = {"cleartext", "malformed", "odd", "cut", "macsec-encrypted", "esp", "ike"}
    codes |= {f"{a}-{b}" for a in ("macsec", "mka", "ike", "esp") for b in ("failed", "no-key", "incomplete")}
    codes |= {f"inside-{a}" for a in ("cleartext", "malformed", "esp-null")}
    notes = {(note.code, note.text): (note.count, sorted(note.frames)) for note in seen.notes.of(*codes)}
    tallies = {tally.label: (tally.frames, tally.data, tally.under) for tally in seen.directions.all()}
    return told | {"notes": notes, "directions": tallies, "collected": collected(seen.collected)}


def collected(each: Collected) -> dict[str, object]:
    """What every collector has, in an order that does not depend on who came first."""
    names = [identity.name for identity in each.ledger.identities]
    rows = [(*row[:-1], names[row[-1]]) for row in each.ledger.spool.all().tolist()]
    uses = {identity: dataclasses.asdict(use) for identity, use in each.ledger.uses.items()}
    return {
        "rows": sorted(rows),
        "uses": {identity: use | {"directions": sorted(use["directions"])} for identity, use in uses.items()},
        "timeline": each.timeline.counts(),
        "residue": (each.residue.fields, each.residue.overflowing, each.residue.lengths),
        "randomness": {kind: counts.tolist() for kind, counts in each.randomness.counts.items()},
        "specimens": each.specimens.kept,
        "sightings": each.sightings.seen,
        "messages": sorted(each.messages.kept),
    }


def in_bulk(path: Path, keys: Sequence[Key], expect: Expectation | None) -> Observation:
    learned = Learning(keys)
    with open_capture(path) as capture:
        for frame in capture:
            learned.frame(frame)
    observer = Observer(Openers(keys, learned, reveal=False), tokens=Tokens(()), watch=watch(expect))
    bulk = Bulk(observer, Fast(observer.openers, observer.tokens))
    with open_capture(path) as capture:
        for burst in capture.bursts():
            bulk.burst(burst)
    return observer.finish()


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_as_it_is(name: str, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "copy.pcap", frames_of(name))
    for expect in EXPECTATIONS:
        plain = observe(frames_of(name), keys_of(name), expect=expect)
        assert facts(in_bulk(path, keys_of(name), expect)) == facts(plain)


def disturbed(frames: Sequence[Frame], chosen: random.Random) -> tuple[Frame, ...]:
    """Frames lost, repeated, out of place, damaged and cut."""
    result: list[Frame] = []
    for frame in frames:
        what = chosen.random()
        if what < 0.1:
            frame = flip(frame, chosen.randrange(8 * len(frame.octets)))
        elif what < 0.15:
            frame = cut(frame, chosen.randrange(len(frame.octets)))
        elif what < 0.2:
            octets = frame.octets[: chosen.randrange(len(frame.octets))]
            frame = frame._replace(octets=octets, original_length=len(octets))
        elif what < 0.25:
            octets = frame.octets + bytes(chosen.randrange(1, 50))
            frame = frame._replace(octets=octets, original_length=len(octets))
        elif what < 0.3:
            continue
        result.insert(len(result) - chosen.choice((0, 0, 0, 1, 5)) if result else 0, frame)
        if chosen.random() < 0.1:
            result.append(frame)
    return renumber(result)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32), expect=st.sampled_from(EXPECTATIONS))
def test_disturbed_captures(tmp_path: Path, name: str, seed: int, expect: Expectation | None) -> None:
    frames = disturbed(frames_of(name), random.Random(seed))
    path = write_pcap(tmp_path / "copy.pcap", frames)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", 4096)  # many windows
        assert facts(in_bulk(path, keys_of(name), expect)) == facts(observe(frames, keys_of(name), expect=expect))
