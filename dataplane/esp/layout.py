"""Where the parts of a run lie: ESP packets of one length, in neighbouring slots of a batch, and their texts.

Slicing is what costs in Python, so the slices for a pair of batches and a length are made once and kept. A packet of a
run then costs its cipher calls and little more; headers, numbers, IVs and ICVs of the run are written as columns.

```
inner: | one block (CBC) | text: inner packet, padding, pad length, next header |
wire:  | SPI, sequence (8) | IV |              ciphertext                       | ICV |
       '------------------------ authenticated --------------------------------'
```

Texts lie in the caller's own batch of IP packets where it has room around them, the block in the headroom and the rest
behind the packet; otherwise in scratch slots, at the cost of a copy.
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

GREATEST_HEAD: Final = 16
"""The headroom in octets that texts want at most."""

SALT_OCTETS: Final = 4
_NONCE_OCTETS: Final = 12
_LONG_AAD_OCTETS: Final = 12
_GREATEST_CACHE: Final = 64

Column: TypeAlias = NDArray[np.uint32]
Octets: TypeAlias = NDArray[np.uint8]
HmacCall: TypeAlias = tuple[memoryview, memoryview, memoryview]
AeadCall: TypeAlias = tuple[memoryview, memoryview, memoryview, memoryview]


@final
class Layout:
    """The slices of every slot for ESP packets of `packet` octets under one shape, for sealing or for opening.

    A cipher call takes from one side and writes to the other. `texts` are the texts in the inner slots, `blocks` what
    lies before them.
    """

    __slots__ = (
        "_aad_rows", "_aead_calls", "_hmac_calls", "_inner", "_nonce_rows", "_packet", "_sealing", "_shape", "_wire",
        "blocks", "icvs", "ivs", "sequences", "spis", "steps", "texts",
    )  # fmt: skip

    def __init__(self, wire: Batch, inner: Batch, shape: Shape, packet: int, *, sealing: bool) -> None:
        self._wire: Final = wire
        self._inner: Final = inner
        self._shape: Final = shape
        self._packet: Final = packet
        self._sealing: Final = sealing
        ahead = np.frombuffer(inner.buffer, np.uint8).reshape(inner.slots, inner.stride)[:, : inner.headroom]
        self.spis: Final[Column] = wire.column(">u4", 0)
        self.sequences: Final[Column] = wire.column(">u4", 4)
        self.steps: Final = np.arange(wire.slots, dtype=np.uint32)
        self.ivs: Final[Octets] = wire.rows[:, HEADER_OCTETS : HEADER_OCTETS + shape.iv]
        self.icvs: Final[Octets] = wire.rows[:, packet - shape.icv : packet]
        self.blocks: Final[Octets] = ahead[:, inner.headroom - shape.head :]
        self.texts: Final[Octets] = inner.rows[:, : packet - shape.overhead]
        self._hmac_calls: Final[list[HmacCall]] = []
        self._aead_calls: Final[list[AeadCall]] = []
        self._nonce_rows: Final = np.zeros((wire.slots, _NONCE_OCTETS), np.uint8)
        self._aad_rows: Final = np.zeros((wire.slots, _LONG_AAD_OCTETS), np.uint8) if shape.esn else None

    def hmac_calls(self, rows: slice) -> list[HmacCall]:
        """From, to, and what is authenticated, for each of these slots under a cipher and an HMAC."""
        calls = self._hmac_calls
        if len(calls) < rows.stop:
            calls += map(self._hmac_call, range(len(calls), rows.stop))
        return calls[rows]

    def aead_calls(self, rows: slice) -> list[AeadCall]:
        """Nonce, from, AAD, and to, for each of these slots under an AEAD."""
        calls = self._aead_calls
        if len(calls) < rows.stop:
            calls += map(self._aead_call, range(len(calls), rows.stop))
        return calls[rows]

    def _hmac_call(self, slot: int) -> HmacCall:
        shape, inner, packet = self._shape, self._inner, self._wire.views[slot]
        icv_offset = self._packet - shape.icv
        # Either side's target has room for one block less one octet more, as a chained context asks.
        behind = shape.iv - 1 if shape.is_chained else 0
        start = slot * inner.stride + inner.headroom - shape.head
        text = memoryview(inner.buffer)[start : start + icv_offset - HEADER_OCTETS + (0 if self._sealing else behind)]
        sealed = packet[HEADER_OCTETS : icv_offset + (behind if self._sealing else 0)]
        source, target = (text, sealed) if self._sealing else (sealed, text)
        return source, target, packet[:icv_offset]

    def _aead_call(self, slot: int) -> AeadCall:
        packet = self._wire.views[slot]
        text = self._inner.views[slot][: self._packet - self._shape.overhead]
        sealed = packet[self._shape.text_offset : self._packet]
        source, target = (text, sealed) if self._sealing else (sealed, text)
        aad = packet[:HEADER_OCTETS] if self._aad_rows is None else memoryview(self._aad_rows[slot]).cast("B")
        return memoryview(self._nonce_rows[slot]).cast("B"), source, aad, target

    def write_nonces(self, rows: slice, salt: bytes) -> None:
        """Write the nonces of these slots, salt and IV (RFC 4106 4, RFC 7634 2)."""
        self._nonce_rows[rows, :SALT_OCTETS] = np.frombuffer(salt, np.uint8)
        self._nonce_rows[rows, SALT_OCTETS:] = self.ivs[rows]

    def write_aads(self, rows: slice, high: int) -> None:
        """Write the AADs that hold 64-bit sequence numbers with this upper half (RFC 4106 5); without ESN, nothing."""
        if self._aad_rows is not None:
            self._aad_rows[rows, :4] = self._wire.rows[rows, :4]
            self._aad_rows[rows, 4:8] = np.frombuffer(high.to_bytes(4, "big"), np.uint8)
            self._aad_rows[rows, 8:] = self._wire.rows[rows, 4:8]


@final
class LayoutCache:
    """The layouts in use. Callers reuse their batches, and traffic has few lengths, so few are enough."""

    __slots__ = ("_layouts", "_scratches", "_sealing")

    def __init__(self, *, sealing: bool) -> None:
        self._sealing: Final = sealing
        self._layouts: Final[dict[tuple[int, int | None, Shape, int], Layout]] = {}
        self._scratches: Final[dict[tuple[int, int], Batch]] = {}

    def layout(self, wire: Batch, shape: Shape, packet: int, inner: Batch | None = None) -> Layout:
        """The layout for packets of this length, with texts in `inner`, which has room for them, or in scratch slots.

        A layout keeps its batches alive, so an identity stays its own.
        """
        key = (id(wire), None if inner is None else id(inner), shape, packet)
        layout = self._layouts.get(key)
        if layout is None:
            if len(self._layouts) == _GREATEST_CACHE:
                self._layouts.clear()
            texts = self._scratch(wire) if inner is None else inner
            layout = self._layouts[key] = Layout(wire, texts, shape, packet, sealing=self._sealing)
        return layout

    def has_room(self, inner: Batch, shape: Shape, text: int) -> bool:
        """Whether the slots of a batch can hold texts of so many octets, with what the ciphers want around them."""
        behind = shape.iv - 1 if shape.is_chained and not self._sealing else 0
        return inner.headroom >= shape.head and text + behind <= inner.size

    def _scratch(self, wire: Batch) -> Batch:
        size = (wire.slots, wire.size)
        scratch = self._scratches.get(size)
        if scratch is None:
            if len(self._scratches) == _GREATEST_CACHE:
                self._scratches.clear()
            scratch = self._scratches[size] = Batch(*size, headroom=GREATEST_HEAD)
        return scratch
