"""A world of its own for a piece of a test: namespaces made as a lab makes them, gone when the piece is done.

Nothing to clean up: the piece runs as process 1 of a PID namespace, and whatever it made ends with it.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import WireproofError
from lab.host.isolation import become_first_process, isolate
from lab.host.processes import fork


def isolated(work: Callable[[], object]) -> Any:
    """What `work` gives, as JSON carries it, when it is done in empty user, network, mount and PID namespaces.

    Raises:
        AssertionError: it raised; the text is all that it printed, its traceback included.
    """
    with tempfile.TemporaryDirectory(prefix="wireproof-test-") as folder:
        answer, said = Path(folder, "answer"), Path(folder, "said")
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        pid = fork(functools.partial(_outside, work, answer), output=output)
        os.close(output)
        _, status = os.waitpid(pid, 0)
        assert status == 0, said.read_text(errors="replace")
        return json.loads(answer.read_text())


def _outside(work: Callable[[], object], answer: Path) -> None:
    isolate(answer.parent)
    pid = fork(functools.partial(_inside, work, answer))
    _, status = os.waitpid(pid, 0)
    if status:
        raise WireproofError("the isolated part failed")


def _inside(work: Callable[[], object], answer: Path) -> None:
    become_first_process()
    answer.write_text(json.dumps(work()))
