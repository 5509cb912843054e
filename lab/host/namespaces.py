"""Namespaces, by the kernel's own calls: make, hold by a descriptor, enter. Which a lab needs is decided elsewhere."""

from __future__ import annotations

import ctypes
import enum
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)


class Kind(enum.IntFlag):
    """A kind of namespace: the kernel's CLONE_NEW* flag."""

    MNT = 0x00020000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000

    @property
    def file(self) -> str:
        """Its name under /proc/PID/ns."""
        return str(self.name).lower()


def unshare(kinds: Kind) -> None:
    """Move this process into new namespaces of these kinds; with PID, only its children.

    Raises:
        OSError: the kernel refused.
    """
    if _libc.unshare(int(kinds)) != 0:
        raise _last_error(f"unshare {kinds!r}")


def enter(descriptor: int, kind: Kind) -> None:
    """Move this process into the namespace that `descriptor` holds; with PID, only its children.

    Raises:
        OSError: the kernel refused.
    """
    if _libc.setns(descriptor, int(kind)) != 0:
        raise _last_error(f"setns {kind!r}")


def hold(kind: Kind) -> int:
    """Open a descriptor that keeps this process's namespace of that kind alive, and lets others enter it."""
    return os.open(f"/proc/self/ns/{kind.file}", os.O_RDONLY | os.O_CLOEXEC)


def is_own(descriptor: int, kind: Kind) -> bool:
    """Whether this process is in the namespace that `descriptor` holds."""
    return os.path.samestat(os.fstat(descriptor), os.stat(f"/proc/self/ns/{kind.file}"))  # noqa: PTH116 - as fstat


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node's processes live: descriptors of a network namespace and of one for the host name."""

    net: int
    uts: int

    @classmethod
    def here(cls) -> Place:
        """Hold where this process is now."""
        return cls(net=hold(Kind.NET), uts=hold(Kind.UTS))

    @classmethod
    def create(cls, host_name: str) -> Place:
        """Make a new place with that host name. This process is in it afterwards."""
        unshare(Kind.NET | Kind.UTS)
        socket.sethostname(host_name)
        return cls.here()

    def enter(self) -> None:
        """Move this process there."""
        enter(self.net, Kind.NET)
        enter(self.uts, Kind.UTS)

    @contextmanager
    def visit(self, home: Place) -> Iterator[None]:
        """Be there for the time of a `with`, then at `home`: sockets made meanwhile belong there."""
        self.enter()
        try:
            yield
        finally:
            home.enter()


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Put a filesystem or a folder at `target`; the arguments are the system call's.

    Raises:
        OSError: the kernel refused.
    """
    encoded_kind = None if kind is None else kind.encode()
    if _libc.mount(source.encode(), target.encode(), encoded_kind, ctypes.c_ulong(flags), options.encode()) != 0:
        raise _last_error(f"mount {kind or source} on {target}")


def _last_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
