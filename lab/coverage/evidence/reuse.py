"""Nonce discipline: whether any nonce, or number, was used twice under one key, in any of several captures.

The same unit seen again (on the next segment, as a retransmission, as a replay) has the same ICV, and is no reuse.
Values are sorted in parts that fit in memory, so that any number of units can be gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lab.coverage.evidence import spool
from lab.coverage.evidence.identity import KeyIdentity
from lab.coverage.evidence.ledger import Ledger

MOST_FRAMES: Final = 10_000  # of one key in one capture that are named
MOST_VALUES: Final = 20  # that were reused under one key, and are told
_MOST_LOOKED_AT: Final = 100_000  # reused units of which it is said where their like is

_UNWATCHED: Final = 0xFFFFFFFF
_JOINED: Final = np.dtype(
    [("domain", "<u4"), ("value", "<u8"), ("icv", "<u8"), ("capture", "<u4"), ("frame", "<u4"), ("sa", "<u4")]
)
_Joined: TypeAlias = NDArray[np.void]
_Mask: TypeAlias = NDArray[np.bool_]


@final
@dataclass(slots=True, kw_only=True)
class Repeats:
    """What was used more than once under one key in one capture.

    `reused` names frames whose nonce (or number) other content had, too, here or in one of `elsewhere`; `values` are
    the first such ones. `seen_again` names frames that repeat an earlier one of the same capture octet for octet.
    `surplus` counts the units beyond the first with their value in this capture.
    """

    reused: list[int] = field(default_factory=list)
    reused_count: int = 0
    values: list[int] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    seen_again: list[int] = field(default_factory=list)
    seen_again_count: int = 0
    surplus: int = 0


RepeatsOf: TypeAlias = Mapping[tuple[str, KeyIdentity], Repeats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """The repeats of nonces, and of ESP's sequence numbers, by capture and key."""

    nonces: RepeatsOf
    numbers: RepeatsOf


def examine_reuse(ledgers: Sequence[tuple[str, Ledger]]) -> Discipline:
    """Go through the ledgers of captures, given with their names."""
    return Discipline(
        nonces=_repeats(ledgers, "nonce", lambda identity: identity.domain if identity.confidential else ""),
        # A packet number is its nonce (802.1AE-2018 14.5); a sequence number may have nothing to do with the IV.
        numbers=_repeats(ledgers, "number", lambda identity: identity.key if identity.protocol == "esp" else ""),
    )


def _repeats(
    ledgers: Sequence[tuple[str, Ledger]], column: str, domain_of: Callable[[KeyIdentity], str]
) -> dict[tuple[str, KeyIdentity], Repeats]:
    found: dict[tuple[str, KeyIdentity], Repeats] = {}
    domains = _watched(ledgers, column, domain_of)
    rows = sum(len(each) for _, ledger in ledgers for each in ledger.spool) if np.any(_any_watched(domains)) else 0
    passes = -(-rows // spool.MOST_IN_MEMORY)
    for turn in range(passes):
        parts = [
            _joined(each, capture, domains[capture], column, (passes, turn))
            for capture, (_, ledger) in enumerate(ledgers)
            for each in ledger.spool
        ]
        _note(np.concatenate(parts), ledgers, found)
    return found


def _watched(
    ledgers: Sequence[tuple[str, Ledger]], column: str, domain_of: Callable[[KeyIdentity], str]
) -> list[NDArray[np.uint32]]:
    """For each ledger, the domain of each of its keys; those in which nothing can repeat are not watched."""
    users: dict[str, int] = {}
    for _, ledger in ledgers:
        for identity in ledger.identities:
            users[domain_of(identity)] = users.get(domain_of(identity), 0) + 1
    numbers = {domain: place for place, domain in enumerate(users) if domain}
    watched = []
    for _, ledger in ledgers:
        distinct = _distinct(ledger, column)
        watched.append(np.array([
            numbers.get(domain_of(identity), _UNWATCHED)
            if users[domain_of(identity)] > 1 or not distinct[place] else _UNWATCHED
            for place, identity in enumerate(ledger.identities)
        ], np.uint32))  # fmt: skip
    return watched


def _any_watched(domains: Sequence[NDArray[np.uint32]]) -> _Mask:
    return np.array([bool(np.any(each != _UNWATCHED)) for each in domains], np.bool_)


def _distinct(ledger: Ledger, column: str) -> list[bool]:
    """Whether each key's values are all different: mostly they only rise, or nearly, and all is well."""
    keys = ledger.identities
    # Under one SAK a nonce is its PN, masked (802.1AE-2018 14.7); and PNs rise.
    columns = ["number" if identity.protocol == "macsec" else column for identity in keys]
    last = [-1] * len(keys)
    distinct = [True] * len(keys)
    for rows in ledger.spool:
        for place in np.flatnonzero(np.bincount(rows["sa"])).tolist():
            values = rows[columns[place]][rows["sa"] == place]
            distinct[place] &= int(values[0]) > last[place] and bool(np.all(values[1:] > values[:-1]))
            last[place] = int(values[-1])
    if ledger.spool.count <= spool.MOST_IN_MEMORY:
        for place in (place for place, rise in enumerate(distinct) if not rise):
            values = np.sort(np.concatenate([rows[columns[place]][rows["sa"] == place] for rows in ledger.spool]))
            distinct[place] = bool(np.all(values[1:] > values[:-1]))
    return distinct


def _joined(rows: _Joined, capture: int, domains: NDArray[np.uint32], column: str, part: tuple[int, int]) -> _Joined:
    """The rows of one part whose domain is watched and whose value has its turn."""
    of = domains[rows["sa"]]
    passes, turn = part
    picked = (of != _UNWATCHED) & (rows[column] % np.uint64(passes) == turn)
    joined = np.empty(int(np.count_nonzero(picked)), _JOINED)
    joined["domain"], joined["capture"] = of[picked], capture
    joined["value"] = rows[column][picked]
    for name in ("icv", "frame", "sa"):
        joined[name] = rows[name][picked]
    return joined


def _note(
    joined: _Joined, ledgers: Sequence[tuple[str, Ledger]], found: dict[tuple[str, KeyIdentity], Repeats]
) -> None:
    """Find the values that are there more than once."""
    joined = joined[np.lexsort((joined["frame"], joined["capture"], joined["value"], joined["domain"]))]
    if len(joined) < 2:
        return
    again = np.zeros(len(joined), np.bool_)
    again[1:] = (joined["domain"][1:] == joined["domain"][:-1]) & (joined["value"][1:] == joined["value"][:-1])
    starts = np.flatnonzero(~again)
    group = np.cumsum(~again) - 1
    icvs = joined["icv"]
    differing = (np.minimum.reduceat(icvs, starts) != np.maximum.reduceat(icvs, starts))[group]
    here = again.copy()
    here[1:] &= joined["capture"][1:] == joined["capture"][:-1]
    for rows, repeats in _by_key(joined, differing, ledgers, found):
        repeats.reused_count += len(rows)
        repeats.reused += rows["frame"][: MOST_FRAMES - len(repeats.reused)].tolist()
        repeats.values += np.unique(rows["value"])[: MOST_VALUES - len(repeats.values)].tolist()
    for rows, repeats in _by_key(joined, here & ~differing, ledgers, found):
        repeats.seen_again_count += len(rows)
        repeats.seen_again += rows["frame"][: MOST_FRAMES - len(repeats.seen_again)].tolist()
    for rows, repeats in _by_key(joined, here, ledgers, found):
        repeats.surplus += len(rows)
    _elsewhere(joined, group, differing, ledgers, found)


def _by_key(
    joined: _Joined, mask: _Mask, ledgers: Sequence[tuple[str, Ledger]], found: dict[tuple[str, KeyIdentity], Repeats]
) -> Iterator[tuple[_Joined, Repeats]]:
    """The rows under a mask, for each capture and key."""
    rows = joined[mask]
    for capture, sa in sorted(set(zip(rows["capture"].tolist(), rows["sa"].tolist(), strict=True))):
        name, ledger = ledgers[capture]
        yield (
            rows[(rows["capture"] == capture) & (rows["sa"] == sa)],
            found.setdefault((name, ledger.identities[sa]), Repeats()),
        )


def _elsewhere(
    joined: _Joined,
    group: NDArray[np.intp],
    differing: _Mask,
    ledgers: Sequence[tuple[str, Ledger]],
    found: dict[tuple[str, KeyIdentity], Repeats],
) -> None:
    """Say of each key in which other captures its reused values are."""
    rows, groups = joined[differing][:_MOST_LOOKED_AT], group[differing][:_MOST_LOOKED_AT]
    captures: dict[int, set[int]] = {}
    for capture, of in zip(rows["capture"].tolist(), groups.tolist(), strict=True):
        captures.setdefault(of, set()).add(capture)
    for capture, sa, of in set(zip(rows["capture"].tolist(), rows["sa"].tolist(), groups.tolist(), strict=True)):
        name, ledger = ledgers[capture]
        repeats = found[name, ledger.identities[sa]]
        others = {ledgers[each][0] for each in captures[of] if each != capture}
        repeats.elsewhere = sorted({*repeats.elsewhere, *others})
