"""Where a report comes from. Everything that differs between two reports on the same captures is in the clock."""

from __future__ import annotations

import datetime
import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dataplane.crypto.library import library_versions
from lab.coverage.facts import Provenance


def versions() -> dict[str, str]:
    """What this report is formed with."""
    try:
        own = version("wireproof")
    except PackageNotFoundError:  # run from a source tree that nobody installed
        own = "unknown"
    return {
        "wireproof": own,
        "python": platform.python_version(),
        **library_versions(),
        "fips 140-3": "not claimed",
    }


def now() -> str:
    """The system clock's time, to the second, in UTC."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def formed_here(topology: Path | None = None, clock: Mapping[str, str] | None = None) -> Provenance:
    """The provenance of a report that is formed on this machine, now."""
    octets = None if topology is None else topology.read_bytes()
    return Provenance(
        versions=versions(),
        topology=None if topology is None else topology.name,
        topology_sha256=None if octets is None else hashlib.sha256(octets).hexdigest(),
        clock={"formed": now(), "source": "system clock, UTC", **(clock or {})},
    )
