"""A whole Linux kernel as a child process: boot it, run shell text in it, exchange frames with its NICs.

Made by build.sh; needs no root, no TAP and no namespace. A NIC is one end of a SOCK_SEQPACKET pair, so frames arrive
one a read, exactly as the guest's driver sent them: no padding, no offloads.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_MEMORY = "96M"
_BOOT_SECONDS = 60.0
_SEND_BUFFER = 1 << 20


class GuestError(Exception):
    """The guest died, did not answer in time, or a command in it failed."""


class Nic:
    """The host's end of a guest's NIC `vecN`. Pulling its cable loses frames of both directions until it is back."""

    def __init__(self, host_end: socket.socket) -> None:
        self._socket = host_end
        self._socket.setblocking(False)
        self.connected = True

    def fileno(self) -> int:
        """Readable when a frame waits."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        """Give the guest one frame, from its destination address to its last octet, without FCS."""
        if self.connected:
            with contextlib.suppress(BlockingIOError):  # a full queue loses the frame, as any NIC does
                self._socket.send(frame)

    def receive(self, timeout: float = 0.0) -> bytes | None:
        """The next frame that the guest sent; None when none comes within `timeout` seconds."""
        end = time.monotonic() + timeout
        while select.select([self._socket], [], [], max(0.0, end - time.monotonic()))[0]:
            frame = self._socket.recv(65536)
            if self.connected:
                return frame
        return None

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()


class Running:
    """Shell text that runs in the guest while the host does something else. One at a time a guest."""

    def __init__(self, guest: Guest, script: Path) -> None:
        self._guest = guest
        self._script = script
        self._ended: tuple[int, str] | None = None

    def ended(self) -> bool:
        """Whether the guest is through with it."""
        if self._ended is None:
            self._ended = self._guest.take_end()
        return self._ended is not None

    def result(self, timeout: float = 60.0) -> tuple[int, str]:
        """Exit status and output, waiting for them for `timeout` seconds."""
        end = time.monotonic() + timeout
        while not self.ended():
            self._guest.read_console(end - time.monotonic())
        self._script.unlink(missing_ok=True)
        assert self._ended is not None
        return self._ended


class Guest:
    """A running guest with `nics` NICs: `vec0`, `vec1`, ... inside, `nic[0]`, `nic[1]`, ... here.

    `folder` is where build.sh built. The guest dies with `close`, or with the context.
    """

    def __init__(self, folder: Path, *, nics: int = 1) -> None:
        self._run = Path(tempfile.mkdtemp(prefix="guest."))
        self.share = self._run / "share"
        self.share.mkdir()
        self.nic: list[Nic] = []
        self._console = b""
        self._scripts = 0
        arguments = [
            str(folder / "uml/linux.uml"), f"mem={_MEMORY}", f"rootflags={folder / 'rootfs'}", "rootfstype=hostfs",
            "ro", "init=/init", f"uml_dir={self._run}", "umid=guest", "con=null", "con0=fd:0,fd:1", "ssl=null",
            "quiet", "loglevel=1", f"share={self.share}",
        ]  # fmt: skip
        guest_ends = []
        for number in range(nics):
            host_end, guest_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in (host_end, guest_end):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            guest_ends.append(guest_end)
            self.nic.append(Nic(host_end))
            arguments.append(f"vec{number}:transport=fd,fd={guest_end.fileno()},depth=64,gro=0")
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[end.fileno() for end in guest_ends],
            env=os.environ | {"TMPDIR": str(self._run), "HOME": str(self._run)},
            start_new_session=True,
        )
        for end in guest_ends:
            end.close()
        try:
            self._wait_for_boot()
        except GuestError:
            self.close()
            raise

    def shell(self, text: str, *, timeout: float = 60.0, check: bool = True) -> str:
        """Run shell text, of one line or many, and give what it printed.

        Raises:
            GuestError: it failed (unless `check` is off), or did not end within `timeout` seconds.
        """
        status, output = self.start(text).result(timeout)
        if check and status:
            raise GuestError(f"exit status {status} of\n{text}\n{output}")
        return output

    def start(self, text: str) -> Running:
        """Begin to run shell text; its result must be taken before the next begins."""
        self._scripts += 1
        script = self.share / f"script{self._scripts}"
        script.write_text(text + "\n")
        assert self._process.stdin is not None
        self._process.stdin.write(f"sh /share/{script.name}\n".encode())
        self._process.stdin.flush()
        return Running(self, script)

    def take_end(self) -> tuple[int, str] | None:
        """Exit status and output of what runs, once it has ended."""
        self.read_console(0.0, wait=False)
        before, mark, after = self._console.partition(b"@@ENDED ")
        if not mark or b"\n" not in after:
            return None
        status, _, self._console = after.partition(b"\n")
        return int(status), before.replace(b"\r", b"").decode(errors="replace")

    def read_console(self, timeout: float, *, wait: bool = True) -> None:
        """Take in what the guest's console says within `timeout` seconds.

        Raises:
            GuestError: the guest died; or nothing was said and `wait` is set.
        """
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], max(0.0, timeout))[0]:
            if wait:
                raise GuestError(f"the guest said nothing more in time; so far: {self._console[-2000:]!r}")
            return
        said = os.read(self._process.stdout.fileno(), 65536)
        if not said:
            raise GuestError(f"the guest died; its last words: {self._console[-2000:]!r}")
        self._console += said

    def _wait_for_boot(self) -> None:
        end = time.monotonic() + _BOOT_SECONDS
        while b"@@READY\n" not in self._console.replace(b"\r", b""):
            self.read_console(end - time.monotonic())
        self._console = b""

    def close(self) -> None:
        """End the guest and remove what it left. Closing twice is fine."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # the session that __init__ started for it, nothing else
            self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        for nic in self.nic:
            nic.close()
        shutil.rmtree(self._run, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
