"""Forming a bundle's verdict again, and saying whether it is the one that was saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lab.capture import keylog
from lab.capture.keys import Key
from lab.coverage.document import Report
from lab.coverage.facts import Provenance
from lab.coverage.proof import examine_lab, read_proof
from lab.coverage.provenance import formed_here, now, versions
from lab.errors import CheckFailedError, InputError, Problem, UnprovenError
from lab.report.as_json import as_json
from lab.report.bundle import KEYS, PROOF, TOPOLOGY, VERDICT, Bundle
from lab.topology.load import load

_MOST_DIFFERENCES: Final = 8


def form_again(bundle: Bundle, keys: Sequence[Key] | None) -> Report:
    """The report from a bundle's captures, with its keys or with others.

    Raises:
        UnprovenError: the bundle holds no keys, and none were given.
        CheckFailedError: the verdict is not the one that was saved.
        InputError: a member is not what it should be.
    """
    if keys is None:
        if not bundle.has_keys:
            raise UnprovenError("this bundle holds no keys, so nothing can be checked: give its key log with --keys")
        keys = keylog.read(bundle.folder / KEYS)
    saved = _read(bundle.folder / VERDICT)
    topology = load(bundle.folder / TOPOLOGY)
    report = examine_lab(topology, bundle.captures(), keys, read_proof(bundle.folder / PROOF))
    report = replace(report, provenance=_provenance(bundle, saved))
    differing = list(_differences(_without_clock(saved), _without_clock(json.loads(json.dumps(as_json(report)))), ""))
    if differing:
        more = len(differing) - _MOST_DIFFERENCES
        raise CheckFailedError(
            "the verdict formed again is not the one that was saved: "
            + "; ".join(differing[:_MOST_DIFFERENCES])
            + (f"; and {more} more differences" if more > 0 else "")
            + _other_versions(saved)
        )
    return report


def _provenance(bundle: Bundle, saved: Any) -> Provenance:
    """Who formed the verdict first, from which topology; who formed it again is a matter of the clock."""
    here = formed_here(bundle.folder / TOPOLOGY)
    first = saved["provenance"]
    return replace(
        here,
        versions={str(name): str(version) for name, version in first["versions"].items()},
        clock={
            **{str(name): str(value) for name, value in first["clock"].items()},
            "formed again": now(),
            "formed again with": ", ".join(f"{name} {version}" for name, version in versions().items()),
        },
    )


def _other_versions(saved: Any) -> str:
    """What was of another version then, which may be all the difference there is."""
    first = saved["provenance"]["versions"]
    other = [f"{name} was {first.get(name)} and is {version}" for name, version in versions().items()
             if first.get(name) != version]  # fmt: skip
    return f"; it was formed by other versions: {', '.join(other)}" if other else ""


def _read(path: Path) -> Any:
    try:
        saved = json.loads(path.read_bytes())
        told = saved.setdefault("provenance", {})
        if all(isinstance(told.setdefault(name, {}), dict) for name in ("versions", "clock")):
            return saved
    except (ValueError, RecursionError, AttributeError):
        pass
    raise InputError([Problem(file=path.name, text="is no verdict")])


def _without_clock(document: Any) -> Any:
    """A copy in which the clock says nothing."""
    provenance = {**document["provenance"], "clock": None}
    return {**document, "provenance": provenance}


def _differences(saved: Any, formed: Any, where: str) -> Iterator[str]:
    """Where two documents differ, in words."""
    if isinstance(saved, dict) and isinstance(formed, dict):
        for name in sorted({*saved, *formed}):
            if name not in saved or name not in formed:
                yield f"{where}{name} is only in the one that was {'formed' if name in formed else 'saved'}"
            else:
                yield from _differences(saved[name], formed[name], f"{where}{name}.")
    elif isinstance(saved, list) and isinstance(formed, list) and len(saved) == len(formed):
        for place, (one, other) in enumerate(zip(saved, formed, strict=True)):
            yield from _differences(one, other, f"{where}{place}.")
    elif saved != formed:
        yield f"{where.rstrip('.')} was {_short(saved)} and is {_short(formed)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
