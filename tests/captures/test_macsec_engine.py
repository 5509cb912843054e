"""What a Linux kernel sent, through SecY: every frame verifies, and SecY given the same PN sends the same octets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataplane.batch import Batch
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.counters import Accepted, Discarded
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import suite_named
from dataplane.wire.ethernet import ADDRESSES_OCTETS, EthernetHeader, EtherType
from dataplane.wire.sectag import SecTag
from lab.capture import keylog
from lab.capture.keys import MacsecSak
from lab.capture.source import open_capture

DATA = Path(__file__).parent / "data" / "macsec"
CAPTURES = sorted(path.stem for path in DATA.glob("*.pcap"))
OUR_SCI = bytes(8)


def keys(name: str) -> list[MacsecSak]:
    return [key for key in keylog.read(DATA / f"{name}.keys.jsonl") if isinstance(key, MacsecSak)]


def sak(key: MacsecSak, *, confidentiality: bool = True) -> Sak:
    return Sak(
        suite=suite_named(key.cipher_suite), key=key.sak, salt=key.salt or b"", confidentiality=confidentiality,
        confidentiality_offset=key.confidentiality_offset,
    )  # fmt: skip


def frames_of(name: str, key: MacsecSak) -> list[bytes]:
    """The MACsec frames of one sender, without VLAN tags before the SecTAG."""
    with open_capture(DATA / f"{name}.pcap") as capture:
        found = [(EthernetHeader.parse(frame.octets), frame.octets) for frame in capture]
    return [
        octets[:ADDRESSES_OCTETS] + octets[header.length - 2 :]
        for header, octets in found
        if header.ether_type == EtherType.MACSEC and header.source == key.sci[:6]
    ]


def receiver(key: MacsecSak) -> SecY:
    secy = SecY(OUR_SCI, cipher_suite=suite_named(key.cipher_suite), verification=Verification(replay_window=100))
    channel = secy.create_receive_channel(key.sci)
    channel.create_sa(key.an, sak(key), ssci=key.ssci, next_pn=key.first_pn)
    channel.enable_sa(key.an)
    return secy


def encoding(tag: SecTag) -> SciEncoding:
    if tag.sci is not None:
        return SciEncoding.EXPLICIT
    if tag.es:
        return SciEncoding.END_STATION
    return SciEncoding.SCB if tag.scb else SciEncoding.IMPLIED


def test_there_are_captures() -> None:
    assert len(CAPTURES) == 18


@pytest.mark.parametrize("name", CAPTURES)
def test_every_frame_verifies_in_batches(name: str) -> None:
    authenticated = 0
    for key in keys(name):
        secy, frames = receiver(key), frames_of(name, key)
        wire, clear = Batch(slots=len(frames), size=2000), Batch(slots=len(frames), size=2000)
        for frame in frames:
            wire.append(frame)
        secy.validate(wire, clear)
        assert clear.count == len(frames)
        authenticated += secy.receive_channels()[0].counters.InPktsOK
    assert authenticated == json.loads((DATA / f"{name}.expected.json").read_text())["macsec"]["authenticated"]


@pytest.mark.parametrize("name", CAPTURES)
def test_secy_sends_what_the_kernel_sent(name: str) -> None:
    for key in keys(name):
        secy = receiver(key)
        channel = secy.receive_channels()[0]
        for frame in frames_of(name, key):
            opened = secy.validate_frame(frame)
            assert isinstance(opened, Accepted)
            tag, sa = SecTag.parse(frame[ADDRESSES_OCTETS:]), channel.sa(key.an)
            assert sa is not None
            twin = SecY(key.sci, generation=Generation(sci_encoding=encoding(tag)))
            full_pn = sa.window.next - 1
            assert full_pn % 2**32 == tag.pn
            twin.transmit.create_sa(key.an, sak(key, confidentiality=tag.encrypted), ssci=key.ssci, next_pn=full_pn)
            twin.transmit.enable_sa(key.an)
            assert twin.protect_frame(opened.octets) == Accepted(frame)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_flipped_bit_spoils_its_frame_and_no_other(name: str) -> None:
    for key in keys(name):
        frames = frames_of(name, key)
        for bad in range(0, len(frames), 5):
            secy = receiver(key)
            flipped = bytearray(frames[bad])
            flipped[(7 * bad + 30) % len(flipped)] ^= 1 << bad % 8
            for index, frame in enumerate(frames):
                if index == bad:
                    assert isinstance(secy.validate_frame(flipped), Discarded)
                else:
                    assert isinstance(secy.validate_frame(frame), Accepted)
