"""A lab's status as tables."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from lab.cli.console import note, print_table


def print_status(status: Mapping[str, Any]) -> None:
    """Print what the verb `status` answered: nodes, segments, and the SecYs, if there are any."""
    click.echo(f"lab {status['lab']}: {status['state']} for {age(status['since'])}, from {status['source']}")
    print_table(
        ("node", "role", "state", "addresses", ""),
        [(node["node"], node["role"], node["state"], " ".join(node["addresses"]),
          f"{node['end']}: {node['last_words']}" if "end" in node else "") for node in status["nodes"]],
    )  # fmt: skip
    print_table(
        ("segment", "ends", "macsec", "expect", "frames", "dropped"),
        [(segment["segment"], " -- ".join(segment["ends"]), segment["macsec"], segment["expect"],
          *((segment["capture"] or {}).get(count) for count in ("frames", "dropped")))
         for segment in status["segments"]],
    )  # fmt: skip
    if edges := list(_edges(status["nodes"])):
        print_table(("macsec at", "segment", "AN", "next PN", "protected", "accepted", "other counters"), edges)
    if status["spliced"]:
        where = ", ".join(status["spliced"])
        note(f"a man in the middle of {where}: see `wireproof impair SEGMENT` and `wireproof attack list`")
    if status["events_unwritten"]:
        note(f"{status['events_unwritten']} events could not be written: is the disk full?")


# The counters of a frame that went as it should (802.1AE-2018 10.7): the others are worth a look when they are not 0.
_PROTECTED = ("OutPktsProtected", "OutPktsEncrypted")
_ACCEPTED = ("InPktsOK",)


def _edges(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    """A row for each SecY that a driver speaks of."""
    for node in nodes:
        for segment, edge in ((node.get("driver") or {}).get("segments") or {}).items():
            if secy := edge.get("secy"):
                transmit = secy["transmit"]
                next_pn = [sa["next_pn"] for sa in transmit["sas"] if sa["an"] == transmit["encoding_an"]]
                counts = Counter(secy["counters"])
                for channel in (transmit, *secy["receive"]):
                    counts.update(channel["counters"])
                others = [
                    f"{name} {count}" for name, count in counts.items()
                    if count and name not in (*_PROTECTED, *_ACCEPTED) and "Octets" not in name
                ]  # fmt: skip
                yield (node["node"], segment, transmit["encoding_an"], next(iter(next_pn), None),
                       sum(counts[name] for name in _PROTECTED), sum(counts[name] for name in _ACCEPTED),
                       ", ".join(others))  # fmt: skip


def age(since: float) -> str:
    """How long ago a time was, in seconds since 1970, by its two greatest units."""
    seconds = max(0, int(time.time() - since))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
