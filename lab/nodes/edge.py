"""One end of a tagged or protected link: what leaves the controlled port goes to the wire, and the other way round.

    controlled port (TAP) <-> [tags] <-> [SecY] <-> common port (packet socket) -- wire

EAPOL passes beside the SecY, to the uncontrolled port, where a KaY may listen; the KaY may also close the controlled
port. A bad frame never comes through and never stops the others of its batch; whoever drops it counts it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol, final

from dataplane.batch import Batch
from dataplane.macsec.secy import SecY
from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS, EtherType
from lab.nodes.status import secy_status
from lab.ports.checksum import native_words
from lab.ports.keep import keep
from lab.ports.port import Port

_EAPOL: Final = EtherType.EAPOL.to_bytes(2, "big")
_EAPOL_WORD: Final = int.from_bytes(_EAPOL, sys.byteorder)


class Gate(Protocol):
    """Who decides whether anything but EAPOL passes, as a KaY that must secure does."""

    @property
    def is_open(self) -> bool:
        """Whether the controlled port is."""
        ...

    def inspect(self, wire: Batch) -> None:
        """Look at what came in, EAPOL aside, before the SecY does; drop what is not for it."""
        ...


@final
class Edge:
    """Moves frames between a controlled and a common port, a batch at a time. Without a SecY nothing is protected.

    `clear` and `wire` are work space, of as many slots of the same size; edges that take turns may share them.
    `uncontrolled` is called with each EAPOL frame that comes in beside a SecY; the octets are its own. Without a
    `gate` the controlled port is always open, and the SecY alone decides.
    """

    def __init__(
        self,
        *,
        controlled: Port,
        common: Port,
        secy: SecY | None,
        clear: Batch,
        wire: Batch,
        uncontrolled: Callable[[bytes], None] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.secy: Final = secy
        self.controlled: Final = controlled
        self.common: Final = common
        self._clear: Final = clear
        self._wire: Final = wire
        self._uncontrolled: Final = uncontrolled
        self._gate: Final = gate
        self._eapol = 0
        self._shut_out = 0

    def outward(self) -> bool:
        """Protect and send what waits at the controlled port, one batch; true when more may wait."""
        clear, secy = self._clear, self.secy
        if self.controlled.receive(clear):
            if secy is None:
                self.common.send(clear)
            elif self._gate is None or self._gate.is_open:
                secy.protect(clear, self._wire)
                self.common.send(self._wire)
            else:  # 802.1X-2020 12.4: the Controlled Port is not operational
                secy.counters.ifOutDiscards += clear.count
        return clear.count == clear.slots

    def inward(self) -> bool:
        """Verify and deliver what waits at the common port, one batch; true when more may wait."""
        wire, secy = self._wire, self.secy
        received = self.common.receive(wire)
        if received:
            if secy is None:
                self.controlled.send(wire)
            else:
                self._divert_eapol(wire)
                if self._gate is not None:
                    self._gate.inspect(wire)
                secy.validate(wire, self._clear)
                if self._gate is None or self._gate.is_open:
                    self.controlled.send(self._clear)
                else:
                    self._shut_out += self._clear.count
        return received == wire.slots

    def status(self) -> dict[str, object]:
        """The counters of both ports and, where there is one, the SecY with its channels.

        `shut_out` are good frames that met a closed controlled port.
        """
        status: dict[str, object] = {
            "controlled": asdict(self.controlled.counters),
            "common": asdict(self.common.counters),
        }
        if self.secy is not None:
            # 802.1AE-2018 10.7.9: frames lost before the SecY could see them.
            self.secy.counters.InPktsOverrun = self.common.counters.receive_dropped
            status |= {"eapol": self._eapol, "shut_out": self._shut_out, "secy": secy_status(self.secy)}
        return status

    def close(self) -> None:
        """Close both ports."""
        self.controlled.close()
        self.common.close()

    def _divert_eapol(self, wire: Batch) -> None:
        """Take EAPOL frames out of the batch (802.1X-2020 6.2: the PAE's, whatever state the controlled port is in)."""
        count = wire.count
        if not (native_words(wire)[:count, ADDRESSES_OCTETS >> 1] == _EAPOL_WORD).any():
            return
        others = []
        for index, frame in enumerate(wire):
            if len(frame) >= HEADER_OCTETS and frame[ADDRESSES_OCTETS:HEADER_OCTETS] == _EAPOL:
                self._eapol += 1
                if self._uncontrolled is not None:
                    self._uncontrolled(bytes(frame))
            else:
                others.append(index)
        keep(wire, others)
