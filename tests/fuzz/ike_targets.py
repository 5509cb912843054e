"""Fuzz targets of IKEv2: functions of octets that may do anything but raise.

`python -m tests.fuzz.ike_targets TARGET [ROUNDS [SEED]]` runs one for as long as wanted; the tests run each briefly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dataplane.errors import WireError
from dataplane.ike.message import Message
from dataplane.ike.payloads.chain import join, split
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.wire.ike_header import IkeHeader
from tests.captures.ike import CAPTURES, messages
from tests.exchange.ike.conversation import CONVERSATION, PROTECTED, at_message, inside_of, resealed, sound
from tests.exchange.ike.pair import Pair
from tests.fuzz.mutants import main


def message(octets: bytes) -> None:
    """What is a message is emitted without what is not known here, and is then read and emitted as the same one."""
    with contextlib.suppress(WireError):
        emitted = Message.parse(octets).emit()
        assert Message.parse(emitted).emit() == emitted


def chain(octets: bytes) -> None:
    """The same for the payloads inside SK; the first octet is the first one's type."""
    with contextlib.suppress(WireError):
        emitted = join(parse_payloads(split(octets[0] if octets else 0, octets[1:])))
        assert join(parse_payloads(split(*emitted))) == emitted


def stranger(octets: bytes) -> None:
    """Whatever arrives at a pair that is set up leaves it set up."""
    pair = Pair.established(seed="other keys than those of the conversation")
    child = (pair.a.child.spi_in, pair.b.child.spi_in)
    for node, datagram in ((pair.b, CONVERSATION[0][1]), (pair.a, CONVERSATION[1][1])):
        node.receive(datagram._replace(octets=octets))
        # The same with the SPIs of the IKE SA that is there.
        node.receive(datagram._replace(octets=pair.a.ike.id.spi_i + pair.a.ike.id.spi_r + octets[16:]))
        node.outbox.clear()
    pair.a.dpd()
    pair.b.dpd()
    pair.run()
    assert (pair.a.child.spi_in, pair.b.child.spi_in) == child


def insider(octets: bytes) -> None:
    """A peer that says anything, authentically. The first two octets say when, and which payload is the first."""
    index = PROTECTED[octets[0] % len(PROTECTED)] if octets else PROTECTED[0]
    held = at_message(index)
    direction, good = CONVERSATION[index]
    altered = resealed(held.pair, good, lambda *_: (octets[1] if len(octets) > 1 else 0, octets[2:]))
    held.receiver(direction).receive(altered)
    held.pair.run()
    held.pair.wait(400, deliver=True)
    sound(held.pair)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "message": message, "chain": chain, "stranger": stranger, "insider": insider,
}  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """The messages of captures and of a conversation of ours, and what is inside of these."""
    ours = [datagram.octets for _, datagram in CONVERSATION]
    if target in ("message", "stranger"):
        return [each.octets for path in CAPTURES for each in messages(path)] + ours
    firsts = [_first_inside(index) for index in PROTECTED]
    insides = [inside_of(index) for index in PROTECTED]
    if target == "chain":
        return [bytes((first,)) + inside for first, inside in zip(firsts, insides, strict=True)]
    return [bytes((n, first)) + inside for n, (first, inside) in enumerate(zip(firsts, insides, strict=True))]


def _first_inside(index: int) -> int:
    octets = CONVERSATION[index][1].octets
    assert IkeHeader.parse(octets).next_payload == 46
    return octets[28]


if __name__ == "__main__":
    main(TARGETS, seeds)
