"""Devices of the namespace that this process is in: what is set by ioctl or by a file, without netlink."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from lab.errors import MachineError

_TUN = "/dev/net/tun"
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TUN, _IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x0002, 0x1000, 0x4000

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1
_TX_DROPPED = 11  # of the columns of /proc/net/dev behind the name

_SIOCETHTOOL = 0x8946
_GET_LINK, _GET_STRINGS, _GET_SET_INFO, _SET_FEATURES = 0x0A, 0x1B, 0x37, 0x3B
_FEATURES = 4  # ETH_SS_FEATURES
_NAME_OCTETS = 32

# ethtool's short names of groups -> the kernel's names; those of the second column that a kernel lacks are not there.
_OFFLOADS = {
    "tso": ("tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation"),
    "gso": ("tx-generic-segmentation", "tx-udp-segmentation", "tx-sctp-segmentation", "tx-gso-list"),
    "gro": ("rx-gro", "rx-gro-list", "rx-udp-gro-forwarding"),
    "tx-checksum": ("tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-sctp"),
}


def write_sysctl(path: str, value: str) -> None:
    """Set a value under /proc/sys; `path` as in `net/ipv4/ip_forward`.

    Raises:
        OSError: the kernel refused.
    """
    Path("/proc/sys", path).write_text(value)


def create_tap(device: str) -> None:
    """Make a TAP that stays when no process holds it; whoever drives it attaches to it by its name.

    Raises:
        MachineError: /dev/net/tun cannot be used.
    """
    _create(device, _IFF_TAP)


def create_tun(device: str) -> None:
    """Make a TUN in the same way.

    Raises:
        MachineError: /dev/net/tun cannot be used.
    """
    _create(device, _IFF_TUN)


def _create(device: str, kind: int) -> None:
    descriptor = open_tun()
    try:
        flags = kind | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", device.encode(), flags))
        fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
    finally:
        os.close(descriptor)


def attach_tap(device: str) -> int:
    """Make a TAP that lives as long as the descriptor that is given, which reads and writes whole frames.

    What the kernel leaves to devices to do is done before a frame is read: checksums are in, nothing is to be cut.

    Raises:
        MachineError: /dev/net/tun cannot be used, or there is a device of that name.
    """
    descriptor = open_tun()
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TAP | _IFF_NO_PI))
    except OSError as error:
        os.close(descriptor)
        raise MachineError(f"TAP {device} cannot be made: {error.strerror}") from error
    return descriptor


def bring_up(device: str) -> None:
    """Set a device up.

    Raises:
        OSError: there is no such device, or it is not this user's.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", device.encode(), 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", device.encode(), flags | _IFF_UP))


def transmit_dropped(device: str) -> int:
    """How many frames a device was to send and could not; 0 for one that is not there."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, colon, counts = line.partition(":")
        if colon and name.strip() == device:
            return int(counts.split()[_TX_DROPPED])
    return 0


def open_tun() -> int:
    """Open the door to TUN and TAP devices.

    Raises:
        MachineError: it is not there, or not for this user.
    """
    try:
        return os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        fix = "sudo modprobe tun; in a container: --device /dev/net/tun"
        raise MachineError(f"there is no {_TUN}", fix=fix) from None
    except PermissionError:
        mode = Path(_TUN).stat().st_mode & 0o777
        raise MachineError(
            f"{_TUN} is not open to this user (its mode is {mode:04o})", fix=f"sudo chmod 0666 {_TUN}"
        ) from None
    except OSError as error:
        raise MachineError(f"{_TUN} cannot be opened: {error.strerror}", fix="sudo modprobe tun") from error


def has_link(device: str) -> bool:
    """Whether a device can carry frames: it is up, and so is its other end.

    The kernel takes a device into use some time after it has been told to, and drops until then what is sent there
    without a word. Asking has it done at once.

    Raises:
        OSError: there is no such device.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        question = bytearray(struct.pack("II", _GET_LINK, 0))
        _ethtool(any_socket, device, question)
    return bool(struct.unpack_from("I", question, 4)[0])


def disable_offloads(device: str, offloads: Iterable[str]) -> None:
    """Switch offloads off, by ethtool's short names, so that what passes is single frames with true checksums.

    Raises:
        OSError: the kernel refused.
    """
    _set_features(device, [name for offload in offloads for name in _OFFLOADS[offload]], on=False)


def merge_arriving(device: str) -> None:
    """Let the kernel merge runs of frames that arrive (GRO) before it looks at them; it may be unable to.

    Raises:
        OSError: the kernel refused.
    """
    _set_features(device, ["rx-gro"], on=True)


def _set_features(device: str, names: Iterable[str], *, on: bool) -> None:
    """Switch features of a device, by ethtool's long names; those that the kernel does not know are passed over."""
    known = _features()
    meant = sum(1 << known[name] for name in names if name in known)
    blocks = (max(known.values()) + 32) // 32
    command = struct.pack("II", _SET_FEATURES, blocks)
    for block in range(blocks):  # a pair for each 32 features: which are meant, and what they become
        these = meant >> 32 * block & 0xFFFFFFFF
        command += struct.pack("II", these, these if on else 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _ethtool(any_socket, device, bytearray(command))


@functools.cache
def _features() -> dict[str, int]:
    """The kernel's numbers of features, the same for every device, asked of the one that is everywhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        question = bytearray(struct.pack("IIQI", _GET_SET_INFO, 0, 1 << _FEATURES, 0))
        _ethtool(any_socket, "lo", question)
        (count,) = struct.unpack_from("I", question, 16)
        answer = bytearray(struct.pack("III", _GET_STRINGS, _FEATURES, count) + bytes(count * _NAME_OCTETS))
        _ethtool(any_socket, "lo", answer)
    names = (answer[12 + i * _NAME_OCTETS :][:_NAME_OCTETS].split(b"\0")[0].decode() for i in range(count))
    return {name: number for number, name in enumerate(names) if name}


def _ethtool(any_socket: socket.socket, device: str, command: bytearray) -> None:
    """Do an ethtool command, whose answer takes its place."""
    held = (ctypes.c_char * len(command)).from_buffer(command)
    fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sQ16x", device.encode(), ctypes.addressof(held)))
