"""Network namespaces for gateways and their peers, and a process 1 in them that opens and starts things for the test.

Engines run in the test's own process, on sockets and devices that belong elsewhere: process 1 opens them where they are
to be and hands over the descriptors. Nothing needs cleaning up: what was made there ends with process 1.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.host.devices import disable_offloads, open_tun
from lab.host.isolation import become_first_process, isolate
from lab.host.namespaces import Place
from lab.host.packet import open_packet_socket
from lab.host.processes import fork

_LARGEST = 1 << 16
_MOST_DESCRIPTORS = 4
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

Made = tuple[object, tuple[int, ...]]  # what a function in the world gives: a value, and descriptors to hand over


class World:
    """Places by name, each a network namespace with nothing in it but a loopback that is up. IPv6 is off: it talks."""

    def __init__(self, *places: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wireproof-test-")
        self.folder = Path(self._folder.name)
        self._said = self.folder / "world.log"
        self._started = 0
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = os.open(self._said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        work = functools.partial(_isolated, theirs, self.folder, places)
        self._pid: int | None = fork(work, keep=(theirs.fileno(),), output=output)
        os.close(output)
        theirs.close()
        self._hear()
        for place in places:
            self.shell(place, "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")

    def join(self, a: str, b: str, *, device: str = "wire0") -> None:
        """A wire between two places, with an end called `device` in each, up and without offloads."""
        self.call(a, _wire, device, b)
        for place in (a, b):
            self.call(place, _whole, device)
            self.run(place, "ip", "link", "set", device, "up")

    def call(self, place: str, function: Callable[..., Made], *arguments: object) -> Made:
        """What a function gives that is called in a place by process 1.

        Raises:
            AssertionError: it raised.
        """
        self._line.send(pickle.dumps((place, function, arguments)))
        return self._hear()

    def udp(self, place: str, address: str, port: int) -> socket.socket:
        """A UDP socket there."""
        return socket.socket(fileno=self.call(place, _udp, address, port)[1][0])

    def raw(self, place: str, address: str, protocol: int) -> socket.socket:
        """A socket for packets of an IP protocol there."""
        return socket.socket(fileno=self.call(place, _raw, address, protocol)[1][0])

    def packets(self, place: str, device: str) -> socket.socket:
        """All frames of a device there."""
        return socket.socket(fileno=self.call(place, _packets, device)[1][0])

    def tun(self, place: str, device: str) -> int:
        """The descriptor of a TUN device there, which lives as long as it is open."""
        return self.call(place, _tun, device)[1][0]

    def start(self, place: str, *command: str, environment: Mapping[str, str] | None = None) -> Command:
        """Start a command there."""
        self._started += 1
        output = self.folder / f"command{self._started}.log"
        pid, (pidfd,) = self.call(place, _start, command, dict(environment or {}), str(output))
        assert isinstance(pid, int)
        return Command(self, command, pid, pidfd, output)

    def run(self, place: str, *command: str, timeout: float = 30.0) -> str:
        """Run a command there and give what it printed.

        Raises:
            AssertionError: it failed.
        """
        status, printed = self.start(place, *command).result(timeout)
        assert status == 0, f"{' '.join(command)}: exit status {status}\n{printed}"
        return printed

    def shell(self, place: str, text: str) -> str:
        """Run shell text there, to the first command that fails, and give what it printed."""
        return self.run(place, "sh", "-euc", text)

    def close(self) -> None:
        """End it all. Closing twice is fine."""
        if self._pid is not None:
            self._line.close()  # process 1 ends at that, and with it all that was started
            os.waitpid(self._pid, 0)
            self._pid = None
            self._folder.cleanup()

    def _hear(self) -> Made:
        octets, descriptors, _, _ = socket.recv_fds(self._line, _LARGEST, _MOST_DESCRIPTORS)
        assert octets, f"the world has ended:\n{self._said.read_text()}"
        good, value = pickle.loads(octets)
        assert good, value
        return value, tuple(descriptors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Command:
    """A command that runs in a world."""

    def __init__(self, world: World, command: tuple[str, ...], pid: int, pidfd: int, output: Path) -> None:
        self.command = command
        self.output = output
        self._world = world
        self._pid = pid
        self._pidfd = pidfd
        self._status: int | None = None

    @property
    def pid(self) -> int:
        """Its number in the PID namespace of whoever asks."""
        lines = Path(f"/proc/self/fdinfo/{self._pidfd}").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pid:")).split()[1])

    def ended(self) -> bool:
        """Whether it is over."""
        return self._status is not None or bool(select.select([self._pidfd], [], [], 0)[0])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it is over."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def result(self, timeout: float = 30.0) -> tuple[int, str]:
        """Exit status and output, once it has ended.

        Raises:
            AssertionError: it goes on after `timeout` seconds.
        """
        end = time.monotonic() + timeout
        while not self.ended():
            assert time.monotonic() < end, f"{' '.join(self.command)} does not end: {self.printed()}"
            time.sleep(0.005)
        if self._status is None:
            status, _ = self._world.call("", _reap, self._pid)
            assert isinstance(status, int)
            self._status = status
            os.close(self._pidfd)
        return self._status, self.printed()

    def printed(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace")


# ---- what process 1 does ----

_places: dict[str, Place] = {}
_commands: dict[int, subprocess.Popen[bytes]] = {}


def _isolated(line: socket.socket, folder: Path, places: tuple[str, ...]) -> None:
    isolate(folder)
    os.waitpid(fork(functools.partial(_be_first, line, places), keep=(line.fileno(),)), 0)


def _be_first(line: socket.socket, places: tuple[str, ...]) -> None:
    become_first_process()
    _places[""] = home = Place.here()
    for name in places:
        _places[name] = Place.create(name)
        home.enter()
    line.send(pickle.dumps((True, None)))
    while octets := line.recv(_LARGEST):
        place, function, arguments = pickle.loads(octets)
        descriptors: tuple[int, ...] = ()
        try:
            with _places[place].visit(home):
                value, descriptors = function(*arguments)
            answer = pickle.dumps((True, value))
        except Exception as error:
            answer = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        socket.send_fds(line, [answer], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _wire(device: str, other: str) -> Made:
    peer = f"/proc/self/fd/{_places[other].net}"
    command = ["ip", "link", "add", device, "type", "veth", "peer", "name", device, "netns", peer]
    subprocess.run(command, check=True, pass_fds=(_places[other].net,))
    return None, ()


def _whole(device: str) -> Made:
    disable_offloads(device, ("tso", "gso", "gro", "tx-checksum"))
    return None, ()


def _udp(address: str, port: int) -> Made:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind((address, port))
    return None, (made.detach(),)


def _raw(address: str, protocol: int) -> Made:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    made.bind((address, 0))
    return None, (made.detach(),)


def _packets(device: str) -> Made:
    return None, (open_packet_socket(device).detach(),)


def _tun(device: str) -> Made:
    descriptor = open_tun()
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("=16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI))
    return None, (descriptor,)


def _start(command: tuple[str, ...], environment: dict[str, str], output: str) -> Made:
    with Path(output).open("ab") as file:
        # Each has a session of its own, as daemons and terminals have: Linux divides processors among sessions first.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environment,
            start_new_session=True,
        )  # fmt: skip
    _commands[process.pid] = process
    return process.pid, (os.pidfd_open(process.pid),)


def _reap(pid: int) -> Made:
    return _commands.pop(pid).wait(), ()
