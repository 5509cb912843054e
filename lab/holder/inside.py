"""Doing a piece of work inside a lab that runs, from outside: a forked child enters it, and its answer comes by a pipe.

The answer is not bound by the size of a message to process 1, and process 1 is not kept from its own work.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from lab.errors import CheckFailedError, ExitCode, WireproofError
from lab.holder.client import Client
from lab.holder.failure import failure
from lab.host.entering import Entrance, fork_inside
from lab.host.processes import fork

Work = Callable[[Entrance], object]


def do_inside(client: Client, nodes: Iterable[str], work: Work) -> Any:
    """What `work` gives, as JSON carries it, when it is done in the lab; it can visit these nodes.

    Raises:
        WireproofError: `work` raised it; its text and exit code are the same.
        CheckFailedError: the lab ended meanwhile.
    """
    with doing_inside(client, nodes, work) as result:
        return result()


@contextmanager
def doing_inside(
    client: Client, nodes: Iterable[str], work: Work, *, keep: Iterable[int] = ()
) -> Iterator[Callable[[], Any]]:
    """Have `work` done in the lab meanwhile; what is given waits for its answer, and raises as `do_inside` does.

    It keeps the descriptors in `keep`. Leaving the context ends it, whatever it is doing.
    """
    with _entered(client, nodes) as entrance:
        reading, writing = os.pipe()
        child = fork(
            functools.partial(_outside, entrance, work, writing),
            keep=(*_descriptors(entrance), writing, *keep),
            name="wireproof",
        )
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as pipe:
                yield functools.partial(_answer, client, pipe)
        finally:
            os.kill(child, signal.SIGKILL)  # as a rule it has ended; it is ours until it is waited for
            os.waitpid(child, 0)


def _answer(client: Client, pipe: BinaryIO) -> Any:
    said = pipe.read()
    if not said:
        raise CheckFailedError(f"lab {client.folder.name} ended, or could not be entered")
    answer = json.loads(said)
    if "error" in answer:
        raise failure(answer["error"], answer["exit_code"])
    return answer["result"]


def _outside(entrance: Entrance, work: Work, writing: int) -> None:
    """Fork once more, because only a child is in the lab's PID namespace, and ends with it."""
    entrance.enter()
    try:
        child = fork_inside()
    except CheckFailedError:
        return  # without an answer, whoever waits for it says so
    if child:
        os.close(writing)
        os.waitpid(child, 0)
        return
    try:
        answer: dict[str, object] = {"result": work(entrance)}
    except WireproofError as error:
        answer = {"error": str(error), "exit_code": int(error.exit_code)}
    except OSError as error:
        answer = {"error": f"{error.strerror or error}", "exit_code": int(ExitCode.CANNOT)}
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(answer).encode())
    os._exit(0)


@contextmanager
def _entered(client: Client, nodes: Iterable[str]) -> Iterator[Entrance]:
    """The way into nodes, for the time of a `with`."""
    entrance = client.enter(nodes)
    try:
        yield entrance
    finally:
        for descriptor in _descriptors(entrance):
            os.close(descriptor)


def _descriptors(entrance: Entrance) -> list[int]:
    places = (entrance.home, *entrance.nodes.values())
    return [*entrance.shared.values(), *(descriptor for place in places for descriptor in (place.net, place.uts))]
