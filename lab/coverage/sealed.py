"""MACsec frames of a burst as columns, and opening many of them at once (802.1AE-2018 10.6, 14)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Final, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.coverage.classify import ICV_OCTETS, SC
from lab.coverage.columns import REACH, Heads, Mask, alike, gather
from lab.coverage.evidence.uses import Uses, eights
from lab.coverage.macsec import Sa
from lab.coverage.numbers import Numbers, nearest_numbers

_ADDRESSES: Final = 12
_PADDING: Final = 2 * REACH
_ENCRYPTED: Final = 0x100


@final
class Sealed:
    """The frames of a burst that are plainly MACsec, and room for what is inside those that are encrypted.

    `rows` tells which of the burst's rows they are. What is inside place i is `room[into[i] : until[i]]`, from the
    EtherType on; without encryption it lies in the burst, between `body` and the ICV.
    """

    __slots__ = (
        "_an", "_burst", "_low", "_starts", "_tags", "body", "encrypted", "ends", "into", "room", "rows", "until",
    )  # fmt: skip

    def __init__(self, burst: Burst, heads: Heads, rows: Column) -> None:
        encrypted, readable, body = heads.macsec()
        places = np.flatnonzero(encrypted | readable)
        self._burst: Final = burst
        self._an: Final = heads.an(places)
        self._low: Final = heads.low_pn(places)
        self._tags: Final = heads.at[places] - 2
        self.rows: Final = rows[places]
        self.encrypted: Final[Mask] = encrypted[places]
        self.body: Final = body[places]
        self.ends: Final = heads.ends[places]
        self._starts: Final = burst.starts[self.rows]
        sizes = np.where(self.encrypted, self.ends - self.body - ICV_OCTETS, 0)
        self.until: Final[Column] = np.cumsum(sizes)
        self.into: Final[Column] = self.until - sizes
        self.room: Final = bytearray(int(sizes.sum()) + _PADDING)

    def groups(self) -> Iterator[tuple[bytes, int, Column]]:
        """SCI, AN and places of the frames that have these in common, and their SecTAGs' form."""
        forms = self._an | _ENCRYPTED * self.encrypted
        for form in np.unique(forms).tolist():
            places = np.flatnonzero(forms == form)
            if form & SC:
                scis = gather(self._burst.data, self._tags[places] + 8, 8).view(">u8")
            else:
                sources = gather(self._burst.data, self._starts[places] + 6, 8).view(">u8")
                scis = sources & np.uint64(0xFFFFFFFFFFFF0000) | np.uint64(1)  # 802.1AE-2018 9.9
            for alike_here in alike(scis):
                sci = int(scis[alike_here[0]]).to_bytes(8, "big")
                yield sci, form & 3, places[alike_here]

    def open(self, sa: Sa, places: Column, near: int) -> tuple[Mask, Numbers]:
        """Open these places, all of one group, with an SA that has come `near`; tell which it did open, and the PNs."""
        good = np.ones(len(places), np.bool_)
        low = self._low[places]
        numbers = nearest_numbers(low, near) if sa.xpn else low.astype(np.uint64)
        if sa.offset:
            return ~good, numbers
        data, bodies, ends = self._burst.data, self.body[places], self.ends[places]
        heads = self._heads(places)
        if self.encrypted[places[0]]:
            sealed = [data[body:end] for body, end in zip(bodies.tolist(), ends.tolist(), strict=True)]
            room, bounds = memoryview(self.room), (self.into[places].tolist(), self.until[places].tolist())
            outs = [room[into:until] for into, until in zip(*bounds, strict=True)]
            failed = sa.open_columns(sa.nonces(numbers), sealed, heads, outs)
        else:
            icvs = ends - ICV_OCTETS
            texts = [data[body:icv] for body, icv in zip(bodies.tolist(), icvs.tolist(), strict=True)]
            aads = [head + text for head, text in zip(heads, texts, strict=True)]
            icv_octets = gather(data, icvs, ICV_OCTETS).tolist()
            failed = sa.open_columns(sa.nonces(numbers), icv_octets, aads, repeat(bytearray()))
        good[failed] = False
        return good, numbers

    def uses(self, sa: Sa, places: Column, numbers: Numbers) -> Uses:
        """How these places, which an SA opened, were protected."""
        ends = self.ends[places]
        return Uses(
            numbers ^ np.uint64(sa.nonce_mask),
            eights(self._burst.data, ends - 8),
            ends - self.body[places] - ICV_OCTETS,
        )

    def _heads(self, places: Column) -> list[bytes]:
        """Addresses and SecTAG of each; VLAN tags before the SecTAG are not covered (802.1AE-2018 10.6)."""
        data, starts, tags, bodies = self._burst.data, self._starts[places], self._tags[places], self.body[places]
        if np.all(tags == starts + _ADDRESSES):
            heads: list[bytes] = gather(data, starts, int(bodies[0] - starts[0])).tolist()
            return heads
        bounds = zip(starts.tolist(), tags.tolist(), bodies.tolist(), strict=True)
        return [data[start : start + _ADDRESSES] + data[tag:body] for start, tag, body in bounds]
