"""How fast MKA is in a lab: from a wire that works to a secured link, and from asking for a fresh SAK to its use."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.lab.conftest import Bench

ROUNDS = 5
LINK = "ce--msee1"
LIMITS = {"link up to secured": 0.3}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder, "runtime")
        runtime.mkdir(mode=0o700)
        bench = Bench(runtime=runtime, topologies=Path(folder))
        bench.ok("up", "macsec-pair")
        try:
            return measure(bench)
        finally:
            bench.ok("down", "--purge")


def measure(bench: Bench) -> int:
    taken: dict[str, list[float]] = {"link up to secured": [], "fresh SAK in use": [], "new CAK, Azure's way": []}
    print(f"{ROUNDS} rounds, of about ten seconds each", flush=True)
    for _ in range(ROUNDS):
        taken["fresh SAK in use"].append(seconds(bench, "--rekey"))
        taken["new CAK, Azure's way"].append(seconds(bench))
        bench.ok("link", LINK, "down")
        while any(end["secured"] for end in status(bench)["ends"]):
            time.sleep(0.5)
        bench.ok("link", LINK, "up")
        while not status(bench)["secured"]:
            time.sleep(0.2)
        taken["link up to secured"].append(from_link_up(bench))
    print(f"{'':<24} {'best':>7} {'median':>7} {'worst':>7} {'limit':>7}  (seconds, of {ROUNDS})")
    late = [name for name, limit in LIMITS.items() if min(taken[name]) >= limit]
    for name, each in taken.items():
        numbers = f"{min(each):7.3f} {statistics.median(each):7.3f} {max(each):7.3f}"
        print(f"{name:<24} {numbers} {LIMITS.get(name, ''):>7}")
    for name in late:
        print(f"{name} is too slow", file=sys.stderr)
    return bool(late)


def seconds(bench: Bench, *options: str) -> float:
    """How long a change of keys takes, by its own word."""
    took: float = json.loads(bench.ok("macsec", "rotate", LINK, "--json", "--run-on", "0.1", *options))["seconds"]
    return took


def status(bench: Bench) -> dict[str, Any]:
    (link,) = json.loads(bench.run("macsec", "status", LINK, "--json").stdout)
    assert isinstance(link, dict)
    return link


def from_link_up(bench: Bench) -> float:
    """From the last time the wire came up to the last end that was secured after it, by the lab's events."""
    events = [json.loads(line) for line in bench.ok("events", "--json").splitlines()]
    times = [(event["event"], datetime.fromisoformat(event["time"]).timestamp()) for event in events]
    up = max(when for name, when in times if name == "link-up")
    return max(when for name, when in times if name == "secured") - up


if __name__ == "__main__":
    sys.exit(main())
