"""The IKEv2 fuzz targets, each for a moment, and once with octets that were nobody's message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.ike_targets import TARGETS, seeds
from tests.fuzz.mutants import run

ROUNDS = {"message": 3000, "chain": 5000, "stranger": 500, "insider": 1000}


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    for octets in (b"", *seeds(target)):
        TARGETS[target](octets)


@pytest.mark.parametrize("target", TARGETS)
def test_mutants(target: str) -> None:
    run(TARGETS[target], seeds(target), ROUNDS[target], seed=1)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=50, deadline=None)
@given(octets=st.binary(max_size=300))
def test_noise(target: str, octets: bytes) -> None:
    TARGETS[target](octets)
