"""Captured IKE conversations: their messages, and the keys that the key logs give for them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from dataplane.crypto.secret import Secret
from dataplane.ike.keymat import IkeKeys
from dataplane.ike.message import Message, links_of
from dataplane.ike.nat import Endpoint
from dataplane.ike.payloads.chain import split
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.protection import Cipher, make_cipher, open_sealed
from dataplane.ike.suite import IkeSuite
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.transforms import encr, integ, ke, prf
from dataplane.wire.ike_header import IkeHeader

CAPTURES = sorted((Path(__file__).parent / "data" / "ike").glob("*.pcap"))


@dataclass(frozen=True)
class Captured:
    """One IKE message as it was on the wire, without UDP and without the marker of port 4500."""

    octets: bytes
    source: Endpoint
    destination: Endpoint

    @property
    def header(self) -> IkeHeader:
        return IkeHeader.parse(self.octets)


def frames(path: Path) -> Iterator[bytes]:
    """The frames of a little-endian pcap."""
    octets = path.read_bytes()
    at = 24
    while at < len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 8)
        yield octets[at + 16 : at + 16 + length]
        at += 16 + length


def messages(path: Path) -> list[Captured]:
    """Every IKE message of a capture of IPv4, in its order."""
    found = []
    for frame in frames(path):
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        packet = frame[14 : 14 + int.from_bytes(frame[16:18], "big")]
        udp = packet[(packet[0] & 0xF) * 4 :]
        ports = struct.unpack_from("!HH", udp)
        payload = udp[8 : int.from_bytes(udp[4:6], "big")]
        if 4500 in ports:
            if payload[:4] != bytes(4):
                continue
            payload = payload[4:]
        elif 500 not in ports:
            continue
        source, destination = (str(ip_address(packet[at : at + 4])) for at in (12, 16))
        found.append(Captured(payload, Endpoint(source, ports[0]), Endpoint(destination, ports[1])))
    return found


def log(path: Path, kind: str) -> list[dict[str, str]]:
    """The objects of one type in a capture's key log."""
    lines = path.with_suffix(".keys.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["type"] == kind]


@dataclass(frozen=True)
class LoggedSa:
    """The keys of one IKE SA, and the ciphers of both ends."""

    suite: IkeSuite
    keys: IkeKeys
    initiator: Cipher
    responder: Cipher

    def cipher(self, header: IkeHeader) -> Cipher:
        return self.initiator if header.is_initiator else self.responder


def logged_sas(path: Path) -> dict[bytes, LoggedSa]:
    """The IKE SAs of a key log by both their SPIs."""
    found = {}
    for entry in log(path, "ike-sa"):
        octets = {name: Secret(bytes.fromhex(value)) for name, value in entry.items() if name.startswith("sk_")}
        aead = "integrity" not in entry
        salt = 4 if aead else 0
        bits = 8 * (len(octets["sk_ei"]) - salt) if entry["encryption"] != "ENCR_CHACHA20_POLY1305" else None
        transforms = [encr(entry["encryption"], bits), prf(entry["prf"]), ke(19)]  # which group it was does not matter
        if not aead:
            transforms.append(integ(entry["integrity"]))
        suite = IkeSuite.of(Proposal(protocol=SecurityProtocol.IKE, transforms=tuple(transforms)))
        names = ("d", "ai", "ar", "ei", "er", "pi", "pr")
        keys = IkeKeys(**{name: octets.get(f"sk_{name}", Secret(b"")) for name in names})
        found[bytes.fromhex(entry["spi_i"] + entry["spi_r"])] = LoggedSa(
            suite,
            keys,
            make_cipher(suite, keys.ei, keys.ai, lambda count: bytes(count)),
            make_cipher(suite, keys.er, keys.ar, lambda count: bytes(count)),
        )
    return found


def opened(path: Path) -> Iterator[tuple[Captured, Message]]:
    """Every message of a capture that is whole, opened where it was sealed."""
    sas = logged_sas(path)
    for captured in messages(path):
        header = captured.header
        links = links_of(header, captured.octets)
        if not links or links[-1].payload_type != PayloadType.SK:
            assert not links or links[-1].payload_type != PayloadType.SKF
            yield captured, Message.parse(captured.octets)
            continue
        sa = sas[header.spi_i + header.spi_r]
        chain = open_sealed(sa.cipher(header), captured.octets, links[-1].body)
        inside = parse_payloads(split(links[-1].next_type, chain))
        yield captured, Message.of(header, inside)
