"""The harness itself: the guest boots, runs commands, and its NIC passes frames unchanged, both ways."""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.interop.kernel.echo import EchoHost
from tests.interop.kernel.guest import Guest, GuestError, Nic

pytestmark = pytest.mark.interop

GUEST_MAC = bytes.fromhex("020000000001")
HOST = EchoHost(
    mac=bytes.fromhex("020000000002"),
    address=IPv4Address("10.8.0.2"),
    peer_mac=GUEST_MAC,
    peer_address=IPv4Address("10.8.0.1"),
)


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
            f"ip link set vec0 address {GUEST_MAC.hex(':')}; ip link set vec0 up; ip addr add 10.8.0.1/24 dev vec0\n"
            f"ip neigh replace 10.8.0.2 lladdr {HOST.mac.hex(':')} dev vec0"
        )
        nic.send(HOST.request(7, b"payload"))
        assert reply(nic_frames(nic)) == (7, b"payload")

        ping = guest.start("ping -c 1 -W 5 -q 10.8.0.2")
        while not ping.ended():
            answer = HOST.answer(nic.receive(0.05) or b"")
            if answer:
                nic.send(answer)
        assert ping.result()[0] == 0

        nic.connected = False
        nic.send(HOST.request(8, b"lost"))
        nic.connected = True
        assert reply(nic_frames(nic)) is None


def nic_frames(nic: Nic) -> list[bytes]:
    """What arrives within half a second."""
    end = time.monotonic() + 0.5
    frames = []
    while (frame := nic.receive(end - time.monotonic())) is not None:
        frames.append(frame)
    return frames


def reply(frames: list[bytes]) -> tuple[int, bytes] | None:
    return next((answer for frame in frames if (answer := HOST.replied(frame))), None)
