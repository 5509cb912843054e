"""Peers that somebody else wrote. One that is missing is a reason to skip at a desk and a failure where CI=true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def missing(what: str, fix: str) -> None:
    """End the test for want of a peer: `fix` is the command that provides it."""
    reason = f"{what} is missing; to have it: {fix}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kernel_guest() -> Path:
    """The folder in which build.sh has made the guest kernel."""
    folder = _ROOT / ".cache" / "uml"
    if not (folder / "stamp").exists():
        missing("the guest kernel", "tests/interop/kernel/build.sh .cache/uml")
    return folder
