"""What receivers did with frames, by their own counters, each under its own name.

A receiver is an end of the segment: its driver, which counts what 802.1AE says, or, where it has none, its kernel,
which counts for all its devices together. An IPsec gateway is one wherever it stands, since ESP ends there.

How to add one: a function here that makes `Counts` of its status, the names of what it accepts in `ACCEPTED`, and a
line in `lab.holder.receivers` that asks it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Counts: TypeAlias = dict[str, int]

ARRIVED: Final = "frames"
"""Frames that came to a driver's sockets, whatever then became of them."""
TO_THE_PAE: Final = "EAPOL"
"""Frames that went beside the SecY, to the port access entity: neither delivered nor discarded by it."""
MKPDU: Final = "MKPDU "
"""Begins the names of what a KaY counts."""

# What a status holds beside counters of received frames.
_NOT_RECEIVED: Final = frozenset({"transmit", "sas", "controlled", "mka"})
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
        f"{MKPDU}accepted",
        "ingress_packets",  # a gateway's: opened, and let in by the selectors
    }
)
"""Counters of frames that were delivered."""


def link_counts(status: Mapping[str, Any]) -> Counts:
    """What the end of a link has counted of received frames, by its driver's status."""
    found: Counter[str] = Counter()
    found[ARRIVED] = status["common"]["received"]
    found["wrong_tag"] = status["controlled"]["wrong_tag"]
    if "eapol" in status:
        found[TO_THE_PAE] = status["eapol"]
    if "mka" in status:
        counters = status["mka"]["counters"]
        found[f"{MKPDU}accepted"] = counters["mkpdus_accepted"]
        found.update({MKPDU + reason: count for reason, count in counters["discarded"].items()})
    _collect(status, found)
    return dict(found)


def gateway_counts(status: Mapping[str, Any]) -> Counts:
    """What an IPsec gateway has counted of received packets, by its driver's status; those of ESP have `ARRIVED`."""
    found: Counter[str] = Counter({ARRIVED: 0})
    for connection in status["connections"].values():
        found["ingress_packets"] += connection["ingress_packets"]
        found.update({name: count for name, count in connection["discarded"].items() if name.startswith("In")})
    found.update({name: count for name, count in status["strays"].items() if name.startswith("In")})
    found[ARRIVED] = sum(found.values())
    found.update({f"IKE {reason}": count for reason, count in status["ike_discarded"].items()})
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
