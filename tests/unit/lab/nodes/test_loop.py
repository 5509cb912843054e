"""The driver's loop: who is ready has a turn, who has more has another, nobody waits for long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lab.nodes.loop import Loop


class Pipe:
    """A source with a number of octets to read."""

    def __init__(self, octets: int = 0) -> None:
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK)
        os.write(self.writing, bytes(octets))

    def fileno(self) -> int:
        return self.reading

    def take(self) -> int:
        """Read one octet; give how many were read."""
        try:
            return len(os.read(self.reading, 1))
        except BlockingIOError:
            return 0

    def close(self) -> None:
        for descriptor in (self.reading, self.writing):
            os.close(descriptor)


@contextmanager
def pipes(*octets: int) -> Iterator[tuple[Loop, list[Pipe]]]:
    loop, made = Loop(), [Pipe(count) for count in octets]
    yield loop, made
    loop.close()
    for pipe in made:
        pipe.close()


def test_sources_take_turns_however_much_one_has() -> None:
    turns: list[str] = []
    with pipes(4, 4) as (loop, (a, b)):

        def turn(name: str, pipe: Pipe) -> bool:
            turns.append(name)
            pipe.take()
            if len(turns) == 8:
                loop.stop()
            return False

        loop.watch(a, lambda: turn("a", a))
        loop.watch(b, lambda: turn("b", b))
        loop.run()
    assert [set(turns[i : i + 2]) for i in range(0, 8, 2)] == [{"a", "b"}] * 4


def test_a_source_that_says_so_has_another_turn_though_nothing_is_readable() -> None:
    turns = 0
    with pipes(1) as (loop, (pipe,)):

        def turn() -> bool:
            nonlocal turns
            pipe.take()
            turns += 1
            if turns == 3:
                loop.stop()
            return turns < 3

        loop.watch(pipe, turn)
        loop.run()
    assert turns == 3


def test_a_single_turn_does_not_wait() -> None:
    turns = 0
    with pipes(0, 1) as (loop, (silent, pipe)):

        def turn() -> bool:
            nonlocal turns
            turns += 1
            return False

        loop.watch(silent, turn)
        loop.turn()
        assert turns == 0
        loop.watch(pipe, turn)
        loop.turn()
        assert turns == 1


class Alarm:
    """Something that is due at one time, and then never again."""

    def __init__(self, when: float) -> None:
        self.when: float | None = when
        self.fired: list[float] = []

    def next_timeout(self) -> float | None:
        return self.when

    def handle_timer(self, now: float) -> None:
        self.fired.append(now)
        self.when = None


def test_timers_fire_when_they_are_due_and_not_before() -> None:
    now = 10.0
    loop = Loop(clock=lambda: now)
    early, late = Alarm(11.0), Alarm(12.0)
    loop.time(early)
    loop.time(late)
    loop.turn()
    assert (early.fired, late.fired) == ([], [])
    now = 11.5
    loop.turn()
    loop.turn()
    assert (early.fired, late.fired) == ([11.5], [])
    now = 12.0
    loop.turn()
    assert late.fired == [12.0]
    loop.close()


def test_a_timer_ends_the_wait_for_descriptors() -> None:
    with pipes(0) as (loop, (silent,)):
        loop.watch(silent, lambda: False)
        alarm = Alarm(loop.clock() + 0.01)
        stop = Alarm(loop.clock() + 0.02)
        stop.handle_timer = lambda now: loop.stop()  # type: ignore[method-assign]
        loop.time(alarm)
        loop.time(stop)
        loop.run()
        assert alarm.fired


def test_a_source_that_was_forgotten_has_no_turn_any_more() -> None:
    turns = 0
    with pipes(1) as (loop, (pipe,)):

        def turn() -> bool:
            nonlocal turns
            turns += 1
            return True

        loop.watch(pipe, turn)
        loop.turn()
        loop.forget(pipe)
        loop.turn()
    assert turns == 1
