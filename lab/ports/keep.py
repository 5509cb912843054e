"""Taking frames out of a batch."""

from __future__ import annotations

from collections.abc import Iterable

from dataplane.batch import Batch


def keep(batch: Batch, indexes: Iterable[int]) -> None:
    """Keep the frames at these indexes, which ascend, and close the gaps."""
    views, lengths = batch.views, batch.lengths
    kept = 0
    for index in indexes:
        if index != kept:
            length = lengths[index]
            views[kept][:length] = views[index][:length]
            lengths[kept] = length
        kept += 1
    batch.count = kept
