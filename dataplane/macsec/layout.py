"""Where the parts of a run lie: frames of one length, in the same slots of a clear and a wire batch.

Slicing is what costs in Python, so the slices of a pair of batches and a length are made once and kept. A frame of a
run then costs its AEAD call and little more; headers and numbers of the whole run are written as columns.

```
clear:  | DA SA (12) |              covered        |     plain      |
wire:   | DA SA (12) | SecTAG (tag) | covered      |     sealed (plain + 16 octets of ICV)     |
        '----------------- AAD --------------------'
```
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.macsec.nonce import NONCE_OCTETS, Nonces
from dataplane.wire.ethernet import ADDRESSES_OCTETS
from dataplane.wire.sectag import ICV_OCTETS

LEAST_RUN: Final = 4
"""From so many frames on, a run is quicker than its frames one by one."""

WORTH_A_LAYOUT: Final = 16
"""Frames of one length in runs, after which their layout is made."""

GREATEST_CACHE: Final = 64
PN_OFFSET: Final = ADDRESSES_OCTETS + 4

Words: TypeAlias = NDArray[np.uint32]
_Key: TypeAlias = tuple[int, int, int, int, int]
Call: TypeAlias = tuple[memoryview, memoryview, memoryview, memoryview]


@final
class Layout:
    """The parts of every slot for frames of `clear_octets` octets, by slot.

    `seals` and `opens` are the arguments of the AEAD calls: nonce, input, AAD, output. The nonces are the layout's own.
    `pns` are the PN fields of the wire batch; `steps` counts from 0.
    """

    __slots__ = (
        "_batches", "_nonce_low", "_nonce_prefix", "_nonce_rows", "opens", "pns", "seals", "steps",
    )  # fmt: skip

    def __init__(self, clear: Batch, wire: Batch, *, clear_octets: int, tag_octets: int, covered: int) -> None:
        slots = min(clear.slots, wire.slots)
        aad_end = ADDRESSES_OCTETS + tag_octets + covered
        wire_octets = clear_octets + tag_octets + ICV_OCTETS
        self._batches: Final = (clear, wire)
        nonces = bytearray(slots * NONCE_OCTETS)
        self._nonce_rows: Final = np.frombuffer(nonces, np.uint8).reshape(slots, NONCE_OCTETS)
        self._nonce_low: Final[Words] = np.frombuffer(nonces, ">u4").reshape(slots, 3)[:, 2]
        self._nonce_prefix = b""
        self.pns: Final[Words] = wire.column(">u4", PN_OFFSET)[:slots]
        self.steps: Final = np.arange(slots, dtype=np.uint32)
        self.seals: Final[list[Call]] = []
        self.opens: Final[list[Call]] = []
        for slot in range(slots):
            nonce = memoryview(nonces)[slot * NONCE_OCTETS : (slot + 1) * NONCE_OCTETS]
            plain = clear.views[slot][ADDRESSES_OCTETS + covered : clear_octets]
            aad, sealed = wire.views[slot][:aad_end], wire.views[slot][aad_end:wire_octets]
            self.seals.append((nonce, plain, aad, sealed))
            self.opens.append((nonce, sealed, aad, plain))

    def write_nonces(self, rows: slice, nonces: Nonces, first_pn: int, low_pns: Words) -> None:
        """Write the nonces of PNs that have the upper half of `first_pn` and these low halves."""
        prefix = nonces.prefix(first_pn)
        if prefix != self._nonce_prefix:
            self._nonce_rows[:, :8] = np.frombuffer(prefix, np.uint8)
            self._nonce_prefix = prefix
        self._nonce_low[rows] = low_pns ^ nonces.low_word


@final
class LayoutCache:
    """The layouts in use. Callers reuse their batches, and traffic has few lengths, so few are enough.

    A layout costs as much as some frames: it is made only for lengths that have come often enough, so that nobody can
    slow us down by sending ever new ones.
    """

    __slots__ = ("_layouts", "_met")

    def __init__(self) -> None:
        self._layouts: Final[dict[_Key, Layout]] = {}
        self._met: Final[dict[_Key, int]] = {}

    def layout(
        self, clear: Batch, wire: Batch, *, clear_octets: int, tag_octets: int, covered: int, frames: int
    ) -> Layout | None:
        """The layout of these batches and lengths, for so many frames; None while it is not worth its cost.

        A layout keeps its batches alive, so that their identities stay theirs.
        """
        key = (id(clear), id(wire), clear_octets, tag_octets, covered)
        layout = self._layouts.get(key)
        if layout is None:
            met = self._met.pop(key, 0) + frames
            if met < WORTH_A_LAYOUT:
                if len(self._met) == GREATEST_CACHE:
                    self._met.clear()
                self._met[key] = met
                return None
            if len(self._layouts) == GREATEST_CACHE:
                self._layouts.clear()
            layout = Layout(clear, wire, clear_octets=clear_octets, tag_octets=tag_octets, covered=covered)
            self._layouts[key] = layout
        return layout


def compact(batch: Batch, count: int) -> None:
    """Close the gaps that discarded frames, of length 0, left among the batch's first `count` slots; set its count."""
    lengths, views = batch.lengths, batch.views
    kept = 0
    for index in range(count):
        length = lengths[index]
        if length:
            if kept != index:
                views[kept][:length] = views[index][:length]
                lengths[kept] = length
            kept += 1
    batch.count = kept
