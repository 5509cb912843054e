from __future__ import annotations

import os
import signal
import time

from lab.holder.loop import Loop
from lab.host.channel import Channel


def test_timers_come_in_their_order_and_not_before_their_time() -> None:
    loop = Loop()
    came: list[str] = []
    began = time.monotonic()
    loop.after(0.02, lambda: came.append("second"))
    loop.after(0.01, lambda: came.append("first"))
    loop.after(0.01, lambda: came.append("taken back")).cancel()
    assert loop.run_until(lambda: len(came) == 2, 5)
    assert came == ["first", "second"]
    assert time.monotonic() - began >= 0.02


def test_it_gives_up_in_time() -> None:
    began = time.monotonic()
    assert not Loop().run_until(lambda: False, 0.03)
    assert 0.03 <= time.monotonic() - began < 2
    assert Loop().run_until(lambda: True, 0)


def test_who_watches_is_called_until_it_forgets() -> None:
    loop = Loop()
    ours, theirs = Channel.pair()
    heard: list[object] = []
    loop.watch(ours, lambda: heard.append(ours.receive()))
    theirs.send({"n": 1})
    assert loop.run_until(lambda: len(heard) == 1, 5)
    theirs.send({"n": 2})
    loop.forget(ours)
    loop.forget(ours)
    assert not loop.run_until(lambda: len(heard) == 2, 0.02)
    loop.watch(ours, lambda: None, lambda: heard.append("room"))
    assert loop.run_until(lambda: "room" in heard, 5)
    for end in (ours, theirs):
        loop.forget(end)
        end.close()


def test_what_an_earlier_call_of_the_same_turn_closed_is_not_called() -> None:
    loop = Loop()
    pairs = [Channel.pair() for _ in range(2)]
    called: list[int] = []

    def close_all() -> None:
        called.append(1)
        for ours, _ in pairs:
            loop.forget(ours)
            ours.close()

    for ours, theirs in pairs:
        loop.watch(ours, close_all)
        theirs.send({})
    assert loop.run_until(lambda: bool(called), 5)
    assert not loop.run_until(lambda: len(called) > 1, 0.02)
    for _, theirs in pairs:
        theirs.close()


def test_signals_are_heard_in_the_loop() -> None:
    loop = Loop()
    came: list[int] = []
    before = signal.getsignal(signal.SIGUSR1)
    try:
        loop.on_signals([signal.SIGUSR1], came.append)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert came == []
        assert loop.run_until(lambda: bool(came), 5)
        assert came == [signal.SIGUSR1]
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
