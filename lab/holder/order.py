"""What `up` orders: all that process 1 needs to know, handed over by the fork, so that no secret is ever written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.host.state import LabFolder
from lab.model.topology import Topology
from lab.topology.operations import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A lab to be made. `secrets` are octets by the text of their reference; making them is no part of `plan`."""

    folder: LabFolder
    topology: Topology
    plan: tuple[Operation, ...]
    secrets: Mapping[str, bytes] = field(repr=False)
