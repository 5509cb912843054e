"""BIRD 2, the routing daemon: one process in a namespace, and a conversation over its control socket.

It is started for a lab with a configuration and a socket in a folder of the lab's own; nothing of the system's BIRD, if
there is one, is touched. The conversation is BIRD's own protocol: lines with a number of four digits, of which the last
of an answer has a space behind it and the others a hyphen; a line that begins with a space has the number before.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import WireproofError
from lab.host.namespaces import Place
from lab.host.processes import fork

FOLDER: Final = Path("/run/wireproof-bird")
"""In the lab's own /run, which ends with the lab."""

_PATIENCE: Final = 5.0
_NUMBERED: Final = re.compile(r"(\d{4})([- ])(.*)")

# From here on a number says that a command was refused.
_RUNTIME_ERROR: Final = 8000
_PR_SET_PDEATHSIG: Final = 1


class BirdError(WireproofError):
    """BIRD did not do what it was asked for."""


def config_path(node: str) -> Path:
    """Where a node's BIRD reads its configuration, while it does."""
    return FOLDER / f"{node}.conf"


def socket_path(node: str) -> Path:
    """Where a node's BIRD listens."""
    return FOLDER / f"{node}.ctl"


def write_config(node: str, text: str) -> None:
    """Write a configuration for BIRD to read, for nobody else's eyes: it may hold passwords."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    with open(config_path(node), "w", opener=functools.partial(os.open, mode=0o600)) as file:
        file.write(text)


def start_bird(executable: str, node: str, place: Place, log: Path) -> int:
    """Start a node's BIRD in its place; give its pid. What it says goes to the end of `log`."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        become = functools.partial(_become, executable, node, place)
        return fork(become, keep=(place.net, place.uts), output=output, name="bird")
    finally:
        os.close(output)


def _become(executable: str, node: str, place: Place) -> None:
    place.enter()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # not without whoever keeps it
    arguments = ["bird", "-f", "-c", str(config_path(node)), "-s", str(socket_path(node))]
    os.execv(executable, arguments)  # noqa: S606 - a program of the system's, without a shell


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an answer, with its number."""

    number: int
    text: str


class BirdSocket:
    """A conversation with one BIRD."""

    def __init__(self, node: str, *, patience: float = _PATIENCE) -> None:
        """Call a node's BIRD, waiting until it listens.

        Raises:
            BirdError: it does not listen in that time.
        """
        self._node = node
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._waiting = b""
        deadline = time.monotonic() + patience
        while True:
            try:
                self._socket.connect(str(socket_path(node)))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() >= deadline:
                    self._socket.close()
                    raise BirdError(f"BIRD of {node} does not listen") from None
                time.sleep(0.01)
        self._socket.settimeout(_PATIENCE)
        list(self._answer())

    def ask(self, command: str) -> list[Line]:
        """Give a command, and get the lines of its answer without the last one, unless that says something.

        Raises:
            BirdError: BIRD refuses, or does not answer.
        """
        self._socket.sendall(command.encode() + b"\n")
        lines = list(self._answer())
        if lines and lines[-1].number >= _RUNTIME_ERROR:
            raise BirdError(f"BIRD of {self._node} refuses {command!r}: {lines[-1].text}")
        return lines

    def close(self) -> None:
        """End the conversation; BIRD goes on."""
        self._socket.close()

    def _answer(self) -> Iterator[Line]:
        number = 0
        while True:
            text = self._line()
            numbered = _NUMBERED.fullmatch(text)
            if numbered is None:
                yield Line(number, text.removeprefix(" "))
                continue
            number = int(numbered[1])
            if numbered[3] or numbered[2] == " ":
                yield Line(number, numbered[3])
            if numbered[2] == " ":
                return

    def _line(self) -> str:
        while b"\n" not in self._waiting:
            try:
                octets = self._socket.recv(65536)
            except TimeoutError:
                raise BirdError(f"BIRD of {self._node} does not answer") from None
            if not octets:
                raise BirdError(f"BIRD of {self._node} has ended")
            self._waiting += octets
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode(errors="replace")
