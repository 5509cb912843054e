"""A wire as a port: an AF_PACKET socket on one device. Every frame on it, as it is on it, and none that we sent."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from lab.errors import MachineError
from lab.host.devices import write_sysctl
from lab.host.mmsg import MessageVector
from lab.ports.counters import PortCounters
from lab.ports.keep import keep

# linux/if_packet.h, asm-generic/socket.h: what the standard library does not name.
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_AUXDATA: Final = 8
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_ETH_P_ALL: Final = 0x0003

# Where struct tpacket_auxdata lies behind its struct cmsghdr (16 octets): status, then the tag's TCI and TPID.
_STATUS: Final = 16 // 4
_TAG: Final = slice(16 + 16, 16 + 20)
_VLAN_VALID: Final = 0x10
_VLAN_TPID_VALID: Final = 0x40
_DOT1Q: Final = 0x8100

_WANTED_BUFFER: Final = 32 << 20


def open_packet_socket(device: str, *, outgoing: bool = False) -> socket.socket:
    """A raw socket that sees every frame on `device` of this namespace; with `outgoing` those that leave it, too.

    Raises:
        MachineError: there is no such device, or sockets of this kind are not for this user.
    """
    try:
        # Protocol 0 until it is bound: nothing of other devices gets in before.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        raise MachineError("this user may not open packet sockets here", fix="run it in a lab's node") from None
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 0 if outgoing else 1)
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        enlarge_buffers(opened)
        opened.bind((device, _ETH_P_ALL))
    except OSError as error:
        opened.close()
        if error.errno not in (errno.ENODEV, errno.ENXIO):
            raise
        raise MachineError(f"there is no device {device} in this namespace") from None
    return opened


def enlarge_buffers(opened: socket.socket) -> None:
    """Give a socket as large buffers as this user gets: beyond rmem_max and wmem_max where the kernel allows it."""
    for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, force, _WANTED_BUFFER)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, plain, _WANTED_BUFFER)


def keep_kernel_off(device: str) -> None:
    """Have the kernel's own IP and ARP take nothing from a device: what comes in there is for a packet socket alone.

    Otherwise a clear frame that a SecY discards would reach this node all the same. No source of an IPv4 packet is
    routed by a device without addresses, so the strict reverse path filter drops every one (RFC 3704 2.2).

    Raises:
        OSError: there is no such device, or its settings are not this user's to change.
    """
    write_sysctl(f"net/ipv4/conf/{device}/rp_filter", "1")
    write_sysctl(f"net/ipv4/conf/{device}/arp_ignore", "8")
    write_sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "1")


class PacketPort:
    """A device's frames in both directions. A tag that the kernel took off a frame is put back where it was."""

    def __init__(self, device: str) -> None:
        """Open the port on a device of this process's network namespace.

        Raises:
            MachineError: there is no such device, or no permission.
        """
        self._socket = open_packet_socket(device)
        self._descriptor = self._socket.fileno()
        self._counters = PortCounters()
        self._incoming: dict[Batch, MessageVector] = {}
        self._outgoing: dict[Batch, MessageVector] = {}

    def fileno(self) -> int:
        """The descriptor, readable when frames wait; -1 when closed."""
        return self._socket.fileno()

    @property
    def counters(self) -> PortCounters:
        """What passed, with the frames that the kernel had no room for since the port was opened."""
        # struct tpacket_stats: frames seen, frames dropped; reading them sets them to zero.
        _, dropped = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._counters.receive_dropped += dropped
        return self._counters

    def receive(self, batch: Batch) -> int:
        """Fill the batch with frames that wait; a frame that is longer than a slot is dropped and counted."""
        vector = self._incoming.get(batch)
        if vector is None:
            vector = self._incoming[batch] = MessageVector(batch, control=True)
        lengths = vector.receive(self._descriptor)
        count = len(lengths)
        batch.lengths[:count] = lengths
        batch.count = count
        if not count:
            return 0
        is_tagged = vector.control[:count].view(np.uint32)[:, _STATUS] & _VLAN_VALID
        if max(lengths) > batch.size or is_tagged.any():
            self._mend(batch, vector.control)
        self._counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def send(self, batch: Batch) -> int:
        """Put every frame on the wire, each as it is; give how many the kernel took."""
        vector = self._outgoing.get(batch)
        if vector is None:
            vector = self._outgoing[batch] = MessageVector(batch, control=False)
        taken, octets = vector.send(self._descriptor)
        self._counters.count_sent(taken, octets, batch.count - taken)
        return taken

    def close(self) -> None:
        """Close the socket; twice is fine."""
        self._socket.close()

    def _mend(self, batch: Batch, control: NDArray[np.uint8]) -> None:
        """Put tags back, and drop what is longer than a slot."""
        whole = []
        for index in range(batch.count):
            tag = stripped_tag(control[index])
            length = batch.lengths[index] + len(tag)
            if length > batch.size:
                self._counters.receive_errors += 1
                continue
            if tag:
                view = batch.views[index]
                view[16:length] = bytes(view[12 : length - 4])
                view[12:16] = tag
                batch.lengths[index] = length
            whole.append(index)
        keep(batch, whole)


def stripped_tag(control: NDArray[np.uint8]) -> bytes:
    """The tag that the kernel took off a frame, by the frame's control data; empty when there was none."""
    status = int(control.view(np.uint32)[_STATUS])
    if not status & _VLAN_VALID:
        return b""
    tci, tpid = struct.unpack("=HH", control[_TAG].tobytes())
    return struct.pack(">HH", tpid if status & _VLAN_TPID_VALID else _DOT1Q, tci)
