"""charon for the tests here: one with ordinary settings for each file; some tests start others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.conftest import missing
from tests.interop.strongswan.charon import DAEMON
from tests.interop.strongswan.rig import Rig

_PACKAGES = (
    "charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins"
    " libstrongswan-extra-plugins"
)


@pytest.fixture(scope="session")
def strongswan() -> None:
    """strongSwan is installed."""
    if not DAEMON.exists():
        missing("strongSwan", f"apt-get install --no-install-recommends {_PACKAGES}")


@pytest.fixture(scope="module")
def rig(strongswan: None) -> Iterator[Rig]:
    """Our gateway and a charon on a wire."""
    with Rig() as made:
        yield made
