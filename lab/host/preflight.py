"""What a lab needs of this machine, tried out: each need in namespaces of its own that are gone afterwards."""

from __future__ import annotations

import enum
import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import MachineError
from lab.host import devices, nftables, state
from lab.host.channel import Channel
from lab.host.isolation import become_first_process, isolate
from lab.host.namespaces import Kind, Place, is_own
from lab.host.processes import fork
from lab.host.programs import BIRD, Program

_RECEIVE_BUFFER = 4 << 20  # octets; a burst of a fast sender fits
_DESCRIPTORS = 4096  # a lab of a thousand nodes


class Verdict(enum.StrEnum):
    """How a need is met."""

    WORKS = "works"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A need, whether it is met, and if not, what would mend that."""

    name: str
    verdict: Verdict
    detail: str
    fix: str | None = None


def examine() -> tuple[Need, ...]:
    """Try everything that a lab needs."""
    return (_python(), *_namespaces(), _receive_buffer(), _descriptors(), _state_folder(), _program(BIRD))


def _python() -> Need:
    return Need(
        name="Python 3.11 or later", verdict=Verdict.WORKS, detail=f"{platform.python_version()}, {sys.executable}"
    )


def _namespaces() -> Iterator[Need]:
    """Be a holder for a moment, in a child, and hear how far it came."""
    ours, theirs = Channel.pair()

    def outside() -> None:
        _report(theirs, "own namespaces", _isolated)
        child = fork(inside, keep=(theirs.fileno(),))
        os.waitpid(child, 0)

    def inside() -> None:
        for name, trial in _TRIALS.items():
            _report(theirs, name, trial)

    child = fork(outside, keep=(theirs.fileno(),))
    theirs.close()
    try:
        while ours.wait():
            found = ours.receive()
            if found is not None:
                yield Need(**found | {"verdict": Verdict(found["verdict"])})
    except EOFError:
        return
    finally:
        os.waitpid(child, 0)
        ours.close()


def _report(channel: Channel, name: str, trial: Callable[[], str]) -> None:
    """Try one thing and say how it went; what cannot go on without it does not."""
    try:
        need = Need(name=name, verdict=Verdict.WORKS, detail=trial())
    except MachineError as error:
        verdict = Verdict.LIMITED if name in _OPTIONAL else Verdict.MISSING
        detail = f"{error.missing}{_OPTIONAL.get(name, '')}"
        need = Need(name=name, verdict=verdict, detail=detail, fix=error.fix)
    except OSError as error:
        need = Need(name=name, verdict=Verdict.MISSING, detail=str(error))
    channel.send(asdict(need))
    if need.verdict is Verdict.MISSING and name in _ESSENTIAL:
        os._exit(0)


def _isolated() -> str:
    before = os.open("/proc/self/ns/user", os.O_RDONLY)
    isolate(Path("/"))
    without = is_own(before, Kind.USER)
    os.close(before)
    return "as root, without a user namespace" if without else "user, mount, PID, network, UTS, IPC"


def _own_proc() -> str:
    become_first_process()
    return "a /proc of the lab's own"


def _veth_pair() -> str:
    from netaddr import EUI

    from lab.host.netlink import Netlink
    from lab.topology.operations import WireEnd

    place = Place.create("doctor")
    a, b = (WireEnd(node="doctor", device=f"doctor{i}", mac=EUI((2 << 40) + i)) for i in range(2))
    try:
        Netlink().create_wire(a, b, 1500, place.net)
    except OSError as error:
        raise MachineError(f"veth pairs: {error.strerror}", fix="sudo modprobe veth") from error
    devices.disable_offloads("doctor0", ("tso", "gso", "gro", "tx-checksum"))
    return "made, with offloads off"


def _tap() -> str:
    devices.create_tap("doctor-tap")
    return "a TAP was made"


def _packet_socket() -> str:
    from lab.host.packet import open_packet_socket

    open_packet_socket("lo").close()
    return "opened"


def _nftables() -> str:
    nftables.divert("doctor0", "doctor-tap", mark=1)
    return f"{nftables.version()}: what leaves a device was diverted"


_TRIALS: dict[str, Callable[[], str]] = {
    "own /proc": _own_proc,
    "veth pairs": _veth_pair,
    "/dev/net/tun": _tap,
    "packet sockets": _packet_socket,
    "nftables": _nftables,
}
_ESSENTIAL = ("own namespaces", "own /proc")
_OPTIONAL = {"nftables": "; labs do without, but for impairments, attacks, security groups and circuits"}


def _receive_buffer() -> Need:
    name, path = "receive buffers", "/proc/sys/net/core/rmem_max"
    octets = int(Path(path).read_text())
    if octets >= _RECEIVE_BUFFER:
        return Need(name=name, verdict=Verdict.WORKS, detail=f"net.core.rmem_max is {octets}")
    return Need(
        name=name,
        verdict=Verdict.LIMITED,
        detail=f"net.core.rmem_max is {octets}: captures may drop frames of fast transfers, and will say so",
        fix=f"sudo sysctl -w net.core.rmem_max={_RECEIVE_BUFFER}",
    )


def _descriptors() -> Need:
    name = "open files"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _DESCRIPTORS:
        return Need(name=name, verdict=Verdict.WORKS, detail=f"up to {'any number' if hard < 0 else hard}")
    return Need(
        name=name,
        verdict=Verdict.LIMITED,
        detail=f"at most {hard}: a lab of many nodes does not fit",
        fix=f"ulimit -Hn {_DESCRIPTORS}, as root, before it is started",
    )


def _program(program: Program) -> Need:
    """A program that only some topologies need: without it, the others run."""
    name = f"{program.command} (Debian package {program.package})"
    found = program.find()
    if found is not None:
        return Need(name=name, verdict=Verdict.WORKS, detail=found)
    detail = f"not installed: topologies with {program.use} do not run"
    return Need(name=name, verdict=Verdict.LIMITED, detail=detail, fix=program.fix)


def _state_folder() -> Need:
    name = "state folder"
    try:
        state.ensure_root()
    except (MachineError, OSError) as error:
        fix = error.fix if isinstance(error, MachineError) else "set XDG_RUNTIME_DIR to a folder of yours, mode 0700"
        return Need(name=name, verdict=Verdict.MISSING, detail=str(error), fix=fix)
    return Need(name=name, verdict=Verdict.WORKS, detail=str(state.root()))
