"""Proving a lab that runs: canaries through it, then a verdict from its captures and its key log.

What runs in the lab only sends and receives. The verdict is formed outside, by lab.coverage, from the files alone.
"""

from __future__ import annotations

import functools
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.canary.canary import Canary, plan_canaries
from lab.canary.exchange import Exchange, Outcome
from lab.capture import keylog
from lab.capture.keys import Key
from lab.coverage.document import Report
from lab.coverage.proof import Proof, SentCanary, examine_lab
from lab.holder.client import Client
from lab.holder.inside import do_inside
from lab.host.entering import Entrance
from lab.host.state import LabFolder
from lab.model.topology import Topology

LEAST_FRAMES = 4  # in each direction of a segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A segment's capture, whole up to the last canary."""

    segment: str
    path: Path
    dropped: int


def send_canaries(client: Client, topology: Topology, timeout: float) -> tuple[Outcome, ...]:
    """Send a topology's canaries through the lab, from inside it, for at most `timeout` seconds; say which arrived.

    Raises:
        CheckFailedError: the lab ended meanwhile.
    """
    canaries = plan_canaries(topology, secrets.token_bytes)
    nodes = sorted({end.node for canary in canaries for end in (canary.source, canary.target)})
    arrivals = do_inside(client, nodes, functools.partial(_exchange, canaries, timeout))
    return tuple(
        Outcome(canary=canary, arrived=arrived, attempts=attempts)
        for canary, (arrived, attempts) in zip(canaries, arrivals, strict=True)
    )


def flush_captures(client: Client) -> tuple[Captured, ...]:
    """Have every frame so far on disk; give the captures, with the frames that each tap had to drop."""
    answer = client.ask("flush")
    return tuple(
        Captured(segment=segment, path=client.folder.captures / f"{segment}.pcapng", dropped=answer[segment]["dropped"])
        for segment in sorted(answer)
    )


def prove(client: Client, topology: Topology, timeout: float, *, with_saks: bool = False) -> Report:
    """Send canaries through a lab, then judge each segment by its whole capture, from the lab's first frame on.

    Where a link's CAKs are on file, they are all that it is judged with, unless `with_saks`. What was sent is kept in
    the lab's folder, so that the same can be judged again.

    Raises:
        CheckFailedError: the lab ended meanwhile.
    """
    outcomes = send_canaries(client, topology, timeout)
    captured = flush_captures(client)
    proof = Proof(
        canaries=tuple(_sent(each) for each in outcomes),
        minimum_frames=LEAST_FRAMES,
        dropped={each.segment: each.dropped for each in captured if each.dropped},
        with_saks=with_saks,
    )
    keep(client.folder.proof, proof)
    keys = keys_on_file(client.folder)
    return examine_lab(topology, {each.segment: each.path for each in captured}, keys, proof)


def keep(path: Path, proof: Proof) -> None:
    """Write down what was sent; a reader sees all of it or nothing."""
    new = path.with_name(f".{path.name}")
    new.touch(mode=0o600)
    new.write_text(json.dumps(proof.as_json()) + "\n")
    new.replace(path)


def keys_on_file(folder: LabFolder) -> Sequence[Key]:
    """The keys of a lab's key log, if it has one."""
    return keylog.read(folder.keys) if folder.keys.exists() else ()


def _sent(outcome: Outcome) -> SentCanary:
    canary = outcome.canary
    return SentCanary(
        number=canary.number,
        token=canary.token.decode(),
        transport=str(canary.transport),
        source=canary.source.node,
        target=canary.target.node,
        octets=canary.payload_octets,
        searched=canary.is_searchable,
        arrived=outcome.arrived,
        attempts=outcome.attempts,
    )


def _exchange(canaries: tuple[Canary, ...], timeout: float, entrance: Entrance) -> list[tuple[bool, int]]:
    exchange = Exchange(canaries, lambda node: entrance.nodes[node].visit(entrance.home), time.monotonic)
    return [(outcome.arrived, outcome.attempts) for outcome in exchange.run(timeout)]
