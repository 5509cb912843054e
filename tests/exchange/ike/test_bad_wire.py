"""A wire that loses a fifth of all datagrams, repeats and disorders them, while both sides want everything at once.

Whatever happens on the way, when the dust settles both sides have the same single IKE SA and the same single child and
send on it, and every key that any SA ever used was told. Each seed is one such story; WIREPROOF_SEEDS sets how many.
"""

from __future__ import annotations

import heapq
import os
import random
from dataclasses import replace

import pytest

from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    ChildSaEstablished,
    IkeKeysDerived,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaFailed,
)
from dataplane.ike.host import Datagram
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.wire.ike_header import IkeHeader
from tests.exchange.ike.pair import LEFT_PEER, Node, Pair

SEEDS = int(os.environ.get("WIREPROOF_SEEDS", "1000"))
SHARDS = 20
LOSS = 0.2
REPEAT = 0.1
STORM_SECONDS = 120.0
DUST_SECONDS = 600.0


class BadWire:
    """Datagrams take 1 to 300 ms, so that they overtake each other; some take no time or for ever, some come twice."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.random = random.Random(seed)
        self.flying: list[tuple[float, int, Node, Datagram]] = []
        self.sent = 0
        self.loss = LOSS
        self.spis: set[bytes] = set()

    def collect(self) -> None:
        """Put what the nodes have to say on its way, or lose it."""
        for node, other in ((self.pair.a, self.pair.b), (self.pair.b, self.pair.a)):
            while node.outbox:
                datagram = node.outbox.popleft()
                header = IkeHeader.parse(datagram.octets)
                if header.next_payload in (PayloadType.SK, PayloadType.SKF):
                    self.spis.add(header.spi_i + header.spi_r)
                for _ in range(2 if self.random.random() < REPEAT else 1):
                    if self.random.random() >= self.loss:
                        self.sent += 1
                        at = self.pair.now + self.random.uniform(0.001, 0.3)
                        heapq.heappush(self.flying, (at, self.sent, other, datagram))

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        pair = self.pair
        end = pair.now + seconds
        while True:
            self.collect()
            times = [node.engine.next_timeout() for node in (pair.a, pair.b)]
            due = [time for time in times if time is not None] + ([self.flying[0][0]] if self.flying else [])
            step = max(pair.now, min([*due, end]))
            pair.now = pair.a.now = pair.b.now = step
            while self.flying and self.flying[0][0] <= step:
                _, _, node, datagram = heapq.heappop(self.flying)
                node.receive(datagram)
            for node in (pair.a, pair.b):
                timeout = node.engine.next_timeout()
                if timeout is not None and timeout <= step:
                    node.engine.handle_timer(step)
                node.settle()
            if step >= end:
                return


def wish(node: Node, dice: random.Random) -> None:
    """Something that an administrator or a counter of octets could want."""
    current = [child for child in node.children if child.is_current]
    sas = [sa for sa in node.sas if sa.is_current]
    kind = dice.choice(["child", "child", "child", "ike", "ike", "dpd", "initiate", "delete child", "delete"])
    if kind == "child" and current:
        node.rekey_child(dice.choice(current))
    elif kind == "ike" and sas:
        node.engine.rekey_ike(dice.choice(sas).id, node.now)
    elif kind == "dpd" and sas:
        node.engine.check_liveness(dice.choice(sas).id, node.now)
    elif kind == "initiate":
        node.initiate()
    elif kind == "delete child" and current and dice.random() < 0.2:
        node.delete_child(dice.choice(current))
    elif kind == "delete" and dice.random() < 0.1:
        node.delete()
    node.settle()


def keep_up(node: Node) -> None:
    """What a driver does that wants its tunnel: call whenever there is none."""
    if not any(child.is_current for child in node.children):
        node.initiate()


def story(seed: int) -> Pair:
    dice = random.Random(-seed)
    left = replace(LEFT_PEER, fragment_octets=dice.choice([None, 200, 1252]), dpd_seconds=dice.choice([15.0, 60.0]))
    pair = Pair(left, seed=seed)
    wire = BadWire(pair, seed)
    pair.a.initiate()
    if dice.random() < 0.3:
        pair.b.initiate()
    while pair.now < STORM_SECONDS:
        wire.advance(dice.choice([0.01, 0.1, 0.5, 3.0, 10.0]))
        wish(dice.choice([pair.a, pair.b]), dice)
        if dice.random() < 0.3:  # both at once
            wish(pair.a, dice)
            wish(pair.b, dice)
        if dice.random() < 0.3:
            keep_up(pair.a)
    for _ in range(int(DUST_SECONDS / 15)):
        wire.advance(15)
        keep_up(pair.a)
    wire.loss = 0.0
    wire.advance(10)
    check(pair, wire)
    return pair


def check(pair: Pair, wire: BadWire) -> None:
    a, b = pair.a, pair.b
    assert a.ike.id == b.ike.id
    assert a.child.keys_in == b.child.keys_out
    assert a.child.keys_out == b.child.keys_in
    told: set[bytes] = set()
    for node, other in ((a, b), (b, a)):
        assert len(node.sas) == 1, node.ike_states()
        assert node.living_spis() == {node.child.spi_in}, "one child for the selectors, and the driver knows"
        assert node.sending_spi() == node.child.spi_out
        # every end was told after its beginning, each once
        for begins, ends in ((ChildSaEstablished, ChildSaDeleted), (IkeSaEstablished, IkeSaDeleted)):
            assert len(node.told(begins)) == len(node.told(ends)) + 1
        keys = node.told(IkeKeysDerived)
        assert len({event.ike for event in keys}) == len(keys), "keys are told once"
        told |= {event.ike.spi_i + event.ike.spi_r for event in keys}
        # where both know a child, they have the same keys for it
        halves = {event.spi_in: event for event in other.told(ChildSaEstablished)}
        for made in node.told(ChildSaEstablished):
            half = halves.get(made.spi_out, made)
            assert half is made or (half.keys_in, half.keys_out) == (made.keys_out, made.keys_in)
        assert not [event for event in node.told(IkeSaFailed) if event.cause is Cause.AUTHENTICATION_FAILED]
    assert wire.spis <= told, "every IKE SA that sealed a message told its keys"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_convergence(shard: int) -> None:
    for seed in range(shard, SEEDS, SHARDS):
        try:
            story(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
