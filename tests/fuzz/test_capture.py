"""The capture fuzz targets, each for a moment, and once with octets that were nobody's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.capture_targets import TARGETS, mutate, seeds
from tests.fuzz.mutants import run

ROUNDS = {"reader": 400, "key_log": 2000, "frames": 60, "verdict": 60}


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    for octets in (b"", *seeds(target)[:10]):
        TARGETS[target](octets)


@pytest.mark.parametrize("target", TARGETS)
def test_mutants(target: str) -> None:
    run(TARGETS[target], seeds(target), ROUNDS[target], seed=1, how=mutate)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=25, deadline=None)
@given(octets=st.binary(max_size=300))
def test_noise(target: str, octets: bytes) -> None:
    TARGETS[target](octets)
