"""One end of a tagged or protected link: what leaves the controlled port goes to the wire, and the other way round.

    controlled port (TAP) <-> [tags] <-> [SecY] <-> common port (packet socket) -- wire

EAPOL passes beside the SecY, to the uncontrolled port, where a KaY may listen. A bad frame never comes through and
never stops the others of its batch; whoever drops it counts it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, final

from dataplane.batch import Batch
from dataplane.macsec.secy import SecY
from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS, EtherType
from lab.nodes.status import secy_status
from lab.ports.checksum import native_words
from lab.ports.keep import keep
from lab.ports.port import Port

_EAPOL: Final = EtherType.EAPOL.to_bytes(2, "big")
_EAPOL_WORD: Final = int.from_bytes(_EAPOL, sys.byteorder)


@final
class Edge:
    """Moves frames between a controlled and a common port, a batch at a time. Without a SecY nothing is protected.

    `clear` and `wire` are work space, of as many slots of the same size; edges that take turns may share them.
    `uncontrolled` is called with each EAPOL frame that comes in beside a SecY; the octets are its own.
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
    ) -> None:
        self.secy: Final = secy
        self.controlled: Final = controlled
        self.common: Final = common
        self._clear: Final = clear
        self._wire: Final = wire
        self._uncontrolled: Final = uncontrolled
        self._eapol = 0

    def outward(self) -> bool:
        """Protect and send what waits at the controlled port, one batch; true when more may wait."""
        clear, secy = self._clear, self.secy
        if self.controlled.receive(clear):
            if secy is None:
                self.common.send(clear)
            else:
                secy.protect(clear, self._wire)
                self.common.send(self._wire)
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
                secy.validate(wire, self._clear)
                self.controlled.send(self._clear)
        return received == wire.slots

    def status(self) -> dict[str, object]:
        """The counters of both ports and, where there is one, the SecY with its channels."""
        status: dict[str, object] = {
            "controlled": asdict(self.controlled.counters),
            "common": asdict(self.common.counters),
        }
        if self.secy is not None:
            # 802.1AE-2018 10.7.9: frames lost before the SecY could see them.
            self.secy.counters.InPktsOverrun = self.common.counters.receive_dropped
            status |= {"eapol": self._eapol, "secy": secy_status(self.secy)}
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
