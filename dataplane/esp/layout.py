"""Where the parts of a run lie: ESP packets of one length, in neighbouring slots of a batch.

Slicing is what costs in Python, so the slices for a batch and a length are made once and kept. A packet of a run then
costs its cipher calls and little more; headers, numbers, IVs and ICVs of the whole run are written as columns.

```
scratch: | one block (CBC) | text: inner packet, padding, pad length, next header |
wire:    | SPI, sequence (8) | IV |              ciphertext                       | ICV |
         '------------------------ authenticated --------------------------------'
```
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.esp.shape import Shape
from dataplane.wire.esp import HEADER_OCTETS

LEAST_RUN: Final = 6
"""From so many packets on, a run is quicker than its packets one by one."""

SALT_OCTETS: Final = 4
_NONCE_OCTETS: Final = 12
_LONG_AAD_OCTETS: Final = 12
_SPARE_OCTETS: Final = 32  # what a scratch slot is longer than its wire slot: a block ahead, room for one behind
_GREATEST_CACHE: Final = 64

Column: TypeAlias = NDArray[np.uint32]
Octets: TypeAlias = NDArray[np.uint8]
HmacCall: TypeAlias = tuple[memoryview, memoryview, memoryview]
AeadCall: TypeAlias = tuple[memoryview, memoryview, memoryview, memoryview]


def word_column(batch: Batch, offset: int) -> Column:
    """The 32-bit words in network order at this offset of every slot."""
    return np.ndarray((batch.slots,), ">u4", batch.buffer, offset, (batch.size,))


@final
class Layout:
    """The slices of every slot for ESP packets of `packet` octets under one shape, for sealing or for opening.

    A cipher call takes from one side and writes to the other. `hmac_calls` are (from, to, authenticated), `aead_calls`
    (nonce, from, AAD, to); a layout has one of them, by its shape. `texts` are the texts in the scratch slots.
    """

    __slots__ = (
        "_aad_rows", "_nonce_rows", "aead_calls", "blocks", "hmac_calls", "icvs", "ivs", "sequences", "spis", "steps",
        "texts", "wire",
    )  # fmt: skip

    def __init__(self, wire: Batch, scratch: Batch, shape: Shape, packet: int, *, sealing: bool) -> None:
        text = packet - shape.overhead
        icv_offset = packet - shape.icv
        self.wire: Final = wire
        self.spis: Final = word_column(wire, 0)
        self.sequences: Final = word_column(wire, 4)
        self.steps: Final = np.arange(wire.slots, dtype=np.uint32)
        self.ivs: Final[Octets] = wire.rows[:, HEADER_OCTETS : HEADER_OCTETS + shape.iv]
        self.icvs: Final[Octets] = wire.rows[:, icv_offset:packet]
        self.blocks: Final[Octets] = scratch.rows[:, : shape.head]
        self.texts: Final[Octets] = scratch.rows[:, shape.head : shape.head + text]
        self.hmac_calls: Final[list[HmacCall]] = []
        self.aead_calls: Final[list[AeadCall]] = []
        self._nonce_rows: Final = np.zeros((wire.slots, _NONCE_OCTETS), np.uint8)
        self._aad_rows: Final = np.zeros((wire.slots, _LONG_AAD_OCTETS), np.uint8) if shape.esn else None
        if shape.is_aead:
            here, there = slice(0, text), slice(shape.text_offset, packet)
        else:
            # Either side's target has room for one block less one octet more, as a chained context asks.
            behind = shape.iv - 1 if shape.is_chained else 0
            here = slice(0, shape.head + text + (0 if sealing else behind))
            there = slice(HEADER_OCTETS, icv_offset + (behind if sealing else 0))
        for index, (mine, packets) in enumerate(zip(scratch.views, wire.views, strict=True)):
            source, target = (mine[here], packets[there]) if sealing else (packets[there], mine[here])
            if shape.is_aead:
                aad = packets[:HEADER_OCTETS] if self._aad_rows is None else memoryview(self._aad_rows[index]).cast("B")
                self.aead_calls.append((memoryview(self._nonce_rows[index]).cast("B"), source, aad, target))
            else:
                self.hmac_calls.append((source, target, packets[:icv_offset]))

    def write_nonces(self, rows: slice, salt: bytes) -> None:
        """Write the nonces of these slots, salt and IV (RFC 4106 4, RFC 7634 2)."""
        self._nonce_rows[rows, :SALT_OCTETS] = np.frombuffer(salt, np.uint8)
        self._nonce_rows[rows, SALT_OCTETS:] = self.ivs[rows]

    def write_aads(self, rows: slice, high: int) -> None:
        """Write the AADs that hold 64-bit sequence numbers with this upper half (RFC 4106 5); without ESN, nothing."""
        if self._aad_rows is not None:
            self._aad_rows[rows, :4] = self.wire.rows[rows, :4]
            self._aad_rows[rows, 4:8] = np.frombuffer(high.to_bytes(4, "big"), np.uint8)
            self._aad_rows[rows, 8:] = self.wire.rows[rows, 4:8]


@final
class LayoutCache:
    """The layouts in use. Callers reuse their batches, and traffic has few lengths, so few are enough."""

    __slots__ = ("_layouts", "_scratches", "_sealing")

    def __init__(self, *, sealing: bool) -> None:
        self._sealing: Final = sealing
        self._layouts: Final[dict[tuple[int, Shape, int], Layout]] = {}
        self._scratches: Final[dict[tuple[int, int], Batch]] = {}

    def layout(self, wire: Batch, shape: Shape, packet: int) -> Layout:
        """The layout for this batch and length; a layout keeps its batch alive, so an identity stays its own."""
        key = (id(wire), shape, packet)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) == _GREATEST_CACHE:
                self._layouts.clear()
            size = (wire.slots, wire.size + _SPARE_OCTETS)
            scratch = self._scratches.get(size)
            if scratch is None:
                if len(self._scratches) == _GREATEST_CACHE:
                    self._scratches.clear()
                scratch = self._scratches[size] = Batch(*size)
            layout = self._layouts[key] = Layout(wire, scratch, shape, packet, sealing=self._sealing)
        return layout
