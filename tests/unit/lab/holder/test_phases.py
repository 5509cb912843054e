from __future__ import annotations

from pathlib import Path

import pytest

from lab.holder.phases import phases
from lab.topology.load import load
from lab.topology.operations import CreateNamespace, GenerateSecret
from lab.topology.plan import plan
from tests.lab.topologies import chain

ROOT = Path(__file__).parents[4]
SHIPPED = [*sorted((ROOT / "topologies").glob("*.yaml")), ROOT / "tests" / "golden" / "plans" / "impaired.yaml"]


def test_plain_nodes() -> None:
    cut = phases(plan(chain(3)))
    assert [phase.name for phase in cut] == ["settings", "wires", "captures", "devices", "routes"]
    assert [operation.segment for operation in cut[2].captures] == ["n0--n1", "n1--n2"]
    assert not cut[2].wired
    assert all(len(phase.wired) == len(phase.operations) for phase in cut if phase.name != "captures")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_is_lost_doubled_or_put_in_another_order(path: Path) -> None:
    operations = [
        operation for operation in plan(load(path)) if not isinstance(operation, GenerateSecret | CreateNamespace)
    ]
    cut = phases(operations)
    assert [operation for phase in cut for operation in phase.operations] == operations
    for phase in cut:
        kinds = (
            phase.wired, phase.captures, phase.impaired, phase.drivers, phase.secured, phase.tunnels, phase.speakers,
            phase.awaited,
        )  # fmt: skip
        assert sum(bool(kind) for kind in kinds) == 1, "a phase is of one kind, so its order is kept"
        assert sum(map(len, kinds)) == len(phase.operations)
