"""Going into a running lab from outside, by descriptors that its process 1 hands over: to run commands in a node."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from lab.errors import CheckFailedError
from lab.host.isolation import show_own_devices
from lab.host.namespaces import Kind, Place, enter, is_own

_PR_SET_PDEATHSIG = 1
_NOT_FOUND, _NOT_EXECUTABLE, _KILLED = 127, 126, 128  # what a shell gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """The way into a lab: the namespaces that its nodes share, its own empty place, and places of nodes."""

    shared: Mapping[Kind, int]
    home: Place
    nodes: Mapping[str, Place]

    @classmethod
    def from_descriptors(cls, shared: Iterable[int], nodes: Iterable[str], descriptors: Sequence[int]) -> Entrance:
        """Name descriptors in the order in which process 1 hands them over."""
        given = iter(descriptors)
        kinds = {Kind(kind): next(given) for kind in shared}
        home = Place(net=next(given), uts=next(given))
        return cls(shared=kinds, home=home, nodes={name: Place(net=next(given), uts=next(given)) for name in nodes})

    def enter(self) -> None:
        """Move this process into the lab, for good, to its empty place; children are in its PID namespace.

        A process with several threads cannot. The working directory stays where it can.

        Raises:
            OSError: the kernel refused.
        """
        folder = os.getcwd()  # noqa: PTH109 - the text is wanted, whatever it is
        for kind, descriptor in self.shared.items():
            if kind is not Kind.USER or not is_own(descriptor, kind):  # one's own cannot be entered again
                enter(descriptor, kind)
        self.home.enter()
        with suppress(OSError):
            os.chdir(folder)


def fork_inside() -> int:
    """Fork a child into the PID namespace that this process has entered.

    Raises:
        CheckFailedError: the lab has ended: where there is no process 1 any more, there can be no new one.
    """
    try:
        return os.fork()
    except OSError as error:
        if error.errno == errno.ENOMEM:  # pid_namespaces(7)
            raise CheckFailedError("the lab ended meanwhile") from None
        raise


def run_command(entrance: Entrance, node: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command in a node and give its exit code, as a shell would. This process is in the lab afterwards.

    The command has our terminal and descriptors 0 to 2. It ends when we do, by whatever cause.
    """
    entrance.enter()
    entrance.nodes[node].enter()
    # Not where others of our group use it, too, as in `exec ... | less`.
    has_terminal = os.isatty(0) and os.isatty(1) and os.tcgetpgrp(0) == os.getpgrp()
    child = fork_inside()
    if child == 0:
        if has_terminal:
            _lead()
        _become(command, environment)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    for number in (signal.SIGINT, signal.SIGQUIT):  # where the command shares our group, it gets these, too: it decides
        signal.signal(number, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(_wait(child, has_terminal=has_terminal))
    return code if code >= 0 else _KILLED - code


def _lead() -> None:
    """Have the terminal, at the head of a process group of our own: the one before is not seen in the lab.

    A shell that finds itself in a group that it cannot see can do no job control.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # who asks from the background would be stopped
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _wait(child: int, *, has_terminal: bool) -> int:
    """Wait for the command's end, and be stopped and continued together with it; give waitpid's status."""
    own = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    while True:
        status = os.waitpid(child, os.WUNTRACED)[1]
        if has_terminal:
            os.tcsetpgrp(0, own)
        if not os.WIFSTOPPED(status):
            return status
        os.kill(os.getpid(), signal.SIGSTOP)
        if has_terminal:
            os.tcsetpgrp(0, child)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


def _become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    code = _NOT_EXECUTABLE
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a command would inherit that
            signal.signal(number, signal.SIG_DFL)
        try:
            show_own_devices()
        except OSError as error:
            sys.stderr.write(f"wireproof: /sys shows this machine's devices, not the node's ({error})\n")
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - what the user asked for, without a shell
    except FileNotFoundError:
        code = _NOT_FOUND
        sys.stderr.write(f"wireproof: there is no command {command[0]!r}\n")
    except OSError as error:
        sys.stderr.write(f"wireproof: {command[0]!r} cannot be run: {error.strerror}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)
