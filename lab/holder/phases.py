"""A plan cut into phases, in its own order: what `up` names and times, and who applies what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.topology.network_operations import AddRule, AddTableRoute, ApplyFilter, AwaitSessions, LimitBandwidth, StartBgp
from lab.topology.operations import (
    AddRoute,
    AwaitSecured,
    CreateControlledPort,
    CreateNamespace,
    CreateTunnelDevice,
    CreateWire,
    ImpairWire,
    Operation,
    StartCapture,
    StartDriver,
    StartTunnels,
)

_FIRST = "settings"
# The kinds of operation that open a phase; the others belong to the phase that is open, ...
_OPENS: dict[type, str] = {
    CreateWire: "wires",
    StartCapture: "captures",
    CreateControlledPort: "devices",
    CreateTunnelDevice: "devices",
    ImpairWire: "impairments",
    StartDriver: "drivers",
    AwaitSecured: "mka",
    AddRoute: "routes",
    StartTunnels: "tunnels",
    AddTableRoute: "policies",
    AddRule: "policies",
    ApplyFilter: "policies",
    LimitBandwidth: "policies",
    StartBgp: "routing",
    AwaitSessions: "sessions",
}
# ... unless it is one of a single kind of operation.
_ALONE = {"captures", "impairments", "drivers", "mka", "tunnels", "routing", "sessions"}
# Made by process 1 itself; what is not named here is the wirer's.
_OWN = (StartCapture, ImpairWire, StartDriver, AwaitSecured, StartTunnels, StartBgp, AwaitSessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Consecutive operations under one name."""

    name: str
    operations: tuple[Operation, ...]

    @property
    def wired(self) -> tuple[Operation, ...]:
        """Those that the wirer applies."""
        return tuple(operation for operation in self.operations if not isinstance(operation, _OWN))

    @property
    def captures(self) -> tuple[StartCapture, ...]:
        """The captures to start."""
        return tuple(operation for operation in self.operations if isinstance(operation, StartCapture))

    @property
    def impaired(self) -> tuple[ImpairWire, ...]:
        """The wires to impair."""
        return tuple(operation for operation in self.operations if isinstance(operation, ImpairWire))

    @property
    def drivers(self) -> tuple[StartDriver, ...]:
        """The drivers to start."""
        return tuple(operation for operation in self.operations if isinstance(operation, StartDriver))

    @property
    def secured(self) -> tuple[AwaitSecured, ...]:
        """The links to wait for."""
        return tuple(operation for operation in self.operations if isinstance(operation, AwaitSecured))

    @property
    def tunnels(self) -> tuple[StartTunnels, ...]:
        """The tunnels to negotiate."""
        return tuple(operation for operation in self.operations if isinstance(operation, StartTunnels))

    @property
    def speakers(self) -> tuple[StartBgp, ...]:
        """The BGP speakers to start."""
        return tuple(operation for operation in self.operations if isinstance(operation, StartBgp))

    @property
    def awaited(self) -> tuple[AwaitSessions, ...]:
        """The sessions to wait for."""
        return tuple(operation for operation in self.operations if isinstance(operation, AwaitSessions))


def phases(plan: Iterable[Operation]) -> tuple[Phase, ...]:
    """Cut what is done inside the namespaces into phases."""
    return tuple(_phases(plan))


def _phases(plan: Iterable[Operation]) -> Iterator[Phase]:
    name = _FIRST
    collected: list[Operation] = []
    for operation in plan:
        if isinstance(operation, CreateNamespace):
            continue
        opened = _OPENS.get(type(operation), "devices" if name in _ALONE else name)
        if opened != name and collected:
            yield Phase(name=name, operations=tuple(collected))
            collected = []
        name = opened
        collected.append(operation)
    if collected:
        yield Phase(name=name, operations=tuple(collected))
