"""A driver's line: keys are on file before it goes on, and nothing said meanwhile is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.errors import MachineError
from lab.host.channel import Channel
from lab.nodes.line import Line


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """The driver's end of a channel, and process 1's."""
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_writing_keys_waits_for_each_and_keeps_what_else_was_said(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    theirs.send({"type": "key-written"})
    theirs.send({"type": "status", "id": 7})
    theirs.send({"type": "key-written"})
    line = Line("ce", ours)
    line.write_keys([{"an": 0}, {"an": 1}])
    assert [theirs.receive(), theirs.receive()] == [
        {"type": "key", "record": {"an": 0}},
        {"type": "key", "record": {"an": 1}},
    ]
    waiting = [line.has_waiting, line.receive(), line.has_waiting, line.receive()]
    assert waiting == [True, {"type": "status", "id": 7}, False, None]


def test_a_driver_that_is_told_to_stop_does_not_wait_for_keys(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    theirs.send({"type": "stop"})
    with pytest.raises(EOFError):
        Line("ce", ours).write_keys([{"an": 0}])


def test_a_key_that_cannot_be_written_down_is_the_end_of_the_driver(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    theirs.send({"type": "key-not-written", "why": "the disk is full"})
    with pytest.raises(MachineError, match="a key is not used, since it cannot be written down: the disk is full"):
        Line("ce", ours).write_keys([{"an": 0}])


def test_events_and_answers_bear_their_names(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    line = Line("ce", ours)
    line.event("pn-exhausted", segment="ce--msee1", an=0)
    line.reply({"id": 3}, [1])
    line.refuse({"id": 4}, "no")
    assert [theirs.receive() for _ in range(3)] == [
        {"type": "event", "event": "pn-exhausted", "node": "ce", "segment": "ce--msee1", "an": 0},
        {"type": "reply", "id": 3, "result": [1]},
        {"type": "reply", "id": 4, "error": "no"},
    ]


def test_keys_that_were_handed_in_may_be_on_file_before_they_are_waited_for(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    line = Line("ce", ours)
    line.await_keys()  # there are none
    line.hand_in_keys([{"an": 0}])
    theirs.send({"type": "key-written"})
    theirs.send({"type": "status", "id": 1})
    assert line.receive() == {"type": "status", "id": 1}
    line.await_keys()
    line.hand_in_keys([{"an": 1}])
    theirs.send({"type": "key-written"})
    line.await_keys()
    assert [theirs.receive(), theirs.receive()] == [{"type": "key", "record": {"an": number}} for number in (0, 1)]
    assert not line.has_waiting
