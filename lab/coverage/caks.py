"""Judging a link by its CAKs alone: from them, everything that an MKA-keyed link carried can be opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from lab.capture.keys import Key, MacsecSak, MkaCak
from lab.model.topology import Topology

_PORT: Final = b"\0\1"


def on_file(keys: Iterable[Key]) -> set[str]:
    """The segments whose CAKs are in a key log."""
    return {key.segment for key in keys if isinstance(key, MkaCak) and key.segment is not None}


def without_saks(keys: Sequence[Key], topology: Topology, segments: Collection[str]) -> list[Key]:
    """The keys of a key log without the SAKs that were used on these segments."""
    scis = {bytes(end.mac.packed) + _PORT for link in topology.links if link.segment in segments for end in link.ends}
    return [key for key in keys if not (isinstance(key, MacsecSak) and key.sci in scis)]
