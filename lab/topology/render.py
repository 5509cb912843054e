"""A plan as text, and as one JSON object: {"topology": ..., "operations": [{"kind": ..., ...}, ...]}."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from lab.model.topology import Topology
from lab.topology.operations import Operation

# Steps longer than this push what undoes them to the right.
_COLUMN = 84


def as_text(operations: Sequence[Operation]) -> str:
    """One line a step, then what undoes it."""
    width = min(_COLUMN, max(len(str(operation)) for operation in operations))
    return "\n".join(f"{operation!s:{width}}  # undo: {operation.undo}" for operation in operations)


def as_document(topology: Topology, operations: Sequence[Operation]) -> str:
    """The plan as JSON; addresses are text."""
    steps = [
        {"kind": operation.kind, **_plain_fields(operation), "text": str(operation), "undo": operation.undo}
        for operation in operations
    ]
    warnings = [str(warning) for warning in topology.warnings]
    return json.dumps({"topology": topology.name, "warnings": warnings, "operations": steps}, indent=2)


def _plain_fields(record: object) -> dict[str, object]:
    assert is_dataclass(record)
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | str | bool) else str(value)
