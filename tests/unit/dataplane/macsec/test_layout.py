"""Runs, gaps and the cache of layouts."""

from __future__ import annotations

import numpy as np

from dataplane.batch import Batch
from dataplane.macsec.layout import GREATEST_CACHE, WORTH_A_LAYOUT, Layout, LayoutCache, compact
from dataplane.macsec.nonce import Nonces
from tests.unit.dataplane.macsec.pair import A_SCI


def test_compact_closes_gaps_and_keeps_the_order() -> None:
    batch = Batch(slots=5, size=4)
    for text in (b"aa", b"b", b"cccc", b"d", b"ee"):
        batch.append(text)
    batch.lengths[0] = batch.lengths[3] = 0
    compact(batch, 5)
    assert [bytes(frame) for frame in batch] == [b"b", b"cccc", b"ee"]
    batch.lengths[:3] = [0, 0, 0]
    compact(batch, 3)
    assert list(batch) == []


def test_a_layout_s_parts_lie_where_the_drawing_says() -> None:
    clear, wire = Batch(slots=3, size=100), Batch(slots=2, size=132)
    layout = Layout(clear, wire, clear_octets=64, tag_octets=16, covered=30)
    assert len(layout.seals) == len(layout.opens) == 2
    layout.write_nonces(slice(0, 2), Nonces.for_sci(A_SCI), 8, np.array([8, 9], np.uint32))
    layout.pns[0:2] = np.array([8, 9], np.uint32)
    nonce, plain, aad, sealed = layout.seals[1]
    assert bytes(nonce) == A_SCI + b"\x00\x00\x00\x09"
    assert (len(plain), len(aad), len(sealed)) == (64 - 12 - 30, 12 + 16 + 30, 64 - 12 - 30 + 16)
    assert bytes(aad[16:20]) == b"\x00\x00\x00\x09"
    plain[0], sealed[0] = 1, 2
    assert clear.views[1][42] == 1
    assert wire.views[1][58] == 2
    assert layout.opens[1] == (nonce, sealed, aad, plain)


def test_the_cache_gives_a_layout_back_and_does_not_grow_for_ever() -> None:
    clear, wire = Batch(slots=1, size=200), Batch(slots=1, size=232)
    cache = LayoutCache()

    def layout(octets: int, *, frames: int = WORTH_A_LAYOUT, covered: int = 0) -> Layout | None:
        return cache.layout(clear, wire, clear_octets=octets, tag_octets=16, covered=covered, frames=frames)

    first = layout(64)
    assert first is not None
    assert layout(64, frames=4) is first
    assert layout(64, covered=30) is not first
    for octets in range(65, 65 + GREATEST_CACHE):
        layout(octets)
    assert layout(64) is not first


def test_a_length_that_comes_rarely_gets_no_layout() -> None:
    clear, wire = Batch(slots=1, size=200), Batch(slots=1, size=232)
    cache = LayoutCache()

    def met(octets: int) -> bool:
        return cache.layout(clear, wire, clear_octets=octets, tag_octets=16, covered=0, frames=7) is not None

    assert [met(64) for _ in range(4)] == [False, False, True, True]
    assert not any(met(octets) for octets in range(65, 66 + GREATEST_CACHE))
    assert not any(met(octets) for octets in range(65, 66 + GREATEST_CACHE))
