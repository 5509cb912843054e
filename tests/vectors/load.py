"""Published and derived vectors: tests/vectors/data/*.json, entries with name, kind, source and expect."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Vector:
    """One entry, with its fields read by what they are."""

    fields: dict[str, object]

    @property
    def name(self) -> str:
        return self.text("name")

    def has(self, field: str) -> bool:
        return self.fields.get(field) is not None

    def text(self, field: str) -> str:
        return cast(str, self.fields[field])

    def octets(self, field: str) -> bytes:
        return bytes.fromhex(self.text(field))

    def number(self, field: str) -> int:
        return cast(int, self.fields[field])

    def flag(self, field: str) -> bool:
        return bool(self.fields.get(field))


def load(file: str, *kinds: str) -> list[Vector]:
    """All entries of a file, or those of some kinds; never none."""
    entries = [Vector(entry) for entry in json.loads((DATA / file).read_text())]
    chosen = [entry for entry in entries if not kinds or entry.text("kind") in kinds]
    assert chosen, f"{file} has no vectors of {kinds}"
    return chosen


def each(file: str, *kinds: str) -> pytest.MarkDecorator:
    """Parametrize a test's `vector` with those entries."""
    vectors = load(file, *kinds)
    return pytest.mark.parametrize("vector", vectors, ids=[vector.name for vector in vectors])
