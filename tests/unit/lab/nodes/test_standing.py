from __future__ import annotations

from dataplane.ike.events import Cause
from lab.nodes.standing import Standing, State


def test_a_change_is_told_once_and_dated() -> None:
    standing = Standing()
    assert standing.become(State.CONNECTING, 5.0)
    assert not standing.become(State.CONNECTING, 6.0)
    assert (standing.state, standing.since, standing.connected_at) == (State.CONNECTING, 5.0, None)


def test_what_went_wrong_is_forgotten_when_it_comes_up_and_counted_for_ever() -> None:
    standing = Standing()
    assert standing.why == ""
    standing.blame(Cause.PEER_DEAD, "no answer from 10.0.1.4:500")
    assert standing.why == "the peer does not answer: no answer from 10.0.1.4:500"
    standing.blame(Cause.LIFETIME, "")
    assert standing.why == "lifetime over"
    standing.become(State.CONNECTED, 7.0)
    assert (standing.why, standing.failures, standing.connects, standing.connected_at) == ("", 2, 1, 7.0)


def test_pauses_grow_up_to_a_minute_and_begin_anew_after_a_success() -> None:
    standing = Standing()
    pauses = []
    for now in range(100, 110):
        standing.pause(now)
        assert standing.retry_at is not None
        pauses.append(standing.retry_at - now)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    standing.become(State.CONNECTED, 200.0)
    assert standing.retry_at is None
    standing.pause(300.0)
    assert standing.retry_at == 301.0
