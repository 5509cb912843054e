from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import InputError, MachineError
from lab.host import processes
from lab.host.processes import Identity


def end_of(run: Callable[[], None], *, keep: Iterable[int] = (), output: int | None = None) -> int:
    return os.waitpid(processes.fork(run, keep=keep, output=output), 0)[1]


def log_to(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def raising(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 3),
        (MachineError("x"), 4),
        (ValueError("x"), 70),
        (SystemExit(0), 70),
        (KeyboardInterrupt(), 0),
    ],
)
def test_a_child_exits_with_the_code_of_its_error(tmp_path: Path, error: BaseException, code: int) -> None:
    output = log_to(tmp_path / "log")
    assert os.waitstatus_to_exitcode(end_of(raising(error), output=output)) == code
    os.close(output)


def test_a_childs_words_go_to_its_log(tmp_path: Path) -> None:
    def speak() -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.write(1, b"raw\n")
        assert os.read(0, 1) == b""

    output = log_to(tmp_path / "log")
    assert end_of(speak, output=output) == 0
    os.close(output)
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["raw", "to stderr", "to stdout"]


def test_a_child_has_only_the_descriptors_that_it_is_given(tmp_path: Path) -> None:
    kept, other = os.pipe()
    found = tmp_path / "found"
    output = log_to(tmp_path / "log")

    def look() -> None:
        found.write_text(" ".join(path.name for path in Path("/proc/self/fd").iterdir() if path.exists()))

    assert end_of(look, keep=[kept], output=output) == 0
    left = {int(text) for text in found.read_text().split()}
    assert {0, 1, 2, kept} <= left
    assert other not in left
    for descriptor in (kept, other, output):
        os.close(descriptor)


def test_a_process_is_known_again_and_not_mistaken_for_another() -> None:
    own = Identity.own()
    assert own.pid == os.getpid()
    assert own.is_alive
    assert not replace(own, start_time=own.start_time + 1).is_alive
    assert not replace(own, boot_id="another").is_alive


def test_a_process_that_ended_is_gone_before_it_is_reaped() -> None:
    pid = processes.fork(lambda: time.sleep(60))
    start_time = processes._start_time(pid)
    assert start_time is not None
    child = Identity(pid=pid, start_time=start_time, boot_id=processes.boot_id())
    pidfd = child.open()
    assert pidfd is not None
    assert not processes.wait_for_end(pidfd, 0)
    processes.kill(pidfd)
    assert processes.wait_for_end(pidfd, 5)
    assert not child.is_alive  # a zombie
    status = os.waitpid(pid, 0)[1]
    processes.kill(pidfd)  # nothing happens
    os.close(pidfd)
    assert not child.is_alive
    assert processes.describe_end(status) == "killed by SIGKILL"


def test_signal_handlers_of_the_parent_are_not_the_childs() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert processes.describe_end(end_of(lambda: os.kill(os.getpid(), signal.SIGTERM))) == "killed by SIGTERM"
    finally:
        signal.signal(signal.SIGTERM, before)
    assert processes.describe_end(end_of(lambda: None)) == "exit code 0"


def test_garbage_of_the_parent_closes_nothing_in_a_child() -> None:
    class Ring:
        def __init__(self) -> None:
            self.me, self.poll = self, select.epoll()

    gc.collect()
    gc.disable()
    try:
        number = Ring().poll.fileno()  # garbage at once, and with nobody to collect it

        def take_its_number() -> None:
            own = os.open(os.devnull, os.O_RDONLY)
            os.dup2(own, number)
            gc.collect()
            os.fstat(number)

        assert end_of(take_its_number) == 0
    finally:
        gc.enable()
        gc.collect()
