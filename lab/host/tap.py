"""TUN and TAP devices as ports, with vnet headers: the kernel hands over and takes whole TCP super-frames.

What is received is cut into segments as they belong on a wire, with real checksums; what is sent is merged where that
is sound. To this process's side every frame is an ordinary one.
"""

from __future__ import annotations

import enum
import fcntl
import os
import struct
from typing import Final

from dataplane.batch import Batch
from dataplane.errors import WireError
from lab.errors import MachineError
from lab.host.devices import has_link, open_tun
from lab.ports import vnet
from lab.ports.checksum import complete
from lab.ports.coalesce import coalesce
from lab.ports.counters import PortCounters
from lab.ports.headers import network_offset
from lab.ports.superframe import Cut, SuperFrame, write_headers

# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_TUNSETCARRIER: Final = 0x400454E2
_TUN_F_CSUM, _TUN_F_TSO4, _TUN_F_TSO6 = 0x01, 0x02, 0x04

_NAME_OCTETS: Final = 16
_LARGEST: Final = vnet.OCTETS + 65536 + 64


class Kind(enum.IntEnum):
    """A TUN device carries IP packets, a TAP device Ethernet frames: the kernel's IFF_ flags."""

    TUN = 1
    TAP = 2


class TunTapPort:
    """One TUN or TAP device, made if there is none of that name; it then lives as long as the port."""

    def __init__(self, device: str, kind: Kind) -> None:
        """Attach to the device of this process's network namespace.

        Raises:
            MachineError: the kernel offers no such devices, or not to this user.
        """
        self._device = device
        self._is_ethernet = kind is Kind.TAP
        self._descriptor = _attach(device, kind)
        self._counters = PortCounters()
        self._octets = bytearray(_LARGEST)
        self._view = memoryview(self._octets)
        self._buffers = [self._octets]
        self._rest: SuperFrame | None = None

    @property
    def counters(self) -> PortCounters:
        """What passed; segments count, not super-frames."""
        return self._counters

    def fileno(self) -> int:
        """The descriptor, readable when frames wait; -1 when closed."""
        return self._descriptor

    def receive(self, batch: Batch) -> int:
        """Fill the batch with frames that wait, super-frames cut into segments."""
        batch.clear()
        cuts: list[Cut] = []
        if self._rest is not None:
            self._cut(self._rest, batch, cuts)
        while self._rest is None and batch.count < batch.slots:
            try:
                octets = os.readv(self._descriptor, self._buffers)
            except BlockingIOError:
                break
            self._take(octets, batch, cuts)
        write_headers(batch, cuts)
        self._counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def send(self, batch: Batch) -> int:
        """Give every frame to the kernel, runs of segments merged; give how many frames it took."""
        count, octets = batch.count, sum(batch.lengths[: batch.count])
        lost = done = 0
        for gather, frames in coalesce(batch, is_ethernet=self._is_ethernet):
            try:
                os.writev(self._descriptor, gather)
            except OSError:
                # The device is down, or the octets are no frame to the kernel: they are lost, and counted.
                lost += frames
                octets -= sum(batch.lengths[done : done + frames])
            done += frames
        self._counters.count_sent(count - lost, octets, lost)
        return count - lost

    def set_carrier(self, is_on: bool) -> None:
        """Let the device look as if its cable were plugged in, or not: routes may depend on that."""
        fcntl.ioctl(self._descriptor, _TUNSETCARRIER, struct.pack("=i", is_on))
        has_link(self._device)  # the kernel would do something about it later, and asking has it done at once

    def close(self) -> None:
        """Let go of the device; twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, octets: int, batch: Batch, cuts: list[Cut]) -> None:
        """Bring what was read into the batch; what is cut from super-frames has no headers yet."""
        flags, kind, _, mss, start, offset = vnet.HEADER.unpack_from(self._octets)
        length = octets - vnet.OCTETS
        frame = self._view[vnet.OCTETS : octets]
        if kind != vnet.GSO_NONE:
            self._take_whole(frame, kind, start, mss, batch, cuts)
            return
        if length > batch.size:
            self._counters.receive_errors += 1
            return
        slot = batch.count
        view = batch.views[slot]
        view[:length] = frame
        if flags & vnet.NEEDS_CHECKSUM and not complete(view, length, start, offset):
            self._counters.receive_errors += 1
            return
        batch.lengths[slot] = length
        batch.count = slot + 1

    def _take_whole(
        self, frame: memoryview, kind: int, transport: int, mss: int, batch: Batch, cuts: list[Cut]
    ) -> None:
        """Bring a super-frame into the batch as segments."""
        network = network_offset(frame, len(frame)) if self._is_ethernet else 0
        try:
            if kind not in (vnet.GSO_TCPV4, vnet.GSO_TCPV6) or network is None:
                raise WireError("not a TCP super-frame")
            whole = SuperFrame(frame, network=network, transport=transport, mss=mss)
            if whole.longest > batch.size:
                raise WireError("segments longer than a slot")
        except WireError:
            self._counters.receive_errors += 1
            return
        self._cut(whole, batch, cuts)

    def _cut(self, whole: SuperFrame, batch: Batch, cuts: list[Cut]) -> None:
        """Cut as many segments as the batch has room for; the rest is for the next one."""
        cuts.append(whole.take(batch))
        self._rest = None if whole.is_done else whole


def _attach(device: str, kind: Kind) -> int:
    name = device.encode()
    if not 0 < len(name) < _NAME_OCTETS:
        raise MachineError(f"{device!r} cannot be a device's name: it has 1 to {_NAME_OCTETS - 1} octets")
    descriptor = open_tun()
    try:
        # struct ifreq: the name, then the flags.
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("=16sH22x", name, kind | _IFF_NO_PI | _IFF_VNET_HDR))
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6)
    except OSError as error:
        os.close(descriptor)
        raise MachineError(f"cannot attach to {kind.name} device {device}: {os.strerror(error.errno or 0)}") from error
    return descriptor
