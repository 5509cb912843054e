"""The kernel's macsec driver, keys set by hand, against our SecY: pings both ways, each suite, with and without SCI."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from dataplane.crypto.secret import Secret
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding
from dataplane.macsec.counters import Accepted
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import CIPHER_SUITES, CipherSuite
from tests.interop.kernel.echo import EchoHost, Neighbour
from tests.interop.kernel.guest import Guest
from tests.interop.kernel.link import SecuredHost

pytestmark = pytest.mark.interop

KERNEL_MAC = bytes.fromhex("020000000001")
OUR_MAC = bytes.fromhex("020000000002")
KERNEL_SCI = KERNEL_MAC + b"\x00\x01"
OUR_SCI = OUR_MAC + b"\x00\x01"
KERNEL_ADDRESS = IPv4Address("10.8.0.1")
OUR_ADDRESS = IPv4Address("10.8.0.2")
KERNEL = Neighbour(KERNEL_MAC, KERNEL_ADDRESS)
SALT = bytes.fromhex("e630e81a48de86a21c66fa6d")
KERNEL_SSCI, OUR_SSCI = bytes.fromhex("7a30c118"), bytes.fromhex("00000002")
PAYLOADS = (0, 1, 20, 56, 1440)

FLAGS = {  # our encoding -> what the kernel is told
    SciEncoding.EXPLICIT: "send_sci on",
    SciEncoding.END_STATION: "send_sci off end_station on",
    SciEncoding.IMPLIED: "send_sci off",
}


@pytest.fixture(scope="module")
def guest(kernel_guest: Path) -> Iterator[Guest]:
    with Guest(kernel_guest) as running:
        running.shell(
            "set -e; modprobe macsec; modprobe gcm; modprobe ipv6\n"
            "for which in all default; do echo 1 > /proc/sys/net/ipv6/conf/$which/disable_ipv6; done\n"
            f"ip link set vec0 address {KERNEL_MAC.hex(':')} mtu 1500; ip link set vec0 up"
        )
        yield running


def key(suite: CipherSuite, first: int) -> bytes:
    return bytes((first + i) % 256 for i in range(suite.key_octets))


def kernel_side(guest: Guest, suite: CipherSuite, encoding: SciEncoding, *, encrypt: bool) -> None:
    """A macsec device in the guest, with one SA in each direction."""
    pn = "xpn 1 salt {salt} ssci {ssci}" if suite.xpn else "pn 1"
    transmit = pn.format(salt=SALT.hex(), ssci=KERNEL_SSCI.hex())
    receive = pn.format(salt=SALT.hex(), ssci=OUR_SSCI.hex())
    guest.shell(
        f"""set -e
        ip link del macsec0 2> /dev/null || true
        ip link add link vec0 macsec0 type macsec port 1 cipher {suite.name.lower()} \
            encrypt {"on" if encrypt else "off"} replay on window 0 validate strict {FLAGS[encoding]}
        ip macsec add macsec0 tx sa 0 {transmit} on key 01 {key(suite, 0x10).hex()}
        ip macsec add macsec0 rx port 1 address {OUR_MAC.hex(":")}
        ip macsec add macsec0 rx port 1 address {OUR_MAC.hex(":")} sa 0 {receive} on key 02 {key(suite, 0xA0).hex()}
        ip link set macsec0 up
        ip addr add {KERNEL_ADDRESS}/24 dev macsec0"""
    )


def our_side(guest: Guest, suite: CipherSuite, encoding: SciEncoding, *, encrypt: bool) -> SecuredHost:
    """Our SecY at the other end of the guest's cable, before a host that pings and is pinged."""
    while guest.nic[0].receive() is not None:
        pass  # what the device before this one sent, with the same keys
    secy = SecY(OUR_SCI, cipher_suite=suite, generation=Generation(sci_encoding=encoding))
    salt = SALT if suite.xpn else b""
    own = Sak(suite=suite, key=Secret(key(suite, 0xA0)), salt=salt, confidentiality=encrypt)
    secy.transmit.create_sa(0, own, ssci=OUR_SSCI if suite.xpn else None)
    secy.transmit.enable_sa(0)
    channel = secy.create_receive_channel(KERNEL_SCI)
    theirs = Sak(suite=suite, key=Secret(key(suite, 0x10)), salt=salt, confidentiality=encrypt)
    channel.create_sa(0, theirs, ssci=KERNEL_SSCI if suite.xpn else None)
    channel.enable_sa(0)
    return SecuredHost(guest.nic[0], secy, EchoHost(OUR_MAC, OUR_ADDRESS))


@pytest.mark.parametrize("encrypt", [True, False], ids=["confidentiality", "integrity-only"])
@pytest.mark.parametrize("encoding", FLAGS, ids=lambda encoding: str(encoding.value))
@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_pings_both_ways(guest: Guest, suite: CipherSuite, encoding: SciEncoding, *, encrypt: bool) -> None:
    kernel_side(guest, suite, encoding, encrypt=encrypt)
    us = our_side(guest, suite, encoding, encrypt=encrypt)

    for octets in PAYLOADS:
        assert us.ping(KERNEL, octets), f"no reply to {octets} octets"
        pinging = guest.start(f"ping -c 1 -W 5 -q -s {octets} {OUR_ADDRESS}")
        us.serve(until=pinging.ended)
        status, output = pinging.result()
        assert status == 0, output

    assert us.clear == []
    assert us.discarded == []
    counters = guest.shell("ip -s macsec show macsec0")
    assert "InPktsOK" in counters


def test_each_refuses_what_the_other_did_not_seal(guest: Guest) -> None:
    """One bit wrong in the key: nothing passes, both count."""
    suite = CIPHER_SUITES[0]
    kernel_side(guest, suite, SciEncoding.EXPLICIT, encrypt=True)
    us = our_side(guest, suite, SciEncoding.EXPLICIT, encrypt=True)
    us.secy.transmit.delete_sa(0)
    us.secy.transmit.create_sa(0, Sak(suite=suite, key=Secret(key(suite, 0xA1))))
    us.secy.transmit.enable_sa(0)
    assert not us.ping(KERNEL, 56, timeout=0.5)
    frame = us.last_wire_frame
    pinging = guest.start(f"ping -c 1 -W 1 -q {OUR_ADDRESS}")
    us.serve(until=pinging.ended)
    assert pinging.result()[0] == 1
    assert us.answered > 0  # we understood the kernel; it refused our answer
    assert frame[12:14] == b"\x88\xe5"
    assert isinstance(us.secy.protect_frame(bytes(60)), Accepted)
