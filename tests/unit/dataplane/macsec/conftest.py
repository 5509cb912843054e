"""Runs are fast at once in these tests, else their few frames would all go singly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _every_run_gets_a_layout(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.path.name != "test_layout.py":
            patch.setattr("dataplane.macsec.layout.WORTH_A_LAYOUT", 1)
        yield
