"""What a tagged frame says it is: its SecTAG, and the receive SC that it belongs to. Nothing here is believed yet."""

from __future__ import annotations

from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.errors import WireError
from dataplane.macsec.channel import ReceiveChannel
from dataplane.macsec.controls import Controls
from dataplane.macsec.layout import PN_OFFSET
from dataplane.wire.ethernet import ADDRESSES_OCTETS, MAC_OCTETS, EtherType
from dataplane.wire.sectag import PORT_ES, PORT_SCB, SCI_OCTETS, SHORT_TAG_OCTETS, SecTag

ETHER_TYPE: Final = EtherType.MACSEC.to_bytes(2, "big")
_SCI_OFFSET: Final = ADDRESSES_OCTETS + SHORT_TAG_OCTETS
_SCI_END: Final = _SCI_OFFSET + SCI_OCTETS


@final
class Recognition:
    """The receive SCs of a SecY by SCI, and the SecTAGs that it has met."""

    __slots__ = ("_controls", "_tags", "channels")

    def __init__(self, controls: Controls) -> None:
        self.channels: Final[dict[bytes, ReceiveChannel]] = {}
        self._controls: Final = controls
        self._tags: Final[dict[int, SecTag | None]] = {}

    def tag(self, frame: memoryview) -> tuple[SecTag, int] | None:
        """The SecTAG, but for its PN and SCI, and the length of the User Data; None for a bad one.

        The frame holds at least addresses and the MACsec EtherType. A tag without PN and SCI is made once and kept.
        """
        if len(frame) < _SCI_OFFSET:
            return None
        tci, sl = frame[ADDRESSES_OCTETS + 2], frame[ADDRESSES_OCTETS + 3]
        key = tci << 8 | sl
        if key not in self._tags:
            try:
                self._tags[key] = SecTag.parse(ETHER_TYPE + bytes((tci, sl)) + bytes(4 + SCI_OCTETS))
            except WireError:
                self._tags[key] = None
        tag = self._tags[key]
        # 802.1AE-2018 9.5: E without C is reserved and never for the Controlled Port; C without E is a change of the
        # data other than encryption, which none of our cipher suites makes.
        if tag is None or tag.encrypted is not tag.changed:
            return None
        padding_allowed = self._controls.verification.padding_allowed
        try:
            after_tag = len(frame) - ADDRESSES_OCTETS - tag.length
            return tag, tag.secure_data_octets(after_tag, padding_allowed=padding_allowed)
        except WireError:
            return None

    def channel(self, tag: SecTag, frame: memoryview) -> ReceiveChannel | None:
        """The receive SC that the frame claims to belong to (802.1AE-2018 9.9)."""
        channels = self.channels
        if tag.sci is not None:
            return channels.get(bytes(frame[_SCI_OFFSET:_SCI_END]))
        source = bytes(frame[MAC_OCTETS:ADDRESSES_OCTETS])
        if tag.scb:
            # Linux sends SCB with the SCI of an end station; which of both it is, the ICV will tell.
            return channels.get(source + PORT_SCB) or channels.get(source + PORT_ES)
        if tag.es:
            return channels.get(source + PORT_ES)
        return next(iter(channels.values())) if len(channels) == 1 else None  # point-to-point: the only peer


def same_tags(wire: Batch, tag: SecTag, start: int, end: int) -> int:
    """How many frames from `start` on, at most to `end`, share the first one's source and SecTAG, but for the PN."""
    rows = wire.rows[start:end]
    count = _leading(rows[:, MAC_OCTETS:PN_OFFSET])
    return count if tag.sci is None else _leading(rows[:count, _SCI_OFFSET:_SCI_END])


def _leading(columns: NDArray[np.uint8]) -> int:
    """How many rows, from the first on, equal the first."""
    count = len(columns)
    if columns.tobytes() == columns[0].tobytes() * count:  # a third of the cost of what follows
        return count
    return int((columns == columns[0]).all(axis=1).argmin())
