"""Impairments, as written in a topology or said to a running lab: netem's fields with units, into the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lab.errors import InputError
from lab.model.impairment import Impairment, Impairments, WireDirection
from lab.topology import quantities
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawImpairment, RawImpairments

FIELDS: Final[Mapping[str, Callable[[str], float]]] = {
    "delay": quantities.time,
    "jitter": quantities.time,
    "loss": quantities.share,
    "rate": quantities.rate,
    "corrupt": quantities.share,
    "duplicate": quantities.share,
    "reorder": quantities.share,
}
# Longer would look like a wire that is cut, and frames that wait are held in memory.
_LONGEST: Final = 60.0
# Slower, a single frame would take longer than that.
_LEAST_RATE: Final = 1000.0


def read_impairments(raw: RawImpairments | None, path: Path, problems: Problems) -> Impairments | None:
    """The impairments of a link; None when it has none."""
    if raw is None:
        return None
    path = (*path, "impairments")
    if raw.seed < 0:
        problems.add((*path, "seed"), f"'seed' is a number from 0 on, not {raw.seed}")
    directions = {
        WireDirection.A_TO_B: _direction(raw.a_to_b, (*path, "a_to_b"), problems),
        WireDirection.B_TO_A: _direction(raw.b_to_a, (*path, "b_to_a"), problems),
    }
    found = Impairments.of(directions, raw.seed)
    if found.a_to_b.is_none and found.b_to_a.is_none:
        text = "nothing is impaired; write as in `a_to_b: {delay: 20ms}`, for the way from the first end to the second"
        problems.warn(path, text)
        return None
    return found


def _direction(raw: RawImpairment | None, path: Path, problems: Problems) -> Impairment:
    if raw is None:
        return Impairment()
    given = {name: text for name in FIELDS if (text := getattr(raw, name)) is not None}
    found, wrong = _read(given)
    for name, text in wrong:
        problems.add((*path, name), text)
    return found


def impairment_of(given: Mapping[str, str]) -> Impairment:
    """What was said to a running lab, as `{"delay": "20ms", "loss": "1%"}`.

    Raises:
        InputError: a field is not known, or does not have a value that it can have; tells all of them.
    """
    unknown = [f"there is no impairment {name!r}; {near(name, FIELDS)}" for name in given if name not in FIELDS]
    found, wrong = _read({name: text for name, text in given.items() if name in FIELDS})
    said = [*unknown, *(text for _, text in wrong)]
    if said:
        raise InputError("\n".join(said))
    return found


def _read(given: Mapping[str, str]) -> tuple[Impairment, list[tuple[str, str]]]:
    """What the texts say, and what is wrong with them, by field."""
    values: dict[str, float] = {}
    wrong = []
    for name, text in given.items():
        try:
            values[name] = FIELDS[name](text)
        except quantities.QuantityError as error:
            wrong.append((name, f"{name!r}: {error}"))
    return Impairment(**values), wrong or list(_contradictions(values))


def _contradictions(values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    delay = values.get("delay", 0.0)
    if delay > _LONGEST:
        yield "delay", f"'delay' goes up to {_LONGEST:.0f}s, not {delay:.6g}s"
    if values.get("jitter", 0.0) > delay:
        yield "jitter", "'jitter' is more or less of 'delay', so it is at most as long; no frame comes before its time"
    if values.get("reorder") and not delay:
        # tc-netem(8): what is not delayed overtakes what is.
        yield "reorder", "'reorder' needs a 'delay': the frames that are reordered are those that are not delayed"
    if "rate" in values and values["rate"] < _LEAST_RATE:
        yield "rate", "'rate' is 1kbit or more; what carries nothing is `loss: 100%`"
