"""The traits of many frames at once are those of each by itself."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture import window
from lab.capture.source import open_capture
from lab.coverage.traits import Reader, Traits, put
from tests.captures.cases import NAMES, frames_of, write_pcap
from tests.property.test_capture_bulk_twin import disturbed
from tests.unit.lab.coverage.packets import frames
from tests.unit.lab.coverage.test_filter import FRAMES


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*NAMES, "made"]), seed=st.integers(0, 2**32))
def test_columns(tmp_path: Path, name: str, seed: int) -> None:
    given_frames = frames(FRAMES.values()) if name == "made" else frames_of(name)
    path = write_pcap(tmp_path / "copy.pcap", disturbed(given_frames, random.Random(seed)))
    many, one = Reader(), Reader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "CHUNK", 2048)
        with open_capture(path) as capture:
            for burst in capture.bursts():
                columns = many.columns(burst)
                slow = Reader().columns(burst)
                for row, frame in enumerate(burst.frames()):
                    put(slow, row, Traits(vlans=(-1,) * 4))
                    put(slow, row, one.read(frame))
                for name_of in ("macs", "ether_type", "vlans", "version", "upper", "lower", "protocol", "ports"):
                    assert np.array_equal(getattr(columns, name_of), getattr(slow, name_of)), name_of
