"""Real MKPDUs, of wpa_supplicant and of two makers' switches: each is authentic, and emitted again it is the same."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane.crypto.secret import Secret
from dataplane.mka.keys import Cak
from dataplane.mka.mkpdu import Mkpdu, seal
from dataplane.wire.eapol import EapolHeader

CAPTURES = sorted((Path(__file__).parent / "data" / "mka").glob("*.pcap"))


def frames(path: Path) -> Iterator[bytes]:
    """The frames of a little-endian pcap."""
    octets = path.read_bytes()
    at = 24
    while at < len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 8)
        yield octets[at + 16 : at + 16 + length]
        at += 16 + length


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_mkpdus_parse_and_are_emitted_again(path: Path) -> None:
    lines = path.with_suffix(".keys.jsonl").read_text().splitlines()
    caks = {key["ckn"]: key["cak"] for key in map(json.loads, lines) if key["type"] == "mka-cak"}
    count = 0
    for frame in frames(path):
        if frame[12:14] != b"\x88\x8e" or frame[15] != 5:
            continue
        end = 18 + EapolHeader.parse(frame[14:]).body_octets
        frame = frame[:end]
        mkpdu = Mkpdu.parse(frame[18:])
        ckn = mkpdu.basic.ckn
        cak = Cak(cak=Secret(bytes.fromhex(caks[ckn.hex()])), ckn=ckn)
        assert cak.sealed_frame(frame)
        assert seal(mkpdu, cak.ick.reveal(), frame[6:12], frame[:6]) == frame
        count += 1
    assert count == json.loads(path.with_suffix(".expected.json").read_text())["mka"]["authenticated"]
