"""What a man in the middle sees: as the verdict's own classification sees it, which shares no code with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dataplane.wire.ethernet import EthernetHeader
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.coverage.sight import FRAGMENT
from lab.replay.look import Kind, look
from tests.unit.lab.replay.recorded import CAPTURES, everything, frames_of

KINDS = {
    census.MACSEC_ENCRYPTED: Kind.MACSEC,
    census.MACSEC_INTEGRITY_ONLY: Kind.MACSEC,
    census.MKA: Kind.MKA,
    census.IKE: Kind.IKE,
    census.ESP: Kind.ESP,
}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_recorded_frame_is_seen_as_the_verdict_sees_it(path: Path) -> None:
    for frame in frames_of(path):
        sight = ethernet(frame, len(frame))
        if sight.kind == FRAGMENT:  # a fragment, whose class is that of its datagram
            continue
        assert look(frame).kind is KINDS.get(sight.kind, Kind.CLEAR)


def test_there_are_recorded_frames_of_every_kind() -> None:
    kinds = Counter(look(frame).kind for frame in everything())
    assert all(kinds[kind] > 10 for kind in Kind)


def test_headers_lie_where_they_are() -> None:
    for frame in everything():
        seen = look(frame)
        if seen.kind is Kind.MACSEC:
            assert frame[seen.header : seen.header + 2] == b"\x88\xe5"
            assert seen.data - seen.header in (8, 16)
            assert seen.data + 16 < seen.end <= len(frame)
        elif seen.kind is not Kind.CLEAR:
            assert EthernetHeader.parse(frame).length < seen.data <= seen.end <= len(frame)
        if seen.transport is not None:
            assert seen.network is not None
            assert frame[seen.network + (9 if frame[seen.network] >> 4 == 4 else 6)] == 17


@pytest.mark.parametrize("octets", [b"", b"\0" * 13, b"\xff" * 14, bytes(12) + b"\x81\x00", bytes(12) + b"\x88\xe5"])
def test_what_is_no_frame_is_clear(octets: bytes) -> None:
    assert look(octets).kind is Kind.CLEAR
