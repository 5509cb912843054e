"""What receivers did with frames, by their own counters, each under its own name.

A receiver is an end of the segment: its driver, which counts what 802.1AE or whoever else says, or, where it has none,
its kernel, which counts for all its devices together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Counts: TypeAlias = dict[str, int]

ARRIVED: Final = "frames"
"""Frames that came to a driver's packet socket, whatever then became of them."""

# What a status holds beside counters of received frames.
_NOT_RECEIVED: Final = frozenset({"transmit", "sas", "controlled"})
# These count frames once more that another one has counted (802.1AE-2018 10.7.9).
_TWICE: Final = frozenset({"InPktsNoSA", "InPktsNoSAError"})

ACCEPTED: Final = frozenset(
    {
        "InPktsOK",  # verified
        "InPktsDelayed",  # older than the window allows, where nothing is discarded for that
        "InPktsUnchecked",  # 802.1AE-2018 10.6: validateFrames is Disabled
        "InPktsInvalid",  # the ICV is wrong, and validateFrames is Check
        "InPktsUnusedSA",  # no SA in use, and validateFrames is not Strict
        "InPktsUntagged",
        "InPktsUnknownSCI",
    }
)
"""Counters of frames that were delivered."""

TO_THE_PAE: Final = "EAPOL"
"""Frames that went beside the SecY, to the port access entity: neither delivered nor discarded here."""


def driver_counts(status: Mapping[str, Any]) -> Counts:
    """The counters of received frames in a driver's status of one of its parts."""
    found: Counter[str] = Counter()
    if "common" in status:
        found[ARRIVED] = status["common"]["received"]
    if "eapol" in status:
        found[TO_THE_PAE] = status["eapol"]
    _collect(status, found)
    return dict(found)


def _collect(status: object, found: Counter[str]) -> None:
    if isinstance(status, list):
        for each in status:
            _collect(each, found)
    elif isinstance(status, dict):
        for name, value in status.items():
            if name == "counters" and isinstance(value, dict):
                found.update(
                    {
                        counter: number
                        for counter, number in value.items()
                        if counter.startswith(("In", "ifIn")) and "Octets" not in counter and counter not in _TWICE
                    }
                )
            elif name not in _NOT_RECEIVED:
                _collect(value, found)


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> Counts:
    """What was counted meanwhile; counters that stood still are left out."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
