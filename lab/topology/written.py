"""The base of every record of a topology file: unknown keys are refused, and nothing is turned into another kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Written(BaseModel):
    """A record as it is written."""

    # Deferred, because each record would else be built once for itself and once more for the one that holds it.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def _listed(value: object) -> object:
    """One address may be written without brackets."""
    return [value] if isinstance(value, str) else value


# A broken item of a list is None: it has been reported, and keeps its place.
Texts = Annotated[list[str | None], BeforeValidator(_listed)]
