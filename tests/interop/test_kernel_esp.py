"""The kernel's ESP, keys set by hand, against our engine: pings both ways through a tunnel, each suite both have."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from dataplane.esp.engine import EspEngine
from dataplane.esp.outcomes import Accepted, Protected
from dataplane.esp.sa import InboundSa, OutboundSa, SaParameters
from dataplane.esp.tunnel import Tunnel
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import encr, integ
from dataplane.wire.ipv4 import IPv4Header
from tests.interop.kernel.echo import EchoHost, Neighbour
from tests.interop.kernel.guest import Guest, Nic
from tests.unit.dataplane.esp.peers import keys_of, protect_all

pytestmark = pytest.mark.interop

KERNEL_MAC, OUR_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
KERNEL_OUTER, OUR_OUTER = IPv4Address("10.8.0.1"), IPv4Address("10.8.0.2")
KERNEL_INNER, OUR_INNER = IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2")
KERNEL_SPI, OUR_SPI = 0xC0000001, 0xC0000002  # each names the SA that sends from there
PAYLOADS = (0, 1, 20, 56, 1372)

CBC, GCM = "ENCR_AES_CBC", "ENCR_AES_GCM_16"
SHA256 = integ("AUTH_HMAC_SHA2_256_128")
# Our suite, and what the kernel is told of it: its cipher, and its HMAC with the ICV's bits.
SUITES = [
    (EspSuite(encryption=encr(CBC, 256), integrity=SHA256), "enc cbc(aes)", ("hmac(sha256)", 128)),
    (EspSuite(encryption=encr(CBC, 128), integrity=integ("AUTH_HMAC_SHA1_96")), "enc cbc(aes)", ("hmac(sha1)", 96)),
    (EspSuite(encryption=encr(CBC, 256), integrity=integ("AUTH_HMAC_SHA2_512_256")), "enc cbc(aes)",
     ("hmac(sha512)", 256)),
    (EspSuite(encryption=encr(CBC, 256), integrity=SHA256, esn=True), "enc cbc(aes)", ("hmac(sha256)", 128)),
    (EspSuite(encryption=encr("ENCR_NULL"), integrity=SHA256), "enc cipher_null", ("hmac(sha256)", 128)),
    (EspSuite(encryption=encr(GCM, 256)), "aead rfc4106(gcm(aes))", None),
    (EspSuite(encryption=encr(GCM, 128), esn=True), "aead rfc4106(gcm(aes))", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def guest(kernel_guest: Path) -> Iterator[Guest]:
    with Guest(kernel_guest) as running:
        running.shell(
            "set -e; for module in esp4 cbc gcm hmac sha256 sha512 crypto_null authenc authencesn seqiv echainiv; do "
            "modprobe $module 2> /dev/null || true; done\n"
            f"ip link set vec0 address {KERNEL_MAC.hex(':')} mtu 1500; ip link set vec0 up; ip link set lo up\n"
            f"ip addr add {KERNEL_OUTER}/24 dev vec0; ip addr add {KERNEL_INNER}/32 dev lo\n"
            f"ip route add {OUR_INNER}/32 via {OUR_OUTER} src {KERNEL_INNER}"
        )
        yield running


def kernel_side(guest: Guest, suite: EspSuite, cipher: str, hmac: tuple[str, int] | None, *, before: int = 0) -> None:
    """A tunnel in the guest, one SA in each direction, which both have come as far as the sequence number `before`."""
    commands = ["set -e", "ip xfrm state flush", "ip xfrm policy flush"]
    for spi, source, destination, first in (
        (KERNEL_SPI, KERNEL_OUTER, OUR_OUTER, 1),
        (OUR_SPI, OUR_OUTER, KERNEL_OUTER, 101),
    ):
        keys = keys_of(suite, first)
        kind, name = cipher.split()
        key = "0x" + keys.encryption.reveal().hex() if len(keys.encryption) else '""'
        algorithms = f"{kind} '{name}' {key}" + (" 128" if kind == "aead" else "")
        if hmac is not None:
            algorithms += f" auth-trunc '{hmac[0]}' 0x{keys.integrity.reveal().hex()} {hmac[1]}"
        commands.append(
            f"ip xfrm state add src {source} dst {destination} proto esp spi {spi:#x} mode tunnel "
            f"{'flag esn ' if suite.esn else ''}replay-window 32 "
            f"replay-seq {before} replay-oseq {before} {algorithms}"
        )
    for direction, inner, outer in (
        ("out", (KERNEL_INNER, OUR_INNER), (KERNEL_OUTER, OUR_OUTER)),
        ("in", (OUR_INNER, KERNEL_INNER), (OUR_OUTER, KERNEL_OUTER)),
    ):
        commands.append(
            f"ip xfrm policy add src {inner[0]}/32 dst {inner[1]}/32 dir {direction} "
            f"tmpl src {outer[0]} dst {outer[1]} proto esp mode tunnel"
        )
    guest.shell("\n".join(commands))


class Gateway:
    """Our end of the cable: an engine, and behind it a host that pings and answers pings."""

    def __init__(self, nic: Nic, suite: EspSuite, *, before: int = 0) -> None:
        self.nic = nic
        self.engine = EspEngine([protect_all("kernel")])
        self.outer = EchoHost(OUR_MAC, OUR_OUTER)
        self.inner = EchoHost(OUR_MAC, OUR_INNER)
        self.replies: list[tuple[int, bytes]] = []
        self.answered = 0
        while nic.receive() is not None:
            pass  # what the suite before this one left
        tunnel = Tunnel("kernel")
        local, remote = (TrafficSelector.single(OUR_INNER),), (TrafficSelector.single(KERNEL_INNER),)
        for spi, first in ((OUR_SPI, 101), (KERNEL_SPI, 1)):
            of = SaParameters(
                spi=spi, tunnel=tunnel, suite=suite, keys=keys_of(suite, first), local=local, remote=remote
            )
            if spi == OUR_SPI:
                self.engine.sad.add_outbound(OutboundSa(of, 0.0, os.urandom, next_sequence=before + 1))
            else:
                self.engine.sad.add_inbound(InboundSa(of, 0.0, next_sequence=before + 1))

    def send(self, frame: bytes) -> None:
        """Seal the packet of a frame, and send it."""
        sent = self.engine.encapsulate_packet(frame[14:], 1.0)
        assert isinstance(sent, Protected)
        header = IPv4Header(source=OUR_OUTER, destination=KERNEL_OUTER, protocol=50, total_length=20 + len(sent.octets))
        self.nic.send(KERNEL_MAC + OUR_MAC + b"\x08\x00" + header.emit() + sent.octets)

    def take(self, frame: bytes) -> None:
        """Do what a frame from the wire asks for."""
        if frame[12:14] == b"\x08\x06":
            answer = self.outer.answer(frame)
            if answer is not None:
                self.nic.send(answer)
        elif frame[12:14] == b"\x08\x00" and frame[23] == 50:
            header = IPv4Header.parse(frame[14:])
            received = self.engine.decapsulate_packet(frame[34 : 14 + header.total_length], 1.0)
            assert isinstance(received, Accepted)
            inner = OUR_MAC + KERNEL_MAC + b"\x08\x00" + received.octets
            reply = self.inner.replied(inner)
            if reply is not None:
                self.replies.append(reply)
            answer = self.inner.answer(inner)
            if answer is not None:
                self.answered += 1
                self.send(answer)

    def serve(self, seconds: float) -> None:
        """Take what comes within so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            frame = self.nic.receive(0.02)
            if frame is not None:
                self.take(frame)

    def ping(self, sequence: int, octets: int) -> bool:
        """Send an echo request with so many octets of payload; say whether its reply comes."""
        payload = bytes((sequence + i) % 256 for i in range(octets))
        self.send(self.inner.request(Neighbour(KERNEL_MAC, KERNEL_INNER), sequence, payload))
        end = time.monotonic() + 5
        while (sequence, payload) not in self.replies and time.monotonic() < end:
            self.serve(0.02)
        return (sequence, payload) in self.replies


@pytest.mark.parametrize(("suite", "cipher", "hmac"), SUITES, ids=[str(row[0]) for row in SUITES])
def test_pings_both_ways(guest: Guest, suite: EspSuite, cipher: str, hmac: tuple[str, int] | None) -> None:
    kernel_side(guest, suite, cipher, hmac)
    gateway = Gateway(guest.nic[0], suite)
    for sequence, octets in enumerate(PAYLOADS, 1):
        assert gateway.ping(sequence, octets), f"no reply to {octets} octets"
    for octets in PAYLOADS:
        ping = guest.start(f"ping -c 2 -i 0.05 -W 5 -s {octets} -q -I {KERNEL_INNER} {OUR_INNER}")
        while not ping.ended():
            gateway.serve(0.02)
        status, said = ping.result()
        assert status == 0, said
    assert gateway.answered == 2 * len(PAYLOADS)
    assert not gateway.engine.counters.discarded
    refused = guest.shell("cat /proc/net/xfrm_stat")
    assert [line for line in refused.splitlines() if line.split()[-1] != "0"] == []


@pytest.mark.parametrize(("suite", "cipher", "hmac"), [row for row in SUITES if row[0].esn], ids=str)
def test_extended_sequence_numbers_cross_the_half(
    guest: Guest, suite: EspSuite, cipher: str, hmac: tuple[str, int] | None
) -> None:
    """The upper 32 bits become 1 on both sides, in the middle of pings."""
    before = 2**32 - 6
    kernel_side(guest, suite, cipher, hmac, before=before)
    gateway = Gateway(guest.nic[0], suite, before=before)
    for sequence in range(1, 13):
        assert gateway.ping(sequence, 56), f"no reply to ping {sequence}"
    (sending,) = gateway.engine.sad.outbound("kernel")
    assert sending.next_sequence == before + 13 > 2**32
    assert not gateway.engine.counters.discarded
