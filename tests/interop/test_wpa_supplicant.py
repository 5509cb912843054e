"""wpa_supplicant's KaY above the kernel's macsec driver, against our KaY and SecY: either may be the key server.

wpa_supplicant 2.10 makes SAKs of GCM-AES-128 alone and names them by leaving the name out, so that is what we do here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from dataplane.crypto.secret import Secret
from dataplane.macsec.suites import GCM_AES_128
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.events import CreateTransmitSa, SetControlledPort
from dataplane.mka.keys import Cak
from tests.interop.kernel.echo import EchoHost, Neighbour
from tests.interop.kernel.guest import Guest
from tests.interop.kernel.keyed import KeyedHost
from tests.interop.kernel.switch import Switch

pytestmark = pytest.mark.interop

US = EchoHost(bytes.fromhex("020000000002"), IPv4Address("10.8.0.2"))
FIRST = Neighbour(bytes.fromhex("020000000001"), IPv4Address("10.8.0.1"))
SECOND = Neighbour(bytes.fromhex("020000000003"), IPv4Address("10.8.0.3"))
PAYLOADS = (0, 1, 20, 56, 1440)
BEST, MIDDLE, WORST = 10, 20, 30  # key server priorities
CKN = b"a connectivity association"
PATIENCE = 60.0  # seconds for what takes a few on an idle machine


def cak(octets: int) -> bytes:
    return bytes(range(7, 7 + octets))


def boot(folder: Path, neighbour: Neighbour) -> Guest:
    """A guest with its wire up and nothing spoken on it."""
    guest = Guest(folder)
    guest.shell(
        "set -e; modprobe macsec; modprobe gcm; modprobe ipv6\n"
        "for which in all default; do echo 1 > /proc/sys/net/ipv6/conf/$which/disable_ipv6; done\n"
        f"ip link set vec0 address {neighbour.mac.hex(':')}; ip link set vec0 up"
    )
    return guest


def supplicant(guest: Guest, octets: int, priority: int, *, integrity_only: bool = False) -> None:
    """Start wpa_supplicant in a guest."""
    (guest.share / "wpa.conf").write_text(
        "eapol_version=3\nap_scan=0\nnetwork={\n key_mgmt=NONE\n eapol_flags=0\n macsec_policy=1\n"
        f" macsec_integ_only={int(integrity_only)}\n mka_cak={cak(octets).hex()}\n mka_ckn={CKN.hex()}\n"
        f" mka_priority={priority}\n}}\n"
    )
    guest.shell("wpa_supplicant -B -i vec0 -D macsec_linux -c /share/wpa.conf")


def addressed(guest: Guest, neighbour: Neighbour, us: KeyedHost) -> None:
    """Give the guest's controlled port its address, once wpa_supplicant has made the device."""
    making = guest.start(
        "for i in $(seq 100); do ip link show macsec0 > /dev/null 2>&1 && break; sleep 0.1; done\n"
        f"ip link set macsec0 up; ip addr add {neighbour.address}/24 dev macsec0"
    )
    assert us.serve(until=making.ended, timeout=PATIENCE)
    assert making.result() == (0, "")


def pings_both_ways(us: KeyedHost, guest: Guest, neighbour: Neighbour, *, payloads: tuple[int, ...] = PAYLOADS) -> None:
    """Every size, from us and to us."""
    for octets in payloads:
        assert us.ping(neighbour, octets, timeout=PATIENCE), f"no reply to {octets} octets"
        pinging = guest.start(f"ping -c 1 -W 30 -q -s {octets} {US.address}")
        assert us.serve(until=pinging.ended, timeout=PATIENCE)
        status, output = pinging.result()
        assert status == 0, output


def works_again(us: KeyedHost, neighbour: Neighbour) -> bool:
    """Whether a ping gets through at last: the guest's device may need a moment more than its KaY."""
    before = len(us.replies)
    # A reply counts however late it is: on a machine with much to do, every one may be later than the next request.
    return us.serve(
        until=lambda: us.ping(neighbour, 56, timeout=0.3) or len(us.replies) > before,
        timeout=PATIENCE,
    )


def pings_across(us: KeyedHost, guest: Guest, neighbour: Neighbour) -> tuple[int, str]:
    """One guest pings another while we do our part; the exit status and what it printed."""
    across = guest.start(f"ping -c 3 -i 0.2 -W 5 -q {neighbour.address}")
    assert us.serve(until=across.ended, timeout=PATIENCE)
    return across.result()


@pytest.fixture
def guest(kernel_guest: Path) -> Iterator[Guest]:
    with boot(kernel_guest, FIRST) as running:
        yield running


@pytest.mark.parametrize("octets", [16, 32], ids=["cak128", "cak256"])
@pytest.mark.parametrize("priority", [BEST, WORST], ids=["we-are-key-server", "it-is-key-server"])
def test_a_pair_and_the_cable_pulled(guest: Guest, octets: int, priority: int) -> None:
    us = KeyedHost(guest.nic[0], US, priority=priority)
    us.join(Cak(cak=Secret(cak(octets)), ckn=CKN))
    supplicant(guest, octets, MIDDLE)
    assert us.serve(until=lambda: us.secured_with(1), timeout=PATIENCE)
    addressed(guest, FIRST, us)
    assert works_again(us, FIRST)
    pings_both_ways(us, guest, FIRST)

    if priority == BEST:  # a rekey: the kernel follows from AN to AN, and pings go on through it
        us.rekey()
        assert all(us.ping(FIRST, 56, timeout=PATIENCE) for _ in range(50))
        assert us.serve(until=lambda: us.used_ans() == [0, 1], timeout=PATIENCE)
        assert us.discarded == []

    guest.nic[0].connected = False
    assert us.serve(until=lambda: not us.open, timeout=PATIENCE)
    guest.nic[0].connected = True
    assert us.serve(until=lambda: us.secured_with(1), timeout=PATIENCE)
    assert works_again(us, FIRST)
    pings_both_ways(us, guest, FIRST, payloads=(56,))

    assert us.clear == []
    assert us.refused == []
    opened = [event.enabled for event in us.events if isinstance(event, SetControlledPort)]
    assert opened == [True, False, True]
    keys = [event.sak.key.reveal() for event in us.events if isinstance(event, CreateTransmitSa)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("priority", [BEST, WORST], ids=["we-are-key-server", "it-is-key-server"])
def test_integrity_only(guest: Guest, priority: int) -> None:
    policy = SakPolicy(suite=GCM_AES_128, confidentiality=False)
    us = KeyedHost(guest.nic[0], US, priority=priority, policy=policy)
    us.join(Cak(cak=Secret(cak(16)), ckn=CKN))
    supplicant(guest, 16, MIDDLE, integrity_only=True)
    assert us.serve(until=lambda: us.secured_with(1), timeout=PATIENCE)
    addressed(guest, FIRST, us)
    assert works_again(us, FIRST)
    pings_both_ways(us, guest, FIRST)
    assert not us.last_wire_frame[14] & 0x0C


@pytest.mark.parametrize("priority", [BEST, WORST], ids=["we-are-key-server", "it-is-key-server"])
def test_three_members_with_a_late_joiner(kernel_guest: Path, priority: int) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(boot(kernel_guest, FIRST))
        second = stack.enter_context(boot(kernel_guest, SECOND))
        us = KeyedHost(Switch([first.nic[0], second.nic[0]]), US, priority=priority)
        us.join(Cak(cak=Secret(cak(16)), ckn=CKN))
        supplicant(first, 16, MIDDLE)
        assert us.serve(until=lambda: us.secured_with(1), timeout=PATIENCE)
        addressed(first, FIRST, us)
        assert works_again(us, FIRST)
        pings_both_ways(us, first, FIRST, payloads=(56,))

        if priority == WORST:  # it would make no other SAK within a life time, and forget that one was due
            us.serve(until=lambda: False, timeout=6.5)
        supplicant(second, 16, MIDDLE)
        assert us.serve(until=lambda: us.secured_with(2), timeout=PATIENCE)
        addressed(second, SECOND, us)
        assert works_again(us, SECOND)
        assert works_again(us, FIRST)
        # A wpa_supplicant that hears a member use a SAK before it knows it as live becomes somebody new, and one that
        # is given a SAK makes no receive SA for members that it does not know yet. Both take it some hello times.
        end = time.monotonic() + PATIENCE
        while pings_across(us, first, SECOND)[0]:
            assert time.monotonic() < end, "the guests do not get to know each other"
        pings_both_ways(us, second, SECOND, payloads=(56, 1440))
        pings_both_ways(us, first, FIRST, payloads=(56, 1440))
        status, output = pings_across(us, second, FIRST)
        assert status == 0, output
        assert us.clear == []
        assert us.refused == []
