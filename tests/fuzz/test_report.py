"""Whatever frames, messages and bundles hold: dissecting, telling and unpacking end in good order."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.capture.frame import LINK_TYPES
from lab.coverage.evidence.dissect import dissect, dissect_esp_payload, dissect_ike
from lab.coverage.evidence.ike_story import tell
from lab.coverage.evidence.messages import Message
from lab.coverage.evidence.residual import Residue
from lab.errors import InputError
from lab.report import bundle
from tests.captures.cases import NAMES, flip, frames_of

FRAMES = [frame for name in NAMES[::3] for frame in frames_of(name)[:12]]


@settings(max_examples=300, deadline=None)
@given(frame=st.sampled_from(FRAMES), bits=st.lists(st.integers(0, 4000), max_size=6), end=st.integers(0, 2000))
def test_damaged_frames_are_dissected_up_to_the_damage(frame: object, bits: list[int], end: int) -> None:
    damaged = frame
    for bit in bits:
        damaged = flip(damaged, bit % (8 * len(damaged.octets)))  # type: ignore[arg-type,attr-defined]  # it is a frame
    octets = damaged.octets[:end]  # type: ignore[attr-defined]
    for link_type in LINK_TYPES:
        layers = dissect(octets, link_type)
        assert all(0 <= layer.start <= layer.end for layer in layers)
        Residue().frame(octets, len(octets), link_type)


@settings(max_examples=300, deadline=None)
@given(octets=st.binary(max_size=200))
def test_any_octets_are_dissected(octets: bytes) -> None:
    for link_type in LINK_TYPES:
        dissect(octets, link_type)
    dissect_esp_payload(octets)
    dissect_ike(bytes(16) + b"\x2e\x20\x23\x20" + bytes(8) + octets.ljust(8, b"\0"))


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.tuples(st.sampled_from((33, 46, 53, 41)), st.sampled_from((34, 35, 36, 37)), st.booleans(),
                                st.booleans(), st.binary(max_size=120)), max_size=8))  # fmt: skip
def test_any_messages_make_a_story(parts: list[tuple[int, int, bool, bool, bytes]]) -> None:
    messages = [
        Message(number, number, bytes(15) + b"\1" + bytes((first, 0x20, exchange, 0x20 if answer else 8)) + bytes(8)
                + octets.ljust(8, b"\0"), protected)
        for number, (first, exchange, answer, protected, octets) in enumerate(parts, 1)
    ]  # fmt: skip
    tell(messages)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=3000), zipped=st.booleans())
def test_any_file_is_a_bundle_or_refused(tmp_path: Path, octets: bytes, zipped: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(octets) if zipped else octets)
    bundle.is_bundle(path)
    with contextlib.suppress(InputError), bundle.unpacked(path):
        pass
