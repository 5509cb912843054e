"""Processes: fork one for a purpose, know one again later, end one, say how one ended."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ExitCode, WireproofError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LONGEST_NAME = 15
ERROR_MARK = "wireproof: "  # begins an error that ended a process, in its log
_START_TIME = 19  # of the fields after the command's name: proc(5) field 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process, told apart from a later one with the same number: also after the machine was started anew."""

    pid: int
    start_time: int
    boot_id: str

    @classmethod
    def own(cls) -> Identity:
        """This process, by its number in the PID namespace whose /proc is mounted."""
        pid = int(Path("/proc/self").readlink().name)
        start_time = _start_time(pid)
        assert start_time is not None
        return cls(pid=pid, start_time=start_time, boot_id=boot_id())

    def open(self) -> int | None:
        """A pidfd of the process; None when it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # The number cannot change hands any more; only now is it certain whose it is.
        if self.boot_id == boot_id() and self.start_time == _start_time(self.pid):
            return descriptor
        os.close(descriptor)
        return None

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        descriptor = self.open()
        if descriptor is None:
            return False
        os.close(descriptor)
        return True


def boot_id() -> str:
    """The kernel's name for the time since the machine was started."""
    return _BOOT_ID.read_text().strip()


def _start_time(pid: int) -> int | None:
    """When the process was started, in ticks since boot; None when it has ended, even if nobody has reaped it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[_START_TIME])


def wait_for_end(pidfd: int, timeout: float) -> bool:
    """Wait until a process has ended; false when `timeout` seconds passed first.

    For process 1 of a PID namespace that means: every process in it has ended.
    """
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(0, round(timeout * 1000))))


def kill(pidfd: int) -> None:
    """Kill a process that cannot refuse; nothing happens when it has ended."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextlib.contextmanager
def interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold interrupts (SIGINT) back until what is given is called, or else to the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield let_through
    finally:
        let_through()


def fork(
    run: Callable[[], None], *, keep: Iterable[int] = (), output: int | None = None, name: str = "wireproof"
) -> int:
    """Fork a child that does `run` and then ends; give its pid. Who looks at processes sees it as `name`.

    The child reads nothing, writes to the descriptor `output` (else where its parent did), and of its parent's
    descriptors has only those in `keep`. It exits with 0, with a WireproofError's exit code, or with 70.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = int(ExitCode.BUG)
        try:
            Path("/proc/self/comm").write_text(name[:_LONGEST_NAME])
            code = _be_child(run, frozenset(keep), output)
        finally:
            os._exit(code)
    return pid


def _be_child(run: Callable[[], None], keep: frozenset[int], output: int | None) -> int:
    code = ExitCode.OK
    try:
        # What the parent left as garbage is never finalized here: its descriptors' numbers soon belong to others.
        gc.freeze()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # its parent may have held it back
        _redirect(output)
        _close_others(keep)
        run()
    except WireproofError as error:
        print(f"{ERROR_MARK}{error}", file=sys.stderr)  # noqa: T201 - standard error is the child's log
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.OK
    except BaseException:
        traceback.print_exc()
        code = ExitCode.BUG
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code)


def _redirect(output: int | None) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if output is not None:
        os.dup2(output, 1)
        os.dup2(output, 2)
    # Whatever the parent had put in their place; a log is to be read while it grows, so line by line.
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115 - for good
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115


def _close_others(keep: frozenset[int]) -> None:
    """What a child does not need it must not hold: a peer's end of a channel would never be seen to close."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        descriptor = int(name)
        if descriptor > 2 and descriptor not in keep:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the listing's own


def describe_end(status: int) -> str:
    """Say how a process ended, from waitpid's status."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
