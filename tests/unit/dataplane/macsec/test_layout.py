"""Runs, gaps and the cache of layouts."""

from __future__ import annotations

import numpy as np
import pytest

from dataplane.batch import Batch
from dataplane.macsec.layout import GREATEST_CACHE, Layout, LayoutCache, compact, run_end
from dataplane.macsec.nonce import Nonces
from tests.unit.dataplane.macsec.pair import A_SCI


@pytest.mark.parametrize(
    ("lengths", "start", "count", "end"),
    [([5, 5, 5], 0, 3, 3), ([5, 5, 6, 6], 0, 4, 2), ([5, 5, 6, 6], 2, 4, 4), ([5, 5, 5, 5], 0, 2, 2), ([5], 0, 1, 1)],
)
def test_run_end(lengths: list[int], start: int, count: int, end: int) -> None:
    assert run_end(lengths, start, count) == end


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
    first = cache.layout(clear, wire, 64, 16, 0)
    assert cache.layout(clear, wire, 64, 16, 0) is first
    assert cache.layout(clear, wire, 64, 16, 30) is not first
    for length in range(65, 65 + GREATEST_CACHE):
        cache.layout(clear, wire, length, 16, 0)
    assert cache.layout(clear, wire, 64, 16, 0) is not first
