"""The harness itself: the guest boots, runs commands, and its NIC passes frames unchanged, both ways."""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.interop.kernel.echo import EchoHost, Neighbour
from tests.interop.kernel.guest import Guest, GuestError, Nic

pytestmark = pytest.mark.interop

GUEST_MAC = bytes.fromhex("020000000001")
HOST = EchoHost(bytes.fromhex("020000000002"), IPv4Address("10.8.0.2"))
GUEST = Neighbour(GUEST_MAC, IPv4Address("10.8.0.1"))


def test_commands_give_output_and_status(kernel_guest: Path) -> None:
    with Guest(kernel_guest, nics=0) as guest:
        assert guest.shell("echo one; echo two >&2") == "one\ntwo\n"
        assert guest.start("echo three; exit 3").result() == (3, "three\n")
        with pytest.raises(GuestError, match="exit status 1"):
            guest.shell("false")


def test_frames_pass_both_ways_until_the_cable_is_pulled(kernel_guest: Path) -> None:
    with Guest(kernel_guest) as guest:
        nic = guest.nic[0]
        guest.shell(
            f"ip link set vec0 address {GUEST_MAC.hex(':')}; ip link set vec0 up; ip addr add 10.8.0.1/24 dev vec0"
        )
        assert reply(nic, HOST.request(GUEST, 7, b"payload")) == (7, b"payload")

        ping = guest.start("ping -c 1 -W 5 -q 10.8.0.2")
        while not ping.ended():
            answer = HOST.answer(nic.receive(0.05) or b"")
            if answer:
                nic.send(answer)
        assert ping.result()[0] == 0

        nic.connected = False
        assert reply(nic, HOST.request(GUEST, 8, b"lost")) is None
        nic.connected = True
        assert reply(nic, HOST.request(GUEST, 9, b"back")) == (9, b"back")


def reply(nic: Nic, request: bytes) -> tuple[int, bytes] | None:
    """The reply to an echo request within half a second; ARP is answered on the way."""
    nic.send(request)
    end = time.monotonic() + 0.5
    while (frame := nic.receive(end - time.monotonic())) is not None:
        replied = HOST.replied(frame)
        if replied is not None:
            return replied
        answer = HOST.answer(frame)
        if answer is not None:
            nic.send(answer)
    return None
