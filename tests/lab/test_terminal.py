"""`exec` and `shell` on a terminal: it is the command's own."""

from __future__ import annotations

import os
import pty
import select
import signal
import time

import pytest

from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab


class Terminal:
    """Our command line with a terminal of its own."""

    def __init__(self, bench: Bench, *arguments: str) -> None:
        command = bench.command(*arguments)
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(command[0], command, {**bench.environment, "SHELL": "/bin/sh", "PS1": "$ "})
        self.said = ""

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def read_until(self, words: str, timeout: float = 10) -> None:
        deadline = time.monotonic() + timeout
        while words not in self.said:
            assert time.monotonic() < deadline, self.said
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.said += os.read(self.descriptor, 4096).decode(errors="replace")

    def exit_code(self, timeout: float = 30) -> int:
        deadline = time.monotonic() + timeout
        while True:
            if not select.select([self.descriptor], [], [], 0.1)[0]:
                assert time.monotonic() < deadline, self.said
                continue
            try:
                self.said += os.read(self.descriptor, 4096).decode(errors="replace")
            except OSError:  # the other side is closed
                break
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_shell_in_a_node(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    shell = Terminal(bench, "shell", "n1")
    shell.read_until("$ ")
    shell.type("tty && echo in $(hostname) as $WIREPROOF_NODE\n")
    shell.read_until("in n1 as n1")
    assert "/dev/pts/" in shell.said
    shell.type("sh -c 'echo be''gun; exec sleep 100'\n")
    shell.read_until("begun\r")
    shell.type("\x03")
    shell.read_until("^C")
    shell.type("exit 5\n")
    assert shell.exit_code() == 5


def test_stopped_and_continued(bench: Bench) -> None:
    """As the user's shell would see it: ours is the process that stops."""
    bench.ok("up", bench.chain(2))
    cat = Terminal(bench, "exec", "n0", "--", "sh", "-c", "echo begun; exec cat")
    cat.read_until("begun")
    cat.type("\x1a")
    _, status = os.waitpid(cat.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(cat.pid, signal.SIGCONT)
    cat.type("still here\n\x04")
    assert cat.exit_code() == 0
    assert cat.said.count("still here") == 2


def test_an_interrupt_is_the_commands(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    trap = Terminal(bench, "exec", "n0", "--", "sh", "-c", "trap 'echo caught; exit 3' INT; echo begun; sleep 100")
    trap.read_until("begun")
    trap.type("\x03")
    assert trap.exit_code() == 3
    assert "caught" in trap.said
    plain = Terminal(bench, "exec", "n0", "--", "sh", "-c", "echo begun; exec sleep 100")
    plain.read_until("begun")
    plain.type("\x03")
    assert plain.exit_code() == 130


def test_tables_on_a_terminal(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    watching = Terminal(bench, "status", "--watch")
    watching.read_until("n0:right -- n1:left")
    watching.type("\x03")
    assert watching.exit_code() == 130
    assert "━" in watching.said
