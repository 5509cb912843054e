"""The outer side of a gateway as ports: datagrams that come from somewhere and are sent somewhere, a batch at a time.

A port belongs to one local address: a UDP port of it, or IP protocol 50. What a slot holds is the datagram's payload;
headers are the kernel's to write and to check.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.ports.counters import PortCounters

ESP_PORT: Final = 0
"""Where ESP goes without UDP: IP protocol 50 has no ports."""

GREATEST_ESP_OVERHEAD: Final = 68
"""What ESP adds to a packet at most: header, IV, padding, trailer, ICV."""

_GREATEST_DATAGRAM: Final = 65507


def packets_a_message(mtu: int) -> int:
    """How many packets of a tunnel of this MTU, once protected, fit into one UDP message, to be cut before the wire."""
    return max(1, _GREATEST_DATAGRAM // (mtu + GREATEST_ESP_OVERHEAD))


class OuterPort(Protocol):
    """What a gateway asks of the outer side. `local` is the port's own address and UDP port, `ESP_PORT` for none."""

    @property
    def local(self) -> Endpoint:
        """Where datagrams for this port come to."""
        ...

    def fileno(self) -> int:
        """The descriptor that becomes readable when datagrams wait; -1 for a port that lives in memory."""
        ...

    @property
    def counters(self) -> PortCounters:
        """What has passed, and what was lost."""
        ...

    def receive(self, batch: Batch) -> int:
        """Fill `batch` with payloads that wait and set its count; give the count, 0 when none waits."""
        ...

    def source(self, index: int) -> Endpoint:
        """Where payload `index` of the last `receive` came from."""
        ...

    def tos(self) -> Sequence[int] | None:
        """The TOS octets of the last `receive`; None when all are 0."""
        ...

    def send(
        self, batch: Batch, first: int, count: int, target: Endpoint, *, tos: int = 0, dont_fragment: bool = False
    ) -> int:
        """Send payloads of a batch; give how many were taken. The rest is lost and counted."""
        ...

    def send_one(self, payload: bytes, target: Endpoint) -> bool:
        """Send one payload; whether it was taken."""
        ...

    def close(self) -> None:
        """Let go of the descriptor. Closing twice is fine."""
        ...


class MemoryNetwork:
    """Where ports in memory find each other by their addresses. `sent` has all that is sent."""

    def __init__(self) -> None:
        self.seen_as: Final[dict[Endpoint, Endpoint]] = {}
        self.ports: Final[dict[Endpoint, MemoryOuterPort]] = {}
        self.sent: Final[list[tuple[Endpoint, Endpoint, bytes]]] = []

    def port(self, local: Endpoint) -> MemoryOuterPort:
        """A new port of that address."""
        made = self.ports[local] = MemoryOuterPort(local, self)
        return made

    def translate(self, local: Endpoint, outside: Endpoint) -> None:
        """Be a NAT from now on: what that port sends comes from `outside`, and what is sent there comes to it."""
        port = self.ports.pop(self.seen_as.get(local, local))
        self.ports[outside] = port
        self.seen_as[local] = outside


class MemoryOuterPort:
    """An outer port without a kernel, for whole paths in one process."""

    def __init__(self, local: Endpoint, network: MemoryNetwork) -> None:
        self.local: Final = local
        self.counters: Final = PortCounters()
        self.is_cut = False
        self._network: Final = network
        self._waiting: Final[deque[tuple[Endpoint, int, bytes]]] = deque()
        self._sources: list[Endpoint] = []
        self._tos: list[int] = []

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def receive(self, batch: Batch) -> int:
        """Fill the batch with what waits."""
        batch.clear()
        self._sources, self._tos = [], []
        while self._waiting and batch.count < batch.slots:
            source, tos, payload = self._waiting.popleft()
            if len(payload) > batch.size:
                self.counters.receive_errors += 1
                continue
            batch.append(payload)
            self._sources.append(source)
            self._tos.append(tos)
        self.counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def source(self, index: int) -> Endpoint:
        """Where a payload came from."""
        return self._sources[index]

    def tos(self) -> Sequence[int] | None:
        """The TOS octets."""
        return self._tos if any(self._tos) else None

    def send(
        self, batch: Batch, first: int, count: int, target: Endpoint, *, tos: int = 0, dont_fragment: bool = False
    ) -> int:
        """Put payloads into the target's queue."""
        del dont_fragment
        return sum(self._put(bytes(batch[index]), target, tos) for index in range(first, first + count))

    def send_one(self, payload: bytes, target: Endpoint) -> bool:
        """Put one payload into the target's queue."""
        return self._put(payload, target, 0)

    def close(self) -> None:
        """Be found no more."""
        self._network.ports.pop(self._network.seen_as.get(self.local, self.local), None)

    def _put(self, payload: bytes, target: Endpoint, tos: int) -> bool:
        self._network.sent.append((self.local, target, payload))
        port = self._network.ports.get(target)
        if port is None or self.is_cut or port.is_cut:
            self.counters.count_sent(0, 0, 1)
            return False
        port._waiting.append((self._network.seen_as.get(self.local, self.local), tos, payload))
        self.counters.count_sent(1, len(payload), 0)
        return True
