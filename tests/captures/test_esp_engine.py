"""Packets that Linux kernels and charon sealed, through the ESP engine: each inner packet comes out, once."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane.crypto.secret import Secret
from dataplane.esp.counters import DiscardReason
from dataplane.esp.engine import EspEngine
from dataplane.esp.sa import InboundSa, SaParameters
from dataplane.esp.tunnel import Tunnel
from dataplane.ipsec.selectors import ANY_IPV4, ANY_IPV6
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import encr, integ
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.udp import NATT_PORT, NattKind, UdpHeader, natt_kind
from tests.unit.dataplane.esp.peers import empty, filled, held

DATA = Path(__file__).parent / "data"


def keys(path: Path) -> list[dict[str, object]]:
    lines = map(json.loads, path.with_suffix(".keys.jsonl").read_text().splitlines())
    return [each for each in lines if each["type"] == "esp-sa"]


def is_tunnel_of_ours(path: Path) -> bool:
    logged = keys(path)
    return bool(logged) and all(
        each["mode"] == "tunnel" and each["encryption"] != "ENCR_NULL_AUTH_AES_GMAC" for each in logged
    )


CAPTURES = [
    path for path in sorted(DATA.glob("esp/*.pcap")) + sorted(DATA.glob("ike/*.pcap")) if is_tunnel_of_ours(path)
]


def esp_packets(path: Path) -> Iterator[bytes]:
    """The ESP packets of a little-endian pcap of Ethernet and IPv4, put together again where they were fragmented."""
    octets, at = path.read_bytes(), 24
    parts: dict[int, list[bytes]] = {}
    while at < len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 8)
        frame = octets[at + 16 : at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00":
            continue
        header = IPv4Header.parse(frame[14:])
        payload = frame[14 + header.header_octets : 14 + header.total_length]
        if header.is_fragment:
            parts.setdefault(header.identification, []).append(payload)
            if header.more_fragments:
                continue
            payload = b"".join(parts.pop(header.identification))
        if header.protocol == 50:
            yield payload
        elif header.protocol == 17:
            udp = UdpHeader.parse(payload)
            if NATT_PORT in (udp.source_port, udp.destination_port) and natt_kind(payload[8:]) is NattKind.ESP:
                yield payload[8 : udp.length]


def sa(fields: dict[str, object]) -> InboundSa:
    key = bytes.fromhex(str(fields["encryption_key"]))
    name = str(fields["encryption"])
    salt = 4 if "GCM" in name or "CHACHA" in name else 0
    bits = None if "CHACHA" in name else 8 * (len(key) - salt)
    suite = EspSuite(
        encryption=encr(name, bits),
        integrity=integ(str(fields["integrity"])) if fields.get("integrity") else None,
        esn=bool(fields.get("esn")),
    )
    first = int(str(fields.get("first_seq", 1)))
    return InboundSa(
        SaParameters(
            spi=int(str(fields["spi"]), 16),
            tunnel=Tunnel(str(fields["dst"])),
            suite=suite,
            keys=EspKeys(
                encryption=Secret(key), integrity=Secret(bytes.fromhex(str(fields.get("integrity_key") or "")))
            ),
            local=(ANY_IPV4, ANY_IPV6),
            remote=(ANY_IPV4, ANY_IPV6),
        ),
        0.0,
        next_sequence=first,
    )


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_packet_opens_once(path: Path) -> None:
    engine = EspEngine()
    for fields in keys(path):
        engine.sad.add_inbound(sa(fields))
    packets = list(esp_packets(path))
    expected = json.loads(path.with_suffix(".expected.json").read_text())["esp"]["authenticated"]
    assert len(packets) == expected
    wire, clear = filled(packets, slots=expected + 1), empty(expected + 1)
    engine.decapsulate(wire, clear, 1.0)
    assert not engine.counters.discarded
    assert len(clear) == expected
    for packet in held(clear):
        header = IPv4Header.parse(packet)
        assert header.total_length == len(packet)
        assert header.source.is_private
    engine.decapsulate(wire, clear, 2.0)
    assert engine.counters.discarded == ({DiscardReason.IN_REPLAYED: expected} if expected else {})


def test_there_is_something_to_open() -> None:
    assert len(CAPTURES) >= 15
