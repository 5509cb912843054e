"""Processes that look at bursts side by side, while one counts what they found, in the order of the file.

What is counted is what one process alone would count: each look is told how far numbers had come when it was ordered,
and where that has become wrong meanwhile, and may matter, `Bulk` looks again. Processes come from a fork, so that keys
never leave memory.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Iterable, Sequence
from mmap import mmap
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias, cast, final

from lab.capture.burst import Burst, Column, Origin
from lab.coverage.bulk import Bulk
from lab.coverage.fast import Fast, Opened, State
from lab.errors import MachineError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    _Connection: TypeAlias = "Connection[object, object]"

ROOM: Final = 1 << 23
"""Octets of a window that are shared with a worker; a longer one is looked at here."""
_PATIENCE: Final = 5.0  # seconds for a worker to end by itself

Chosen: TypeAlias = tuple[Burst, Column | None]
"""A burst and which of its rows count, None for all."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: _Connection
    room: mmap


class _Order(NamedTuple):
    """A look at a burst whose octets are in the shared room."""

    octets: int
    first_number: int
    columns: tuple[Column, Column, Column, Column]
    origin: Column
    origins: Sequence[Origin]
    rows: Column | None
    state: State


class _Ordered(NamedTuple):
    """A burst that is being looked at, and what was told about numbers; without a state, nobody looks at it yet."""

    chosen: Chosen
    state: State | None


def go(bursts: Iterable[Chosen], bulk: Bulk, fast: Fast, workers: int) -> None:
    """Observe every burst, with so many processes that look at them.

    Raises:
        MachineError: a worker ended, or none could be started.
    """
    if workers < 2:
        for burst, rows in bursts:
            bulk.burst(burst, rows)
        return
    with _Crew(fast, workers) as crew:
        crew.go(bursts, bulk)


@final
class _Crew:
    def __init__(self, fast: Fast, workers: int) -> None:
        self._fast: Final = fast
        self._count: Final = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> _Crew:
        context = multiprocessing.get_context("fork")
        try:
            for _ in range(self._count):
                room = mmap(-1, ROOM)
                ours, theirs = context.Pipe()
                others = [ours, *(worker.connection for worker in self._workers)]
                process = context.Process(target=_work, args=(self._fast, theirs, room, others), daemon=True)
                process.start()
                theirs.close()
                self._workers.append(_Worker(process, ours, room))
        except OSError as error:
            self.__exit__()
            raise MachineError(f"no more worker processes: {error.strerror}", fix="take fewer --workers") from None
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.connection.close()  # at which it ends
        for worker in self._workers:
            worker.process.join(_PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.room.close()

    def go(self, bursts: Iterable[Chosen], bulk: Bulk) -> None:
        """Give each burst to the next worker, and count in the same order."""
        under_way: list[_Ordered | None] = [None] * self._count
        turn = 0
        for chosen in bursts:
            # What this worker found is fetched and new work given before the old is counted: nobody waits for that.
            done, found = under_way[turn], self._fetch(turn, under_way[turn])
            under_way[turn] = self._order(turn, chosen, bulk.state())
            self._settle(done, found, bulk)
            turn = (turn + 1) % self._count
        for _ in range(self._count):
            self._settle(under_way[turn], self._fetch(turn, under_way[turn]), bulk)
            turn = (turn + 1) % self._count

    def _order(self, turn: int, chosen: Chosen, state: State) -> _Ordered:
        burst, rows = chosen
        worker = self._workers[turn]
        if len(burst.data) > ROOM:
            return _Ordered(chosen, None)
        worker.room[: len(burst.data)] = burst.data
        columns = (burst.starts, burst.ends, burst.lengths, burst.times)
        order = _Order(len(burst.data), burst.first_number, columns, burst.origin, burst.origins, rows, state)
        try:
            worker.connection.send(order)
        except OSError:
            self._lost(worker)
        return _Ordered(chosen, state)

    def _fetch(self, turn: int, ordered: _Ordered | None) -> Opened | None:
        if ordered is None or ordered.state is None:
            return None
        worker = self._workers[turn]
        try:
            found = worker.connection.recv()
        except (EOFError, OSError):
            self._lost(worker)
        if isinstance(found, str):
            raise RuntimeError(f"a worker failed:\n{found}")
        assert isinstance(found, Opened)
        return found

    def _settle(self, ordered: _Ordered | None, found: Opened | None, bulk: Bulk) -> None:
        if ordered is None:
            return
        if found is None:
            bulk.burst(*ordered.chosen)
        else:
            bulk.settle(*ordered.chosen, found, ordered.state)

    def _lost(self, worker: _Worker) -> NoReturn:
        worker.process.join(_PATIENCE)
        how = f"with exit code {worker.process.exitcode}"
        raise MachineError(f"a worker process ended {how} before its work was done", fix="take fewer --workers")


def _work(fast: Fast, connection: _Connection, room: mmap, others: Sequence[_Connection]) -> None:
    """What a worker does until nobody is there any more to talk to: of that it must not hold the other end itself."""
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever ordered the work hears it, and closes the connection
    while True:
        try:
            order = cast(_Order, connection.recv())
        except (EOFError, OSError):
            return
        answer: Opened | str
        try:
            burst = Burst(room[: order.octets], order.first_number, order.columns, order.origin, order.origins)
            answer = fast.look(burst, order.rows, order.state)
        except Exception:
            answer = traceback.format_exc()
        try:
            connection.send(answer)
        except OSError:
            return
