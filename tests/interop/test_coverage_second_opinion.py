"""Others look at the same frames: tshark names what is outermost, Scapy seals what the verdict opens."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.capture.frame import Frame
from lab.coverage import census
from lab.coverage.classify import ethernet as classify
from lab.coverage.sight import FRAGMENT
from tests.captures.cases import NAMES, frames_of, observe, renumber, write_pcap
from tests.unit.lab.coverage.packets import A4, B4, SPI_AB, A, B, esp_key, frames, sak_key

pytestmark = pytest.mark.interop

MKA = "5"  # IEEE 802.1X-2020 table 11-3: the EAPOL packet type of an MKPDU

# The first of these protocols that tshark sees in a frame, and what the census makes of such frames.
CLASS_OF = {
    "macsec": {census.MACSEC_ENCRYPTED, census.MACSEC_INTEGRITY_ONLY},
    f"eapol {MKA}": {census.MKA},
    "isakmp": {census.IKE},
    "esp": {census.ESP, census.ESP_NULL},
    "arp": {census.CONTROL},
    "icmp": {census.CLEARTEXT},
    "icmpv6": {census.CONTROL},
}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_sees_the_same_protocols(tmp_path: Path) -> None:
    every = renumber(frame for name in NAMES for frame in frames_of(name))
    path = write_pcap(tmp_path / "all.pcap", every)
    ran = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.protocols", "-e", "eapol.type"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = ran.stdout.splitlines()
    assert len(said) == len(every)
    for frame, (protocols, packet_type) in zip(every, (line.split("\t") for line in said), strict=True):
        sight = classify(frame.octets, frame.original_length)
        if sight.kind == FRAGMENT:
            continue
        named = [f"eapol {packet_type}" if protocol == "eapol" else protocol for protocol in protocols.split(":")]
        seen = [protocol for protocol in named if protocol in CLASS_OF]
        assert seen, protocols
        assert sight.kind in CLASS_OF[seen[0]], (frame.number, protocols)


def scapy_frames(*packets: object) -> tuple[Frame, ...]:
    return frames(bytes(packet) for packet in packets)  # type: ignore[call-overload]  # Scapy has no types


@pytest.mark.parametrize(("scapy_cipher", "scapy_mac", "encryption", "integrity", "octets", "mac_octets"), [
    ("AES-GCM", None, "ENCR_AES_GCM_16", None, 20, 0),
    ("AES-CBC", "HMAC-SHA1-96", "ENCR_AES_CBC", "AUTH_HMAC_SHA1_96", 32, 20),
    ("AES-CBC", "SHA2-256-128", "ENCR_AES_CBC", "AUTH_HMAC_SHA2_256_128", 16, 32),
    ("AES-CBC", "SHA2-512-256", "ENCR_AES_CBC", "AUTH_HMAC_SHA2_512_256", 32, 64),
    ("NULL", "SHA2-384-192", "ENCR_NULL", "AUTH_HMAC_SHA2_384_192", 0, 48),
    ("CHACHA20-POLY1305", None, "ENCR_CHACHA20_POLY1305", None, 36, 0),
])  # fmt: skip
@pytest.mark.parametrize("in_udp", [False, True])
def test_esp_that_scapy_seals(
    scapy_cipher: str, scapy_mac: str | None, encryption: str, integrity: str | None, octets: int, mac_octets: int,
    in_udp: bool,
) -> None:  # fmt: skip
    from scapy.layers.inet import ICMP, IP, UDP
    from scapy.layers.ipsec import ESP, SecurityAssociation
    from scapy.layers.l2 import Ether

    key, mac_key = bytes(range(octets)), bytes(range(mac_octets))
    sealed = SecurityAssociation(
        ESP, spi=int.from_bytes(SPI_AB, "big"), crypt_algo=scapy_cipher, crypt_key=key, auth_algo=scapy_mac,
        auth_key=mac_key or None, tunnel_header=IP(src="10.0.0.1", dst="10.0.0.2"),
        nat_t_header=UDP(sport=4500, dport=4500) if in_udp else None,
    ).encrypt(IP(src="192.168.1.1", dst="10.0.2.4") / ICMP() / (b"payload " * 20), seq_num=5)  # fmt: skip
    sa = esp_key(encryption=encryption, key=key, integrity=integrity, dst="10.0.0.2",
                 integrity_key=mac_key.hex() if integrity else None)  # fmt: skip
    captured = scapy_frames(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / sealed)
    seen = observe(captured, (sa,), tokens=(b"payload payload",))
    kind = census.ESP_NULL if encryption == "ENCR_NULL" else census.ESP
    assert seen.class_frames[kind] == 1
    assert seen.units["esp"] == [1, 0, 0]
    assert seen.directions.all()[0].tokens[census.UNDER_IPSEC] == 1
    assert (captured[0].octets[26:30], captured[0].octets[30:34]) == (A4, B4)


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("payload", [1, 20, 100, 1400])
def test_macsec_that_scapy_seals(encrypted: bool, payload: int) -> None:
    from scapy.contrib.macsec import MACsecSA
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether

    sak = bytes(range(16))
    sealer = MACsecSA(sci=A + b"\0\1", an=2, pn=7, key=sak, icvlen=16, encrypt=encrypted, send_sci=True)
    clear = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="10.0.0.2") / (b"y" * payload)
    sealed = sealer.encrypt(sealer.encap(clear))
    seen = observe(scapy_frames(sealed), (sak_key(A, an=2, sak=sak), sak_key(B, an=2, sak=sak)))
    kind = census.MACSEC_ENCRYPTED if encrypted else census.MACSEC_INTEGRITY_ONLY
    assert seen.class_frames[kind] == 1, seen.notes.of("malformed")
    assert seen.units["macsec"] == [1, 0, 0]
