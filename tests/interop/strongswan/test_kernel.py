"""charon above a kernel's own ESP, in a guest: raw ESP and ESP in UDP, with the suites that a kernel does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished, IkeSaDeleted
from dataplane.ipsec.transforms import ESN
from tests.interop.gateway import Doors, Gateway
from tests.interop.kernel.guest import Guest, Nic
from tests.interop.pinger import Pinger
from tests.interop.strongswan.charon import CHILD, CONNECTION, Settings, text_of
from tests.interop.strongswan.rig import (
    AZURE,
    CHACHA,
    MODERN,
    OUR_ADDRESS,
    OUR_HOST,
    OURS,
    SECRET,
    THEIR_ADDRESS,
    THEIR_HOST,
    THEIR_NET,
    THEIRS,
    Policy,
    our_peer,
    their_connection,
)
from tests.interop.world import World

pytestmark = pytest.mark.interop

MODERN_ESN = replace(MODERN, name="gcm-ecp384-esn", their_esp="aes256gcm16-ecp384-esn", esn=ESN)
AZURE_ESN = replace(AZURE, name="azure-esn", their_esp="aes256-sha256-modp1024-esn", esn=ESN)
MODULES = "esp4 xfrm_user xfrm4_tunnel cbc gcm hmac sha256 chacha20poly1305 authenc authencesn seqiv echainiv"
PLUGINS = "random nonce openssl aes gmp sha1 sha2 hmac kdf gcm kernel-netlink socket-default vici"
PAYLOADS = (0, 1, 56, 1372)


class Strand:
    """One direction of a cable."""

    def __init__(self, source: socket.socket | Nic, target: socket.socket | Nic) -> None:
        self._source = source
        self._target = target

    def fileno(self) -> int:
        return self._source.fileno()

    def work(self) -> None:
        while (frame := self._receive()) is not None:
            self._target.send(frame)

    def _receive(self) -> bytes | None:
        if isinstance(self._source, Nic):
            return self._source.receive()
        try:
            return self._source.recv(65536)
        except BlockingIOError:
            return None


class KernelRig:
    """Our gateway in a world, whose wire ends in a guest's NIC; in the guest a charon above the kernel's ESP."""

    def __init__(self, guest: Guest, world: World) -> None:
        self.guest = guest
        world.join(OURS, THEIRS)
        world.shell(OURS, f"ip addr add {OUR_ADDRESS}/24 dev wire0")
        self._far_end = world.packets(THEIRS, "wire0")
        self.strands = (Strand(self._far_end, guest.nic[0]), Strand(guest.nic[0], self._far_end))
        self.doors = Doors.open(world, OURS, OUR_ADDRESS, OUR_HOST, [THEIR_NET])
        self.out = Pinger(world, OURS, OUR_HOST, THEIR_HOST)
        settings: Settings = {
            "load": PLUGINS,
            "make_before_break": "no",
            "filelog": {"lab": {"path": "/share/charon.log", "flush_line": "yes"}},
        }
        (guest.share / "strongswan.conf").write_text(text_of({"charon": settings}))
        guest.shell(
            f"for module in {MODULES}; do modprobe $module 2> /dev/null || true; done\n"
            "ip link set vec0 mtu 1500 up\n"
            f"ip addr add {THEIR_ADDRESS}/24 dev vec0; ip addr add {THEIR_HOST}/32 dev lo\n"
            "export STRONGSWAN_CONF=/share/strongswan.conf SWANCTL_DIR=/share\n"
            "/usr/lib/ipsec/charon > /share/charon.out 2>&1 &\n"
            "for i in $(seq 200); do [ -S /run/charon.vici ] && break; sleep 0.1; done; [ -S /run/charon.vici ]"
        )
        self.gateway: Gateway | None = None

    def prepare(self, policy: Policy, *, encapsulate: bool) -> Gateway:
        """Both ends as a policy has it; nothing is set up yet."""
        if self.gateway is not None:
            self.order(f"--terminate --ike {CONNECTION} --force --timeout 2", status=None)
        connection = {**their_connection(policy), "encap": "yes" if encapsulate else "no"}
        secrets = {"ike-lab": {"secret": f'"{SECRET}"'}}
        (self.guest.share / "swanctl.conf").write_text(
            text_of({"connections": {CONNECTION: connection}, "secrets": secrets})
        )
        self.gateway = Gateway(self.doors, our_peer(policy))
        self.gateway.beside = (*self.strands, self.out)
        self.order("--load-all --clear --noprompt")
        return self.gateway

    def order(self, arguments: str, *, status: int | None = 0) -> None:
        """Work until a command to charon is through."""
        self.shell(f"SWANCTL_DIR=/share swanctl {arguments}", status=status)

    def shell(self, text: str, *, status: int | None = 0) -> str:
        """Work until shell text in the guest is through; what it printed."""
        assert self.gateway is not None
        running = self.guest.start(text)
        assert self.gateway.serve(running.ended), self.story()
        ended, printed = running.result()
        assert status is None or ended == status, f"{printed}\n{self.story()}"
        return printed

    def settled(self, children: int) -> None:
        """Work until so many children have been made, and one is left with nothing under way."""
        gateway = self.gateway
        assert gateway is not None
        assert gateway.serve(lambda: len(gateway.told(ChildSaEstablished)) == children and gateway.is_settled), (
            self.story()
        )

    def pings_both_ways(self) -> None:
        """Every size, from us and to us."""
        assert self.gateway is not None
        pings = [self.out.begin(2, octets) for octets in PAYLOADS]
        assert self.gateway.serve(lambda: all(run.is_done for run in pings)), f"{list(map(str, pings))} {self.story()}"
        pings_back = (f"ping -q -c 2 -i 0.02 -w 20 -s {octets} -I {THEIR_HOST} {OUR_HOST}" for octets in PAYLOADS)
        self.shell(f"set -e; {'; '.join(pings_back)}")

    def story(self) -> str:
        """What happened, for a test that failed."""
        told = "" if self.gateway is None else "\n".join(map(str, self.gateway.events))
        log = self.guest.share / "charon.log"
        return f"{told}\n---- charon ----\n{log.read_text(errors='replace')[-6000:] if log.exists() else ''}"

    def close(self) -> None:
        """Let go of what the world lent."""
        for each in (self.doors, self.out, self._far_end):
            each.close()


@pytest.fixture(scope="module")
def kernel(kernel_guest: Path) -> Iterator[KernelRig]:
    with World(OURS, THEIRS) as world, Guest(kernel_guest) as guest:
        rig = KernelRig(guest, world)
        yield rig
        rig.close()


@pytest.mark.parametrize(("policy", "encapsulate"), [
    (AZURE, False), (MODERN, False), (CHACHA, False), (AZURE_ESN, False), (MODERN_ESN, False),
    (AZURE, True), (MODERN_ESN, True),
], ids=lambda value: value.name if isinstance(value, Policy) else "in-udp" if value else "raw")  # fmt: skip
def test_tunnel(kernel: KernelRig, policy: Policy, encapsulate: bool) -> None:
    gateway = kernel.prepare(policy, encapsulate=encapsulate)
    if encapsulate:
        kernel.order(f"--initiate --child {CHILD} --timeout 15")
    else:
        gateway.initiate()
    kernel.settled(1)
    established = gateway.told(ChildSaEstablished)[0]
    assert established.encapsulated is encapsulate
    assert established.suite.esn is (policy.esn is ESN)
    kernel.pings_both_ways()
    gateway.rekey_child()
    kernel.settled(2)
    kernel.pings_both_ways()
    kernel.order(f"--rekey --child {CHILD}")
    kernel.settled(3)
    gateway.rekey_ike()
    assert gateway.serve(lambda: bool(gateway.told(IkeSaDeleted))), kernel.story()
    kernel.settled(3)
    kernel.pings_both_ways()
    assert {event.cause for event in gateway.told(ChildSaDeleted)} == {Cause.REKEYED}
    assert not gateway.esp.counters.discarded
    refused = kernel.guest.shell("cat /proc/net/xfrm_stat")
    assert [line for line in refused.splitlines() if line.split()[-1] != "0"] == []
