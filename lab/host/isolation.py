"""Cutting a process off from the machine: the namespaces that make a lab, by one path for root and for everybody else.

After `isolate` nothing that the process does can be seen outside, and after `become_first_process` all of it ends with
that process. Both are for a process with a single thread that was forked for the purpose.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from lab.host.namespaces import Kind, mount, unshare
from lab.host.restrictions import explain

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

_RUN = Path("/run")
_DESCRIPTORS = 65536


def isolate(keep: Path) -> None:
    """Move into new user, mount, PID, network, UTS and IPC namespaces, with an empty /run of the lab's own.

    The folder `keep` stays reachable under its path, also where it lies below /run. Root of a machine that allows no
    user namespaces does without one; the rest is the same.

    Raises:
        MachineError: the kernel refused; says which step, why, and what would mend it.
    """
    step = "a user namespace"
    try:
        _own_users()
        step = "mount, PID, network, UTS and IPC namespaces"
        unshare(Kind.MNT | Kind.PID | Kind.NET | Kind.UTS | Kind.IPC)
        step = "mounts of the lab's own"
        mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        _own_run(keep)
    except OSError as error:
        raise explain(step, error) from error
    _raise_descriptor_limit()


def become_first_process() -> None:
    """As process 1 of the new PID namespace: mount a /proc that shows only the lab.

    Raises:
        MachineError: the kernel refused.
    """
    try:
        mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    except OSError as error:
        raise explain("a /proc of the lab's own", error) from error


def show_own_devices() -> None:
    """Mount, for this process and its children alone, a /sys that shows the network devices of where they are.

    Raises:
        OSError: the kernel refused.
    """
    unshare(Kind.MNT)
    mount("sysfs", "/sys", "sysfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def _own_users() -> None:
    """Become root of a new user namespace in which nobody but this user exists."""
    user, group = os.getuid(), os.getgid()
    try:
        unshare(Kind.USER)
    except OSError:
        if user != 0:
            raise
        return
    for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", file).write_text(text)


def _own_run(keep: Path) -> None:
    folder = keep.resolve()
    if not _RUN.is_dir():
        return
    kept = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount("tmpfs", str(_RUN), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
    if folder.is_relative_to(_RUN):
        folder.mkdir(parents=True)
        mount(f"/proc/self/fd/{kept}", str(folder), None, _MS_BIND)
    os.close(kept)


def _raise_descriptor_limit() -> None:
    """A lab holds a few descriptors for each node."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = min(hard, _DESCRIPTORS) if hard != resource.RLIM_INFINITY else _DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))
