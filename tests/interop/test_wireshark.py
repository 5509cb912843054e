"""tshark opens our IKE and ESP, and others', from the tables that `wireproof keys wireshark` writes."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest

from dataplane.esp.outcomes import Protected
from dataplane.ike.events import ChildSaEstablished, IkeKeysDerived
from dataplane.ike.host import Datagram
from dataplane.ike.nat import Endpoint
from dataplane.ike.policy import IkePolicy
from dataplane.ipsec.proposals import Proposal, SecurityProtocol
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import NO_ESN, Transform, encr, integ, ke, prf
from lab.capture import keylog
from lab.cli.main import run
from lab.nodes.keyrecords import esp_records, ike_record
from tests.captures.cases import expected_of, key_log_of, keys_of, path_of, write_pcap
from tests.exchange.ike.pair import LEFT, LEFT_PEER, RIGHT, Pair, child_policy, mirrored
from tests.interop.conftest import missing
from tests.unit.dataplane.esp.peers import ipv4, parameters, sender, udp
from tests.unit.dataplane.esp.peers import keys_of as esp_keys_of
from tests.unit.lab.coverage.packets import frames

pytestmark = pytest.mark.interop

FIELDS = ("frame.protocols", "isakmp.enc.decrypted", "esp.icv_good", "udp.dstport", "_ws.expert.message")
TOKEN = 4242  # the UDP port of what goes through a tunnel


@pytest.fixture(autouse=True)
def tshark() -> None:
    if shutil.which("tshark") is None:
        missing("tshark", "apt-get install --no-install-recommends tshark")


def read(capture: Path, key_log: Path, folder: Path) -> list[dict[str, list[str]]]:
    """What tshark sees in each frame, with the tables made from a key log."""
    assert run(["keys", "wireshark", str(folder), "--keys", str(key_log)]) == 0
    ran = subprocess.run(
        ["tshark", "-n", "-r", str(capture), "-o", "esp.enable_encryption_decode:TRUE",
         "-o", "esp.enable_authentication_check:TRUE", "-T", "fields", *(f"-e{field}" for field in FIELDS)],
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "esp_sa" not in ran.stderr + ran.stdout  # it would name a table that it does not take
    assert "decryption_table" not in ran.stderr
    return [dict(zip(FIELDS, (cell.split(",") for cell in line.split("\t")), strict=True))
            for line in ran.stdout.splitlines()]  # fmt: skip


def frame(protocol: int, source: Endpoint, destination: Endpoint, payload: bytes) -> bytes:
    """An Ethernet frame with a packet between two gateways."""
    version = ip_address(source.address).version
    ends = ip_address(source.address).packed + ip_address(destination.address).packed
    if version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    else:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    ethernet = bytes(12) + (b"\x08\x00" if version == 4 else b"\x86\xdd")
    return ethernet + header + ends + payload


class Wire:
    """Frames, as they came."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def put(self, protocol: int, source: Endpoint, destination: Endpoint, payload: bytes) -> None:
        self.frames.append(frame(protocol, source, destination, payload))

    def put_udp(self, datagram: Datagram) -> None:
        ports = (datagram.source.port, datagram.destination.port)
        header = struct.pack("!HHHH", *ports, 8 + len(datagram.octets), 0)
        self.put(17, datagram.source, datagram.destination, header + datagram.octets)

    def carry(self, pair: Pair) -> None:
        """Deliver everything until both are silent."""
        while pair.a.outbox or pair.b.outbox:
            for sender_, receiver in ((pair.a, pair.b), (pair.b, pair.a)):
                while sender_.outbox:
                    datagram = sender_.outbox.popleft()
                    self.put_udp(datagram)
                    receiver.receive(datagram)

    def tunnel(self, child: ChildSaEstablished) -> None:
        """A packet in a child's outgoing SA."""
        of = replace(parameters(child.suite, spi=int.from_bytes(child.spi_out, "big")), keys=child.keys_out)
        sent = sender(of).encapsulate_packet(ipv4(udp(60, dport=TOKEN)), 1000.0)
        assert isinstance(sent, Protected)
        if child.encapsulated:
            self.put_udp(Datagram(sent.octets, child.local, child.remote))
        else:
            self.put(50, child.local, child.remote, sent.octets)


def records(events: Iterable[object]) -> Iterator[dict[str, object]]:
    """The key log's objects for what an engine told."""
    for event in events:
        if isinstance(event, IkeKeysDerived):
            yield ike_record(event)
        elif isinstance(event, ChildSaEstablished):
            yield from esp_records(event)


CBC, GCM = "ENCR_AES_CBC", "ENCR_AES_GCM_16"
POLICIES = [
    (encr(CBC, 256), "AUTH_HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256", 2),
    (encr(CBC, 128), "AUTH_HMAC_SHA1_96", "PRF_HMAC_SHA1", 14),
    (encr(CBC, 192), "AUTH_HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384", 19),
    (encr(CBC, 256), "AUTH_HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512", 21),
    (encr("ENCR_3DES"), "AUTH_HMAC_MD5_96", "PRF_HMAC_MD5", 2),
    (encr(GCM, 128), None, "PRF_HMAC_SHA2_256", 19),
    (encr(GCM, 192), None, "PRF_HMAC_SHA2_256", 31),
    (encr(GCM, 256), None, "PRF_HMAC_SHA2_384", 20),
]


@pytest.mark.parametrize(("cipher", "integrity", "prf_name", "group"), POLICIES, ids=lambda part: str(part or ""))
def test_ours(cipher: Transform, integrity: str | None, prf_name: str, group: int, tmp_path: Path) -> None:
    """A tunnel from its beginning: rekeys of both kinds, fragments, packets in every child; raw ESP and ESP in UDP."""
    check = () if integrity is None else (integ(integrity),)
    ike = Proposal(protocol=SecurityProtocol.IKE, transforms=(cipher, *check, prf(prf_name), ke(group)))
    esp = Proposal(protocol=SecurityProtocol.ESP, transforms=(cipher, *check, ke(group), NO_ESN))
    wire, log = Wire(), tmp_path / "keys.jsonl"
    for encapsulate in (False, True):
        left = replace(
            LEFT_PEER,
            ike=IkePolicy(proposals=(ike,), allow_insecure=True),
            children=(replace(child_policy(), proposals=(esp,), allow_insecure=True),),
            encapsulate=encapsulate,
            fragment_octets=200 if encapsulate else None,
        )
        pair = Pair(left, mirrored(left), seed=str(encapsulate))
        pair.a.initiate()
        wire.carry(pair)
        for wish in (pair.a.rekey_child, pair.b.rekey_ike, pair.b.rekey_child, pair.a.dpd):
            wish()
            wire.carry(pair)
        for node in (pair.a, pair.b):
            for child in node.told(ChildSaEstablished):
                wire.tunnel(child)
            keylog.append(log, *records(node.events))
        pair.a.delete()
        wire.carry(pair)
    seen = read(write_pcap(tmp_path / "wire.pcap", frames(wire.frames)), log, tmp_path / "ws")
    assert len(seen) == len(wire.frames)
    complaints = {text for each in seen for text in each["_ws.expert.message"] if text}
    assert not [text for text in complaints if "ntegrity" in text or "ncorrect" in text or "alformed" in text]
    for each in seen:
        protocols = each["frame.protocols"][0].split(":")
        if "esp" in protocols:
            assert protocols[-3:] == ["ip", "udp", "data"], each
            assert each["esp.icv_good"] == ["1"]
            assert each["udp.dstport"][-1] == str(TOKEN)
    opened = sum(each["isakmp.enc.decrypted"] != [""] for each in seen)
    in_clear = 4  # both messages of IKE_SA_INIT, twice
    assert opened == sum("isakmp" in each["frame.protocols"][0] for each in seen) - in_clear
    assert sum("esp" in each["frame.protocols"][0].split(":") for each in seen) == 12


@pytest.mark.parametrize("suite", [
    EspSuite(encryption=encr("ENCR_NULL"), integrity=integ("AUTH_HMAC_SHA2_256_128")),
    EspSuite(encryption=encr("ENCR_DES"), integrity=integ("AUTH_HMAC_SHA1_96")),
], ids=str)  # fmt: skip
def test_esp_that_hardly_hides(suite: EspSuite, tmp_path: Path) -> None:
    of = parameters(suite)
    sent = sender(of).encapsulate_packet(ipv4(udp(60, dport=TOKEN)), 1000.0)
    assert isinstance(sent, Protected)
    wire = Wire()
    wire.put(50, Endpoint(LEFT, 0), Endpoint(RIGHT, 0), sent.octets)
    keys = esp_keys_of(suite)
    record = {"type": "esp-sa", "spi": f"{of.spi:08x}", "mode": "tunnel", "encryption": suite.encryption.name}
    record |= {"encryption_key": keys.encryption.reveal().hex(), "integrity_key": keys.integrity.reveal().hex()}
    keylog.append(tmp_path / "keys.jsonl", record | {"integrity": str(suite.integrity)})
    (seen,) = read(write_pcap(tmp_path / "wire.pcap", frames(wire.frames)), tmp_path / "keys.jsonl", tmp_path / "ws")
    assert (seen["esp.icv_good"], seen["udp.dstport"]) == (["1"], [str(TOKEN)])


@pytest.mark.parametrize("name", [
    "ike_psk_modp2048_esp_aes256-sha512_natt", "py-ss-cookie", "ss-cbc128-sha1-modp2048", "ss-gcm-x25519", "ss-ppk",
])  # fmt: skip
def test_captures_of_others(name: str, tmp_path: Path) -> None:
    """tshark checks as many messages and packets as an independent program has counted."""
    seen = read(path_of(name), key_log_of(name), tmp_path)
    expected = cast(dict[str, Any], expected_of(name))
    assert len(keys_of(name))
    assert sum(each["esp.icv_good"] == ["1"] for each in seen) == expected["esp"]["authenticated"]
    assert sum(each["isakmp.enc.decrypted"] != [""] for each in seen) == expected["ike"]["authenticated"]
