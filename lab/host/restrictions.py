"""Why a machine refuses to make namespaces, and the command that would change that. Reads, never writes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from lab.errors import MachineError

_SYSTEM = Path("/proc/sys")


def explain(step: str, error: OSError) -> MachineError:
    """Turn the kernel's refusal of a step into the cause and the cure."""
    cause, fix = _cause(error)
    said = os.strerror(error.errno) if error.errno else str(error)
    return MachineError(f"this machine refuses {step} ({said}): {cause}", fix=fix)


def _cause(error: OSError) -> tuple[str, str | None]:
    if error.errno in (errno.ENOSPC, errno.EUSERS) or _number("user/max_user_namespaces") == 0:
        return (
            f"user.max_user_namespaces is {_text('user/max_user_namespaces')}",
            "sudo sysctl -w user.max_user_namespaces=10000",
        )
    if os.geteuid() != 0 and _number("kernel/unprivileged_userns_clone") == 0:
        return (
            "kernel.unprivileged_userns_clone is 0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if _number("kernel/apparmor_restrict_unprivileged_userns") == 1:
        return (
            "AppArmor takes the rights away from unprivileged user namespaces "
            "(kernel.apparmor_restrict_unprivileged_userns is 1)",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, "
            "or give this Python an AppArmor profile with `userns,`, or run as root",
        )
    if _is_filtered():
        return (
            "a system call filter (seccomp) is in force, as in a container",
            "run the container with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined",
        )
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.ENODEV):
        return "this kernel was built without it", "use a kernel with namespaces, tmpfs and proc built in"
    return "the cause is not one that is known here", "run as root, outside of any container"


def _is_filtered() -> bool:
    """Whether a seccomp filter is in force for this process."""
    status = Path("/proc/self/status").read_text().splitlines()
    return any(line.startswith("Seccomp:") and line.split()[1] != "0" for line in status)


def _text(name: str) -> str | None:
    try:
        return (_SYSTEM / name).read_text().strip()
    except OSError:
        return None


def _number(name: str) -> int | None:
    text = _text(name)
    return int(text) if text is not None and text.isdigit() else None
