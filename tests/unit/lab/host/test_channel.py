from __future__ import annotations

import pytest

from lab.host.channel import Channel


def test_messages_arrive_whole_and_in_order() -> None:
    a, b = Channel.pair()
    a.send({"type": "ready"})
    a.send({"type": "event", "event": "link-up", "n": 3, "list": [1, None, "ü"]})
    assert b.wait(1)
    assert b.receive() == {"type": "ready"}
    assert b.receive() == {"type": "event", "event": "link-up", "n": 3, "list": [1, None, "ü"]}
    assert b.receive() is None
    assert not b.wait(0)
    a.close()
    b.close()


def test_what_was_sent_before_the_end_is_received_then_the_end() -> None:
    a, b = Channel.pair()
    a.send({"last": "word"})
    a.close()
    a.close()
    assert a.fileno() == -1
    assert b.receive() == {"last": "word"}
    assert b.wait(0)
    with pytest.raises(EOFError):
        b.receive()
    with pytest.raises(BrokenPipeError):
        b.send({})
    b.close()


def test_a_reader_that_sleeps_does_not_hold_up_a_sender_that_may_not_wait() -> None:
    a, b = Channel.pair()

    def send_too_much() -> None:
        for _ in range(100_000):
            a.send({"filler": "x" * 1000}, wait=False)

    with pytest.raises(BlockingIOError):
        send_too_much()
    assert b.receive() == {"filler": "x" * 1000}
    a.close()
    b.close()


def test_a_message_of_a_hundred_kilobytes_passes_and_one_beyond_the_buffer_is_refused() -> None:
    a, b = Channel.pair()
    a.send({"x": "y" * 100_000})
    assert b.receive() == {"x": "y" * 100_000}
    with pytest.raises(OSError, match="too long"):
        a.send({"x": "y" * 900_000})
    a.close()
    b.close()
