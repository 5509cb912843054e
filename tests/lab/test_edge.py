"""Two nodes' drivers on a real wire: what the kernels at both ends see, and what is on the wire between them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from lab.host.channel import Message
from lab.host.packet import open_packet_socket
from lab.host.processes import fork
from lab.model.link import Interface
from tests.lab.isolated import isolated
from tests.lab.pair import ADDRESSES, Pair, pair_topology
from tests.unit.lab.ports.slow import internet_checksum

pytestmark = pytest.mark.lab

Options = dict[str, Any]


def world(options: Options, work: Callable[[Pair], object]) -> Any:
    """Do something with a pair of such a link whose drivers run."""

    def inside() -> object:
        pair = Pair(topology=pair_topology(**options))
        pair.wire()
        pair.drive()
        return work(pair)

    return isolated(inside)


def waiting(opened: socket.socket) -> list[bytes]:
    """The frames that a socket has received."""
    frames = []
    with contextlib.suppress(BlockingIOError):
        while True:
            frames.append(opened.recv(4096))
    return frames


def pinged(pair: Pair, node: str, target: str, octets: int) -> bool:
    command = ("ping", "-q", "-c", "2", "-i", "0.01", "-W", "2", "-M", "do", "-s", str(octets), target)
    return pair.run(node, *command).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        {"suite": "GCM-AES-128"},
        {"suite": "GCM-AES-256", "vids": (100,)},
        {"suite": "GCM-AES-XPN-128", "confidentiality": False},
        {"suite": "GCM-AES-XPN-256", "vids": (10, 100)},
        {"suite": None, "vids": (100,)},
        {"suite": None, "vids": (10, 100)},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_pings_of_every_size_pass_both_ways_and_the_wire_shows_what_it_should(options: Options) -> None:
    def work(pair: Pair) -> object:
        with pair.places["a"].visit(pair.home):
            wire = open_packet_socket("wire0", outgoing=True)
        failed = [
            (node, target, octets)
            for node, target in (("a", ADDRESSES["b"]), ("b", ADDRESSES["a"]), ("a", "fd09::2"))
            for octets in (0, 1, 20, 56, 1440, 1472 if "." in target else 1452)
            if not pinged(pair, node, target, octets)
        ]
        seen = {octets[12:14].hex() for octets in waiting(wire)}
        return [failed, sorted(seen), pair.status("a")["secy"] if options["suite"] else None]

    failed, ether_types, secy = world(options, work)
    assert failed == []
    if options["suite"] is None:
        # Of what comes in, the kernel shows the outer tag beside the frame: left is the inner one, or the type.
        assert set(ether_types) <= ({"8100"} if len(options["vids"]) == 2 else {"8100", "0800", "0806", "86dd"})
        return
    assert ether_types == ["88e5"]
    counters = secy["receive"][0]["counters"]
    assert counters["InPktsOK"] > 30
    assert all(counters[name] == 0 for name in ("InPktsLate", "InPktsNotValid", "InPktsNotUsingSA"))


def transfer(pair: Pair, family: int, target: str, octets: bytes) -> bytes:
    """Send octets from a to b by TCP; give the digest of what b has received."""
    with pair.places["b"].visit(pair.home):
        listening = socket.socket(family)
        listening.bind((target, 5001))
        listening.listen()
    with pair.places["a"].visit(pair.home):
        sending = socket.socket(family)
    pid = fork(lambda: _send(sending, target, octets), keep=[sending.fileno()])
    sending.close()
    accepted, _ = listening.accept()
    digest = hashlib.sha256()
    while received := accepted.recv(1 << 16):
        digest.update(received)
    assert os.waitpid(pid, 0)[1] == 0
    return digest.digest()


def _send(sending: socket.socket, target: str, octets: bytes) -> None:
    sending.connect((target, 5001))
    sending.sendall(octets)
    sending.close()


@pytest.mark.parametrize("mtu", [1500, 9000])
@pytest.mark.parametrize("vids", [(), (10, 100)])
def test_megabytes_of_tcp_arrive_as_they_were_over_super_frames(mtu: int, vids: tuple[int, ...]) -> None:
    octets = bytes(range(256)) * 65536

    def work(pair: Pair) -> object:
        digests = [
            transfer(pair, family, target, octets).hex()
            for family, target in ((socket.AF_INET, ADDRESSES["b"]), (socket.AF_INET6, "fd09::2"))
        ]
        return [digests, pair.status("a"), pair.status("b")]

    digests, a, b = world({"mtu": mtu, "vids": vids}, work)
    assert digests == [hashlib.sha256(octets).hexdigest()] * 2
    assert a["controlled"]["received"] > 2 * len(octets) // mtu
    for status in (a, b):
        for port in ("controlled", "common"):
            wrong = {name: status[port][name] for name in ("send_lost", "receive_errors", "wrong_tag")}
            assert set(wrong.values()) == {0}, (port, wrong)


def ping_in_the_clear(end: Interface, source: str) -> bytes:
    """An echo request, right in everything but that it is not protected."""
    icmp = bytes.fromhex("0800000012340001") + b"clear"
    icmp = icmp[:2] + internet_checksum(icmp) + icmp[4:]
    head = bytes.fromhex("4500") + (20 + len(icmp)).to_bytes(2, "big") + bytes.fromhex("000040004001")
    addresses = socket.inet_aton(source) + socket.inet_aton(str(end.addresses[0].ip))
    packet = head + internet_checksum(head + addresses) + addresses + icmp
    return bytes(end.mac.packed) + bytes.fromhex("020000000001 0800") + packet


def arp_in_the_clear(end: Interface, source: str) -> bytes:
    """A question for the address of this end."""
    question = bytes.fromhex("0001080006040001 020000000001") + socket.inet_aton(source) + bytes(6)
    target = socket.inet_aton(str(end.addresses[0].ip))
    return b"\xff" * 6 + bytes.fromhex("020000000001 0806") + question + target


def test_clear_frames_on_the_wire_reach_neither_the_secy_nor_the_kernel_and_are_counted() -> None:
    def work(pair: Pair) -> object:
        end = pair.topology.links[0].b
        attacks = [
            make(end, source)
            for source in ("10.9.0.1", "10.9.0.77", "192.0.2.1")
            for make in (ping_in_the_clear, arp_in_the_clear)
        ]
        eapol = bytes.fromhex("0180c2000003") + bytes(6) + b"\x88\x8e" + bytes(46)
        with pair.places["a"].visit(pair.home):
            attacker = open_packet_socket("wire0")
        before = snmp(pair, "b")
        for octets in (*attacks, eapol):
            attacker.send(octets)
        assert pinged(pair, "a", ADDRESSES["b"], 10)
        answers = {octets[12:14].hex() for octets in waiting(attacker)}
        return [len(attacks), pair.status("b"), snmp(pair, "b")["InEchos"] - before["InEchos"], sorted(answers)]

    attacks, status, echos, answers = world({}, work)
    assert status["secy"]["counters"]["InPktsNoTag"] == attacks
    assert status["eapol"] == 1
    assert echos == 2  # those that came protected
    assert answers == ["88e5"]


def snmp(pair: Pair, node: str) -> dict[str, int]:
    """The kernel's ICMP counters of a node."""
    names, values = [
        line.split()[1:]
        for line in pair.run(node, "cat", "/proc/net/snmp").stdout.splitlines()
        if line.startswith("Icmp:")
    ]
    return dict(zip(names, map(int, values), strict=True))


def test_the_channel_tells_keys_first_answers_and_ends_it() -> None:
    def work(pair: Pair) -> object:
        channel = pair.channels["a"]
        channel.send({"type": "command", "id": 7, "part": "a--b", "verb": "dance"})
        answer = pair.hear("a")
        channel.send({"type": "stop"})
        assert channel.wait(10)
        try:
            ended: Message | None = channel.receive()
        except EOFError:
            ended = {"type": "end"}
        pair.channels["b"].close()  # process 1 has gone
        return [pair.keys, answer, ended, [os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) for _ in "ab"]]

    keys, answer, ended, codes = world({"suite": "GCM-AES-XPN-128"}, work)
    assert [(key["type"], key["sci"], key["ssci"]) for key in keys] == [
        ("macsec-sak", "0200000000010001", "00000002"),
        ("macsec-sak", "0200000000020001", "00000001"),
    ]
    assert answer == {"type": "reply", "id": 7, "error": "the end of a--b knows no verb 'dance'"}
    assert ended == {"type": "end"}
    assert codes == [0, 0]


def test_a_driver_that_is_stopped_before_its_keys_are_on_file_sends_nothing() -> None:
    def inside() -> object:
        from lab.host.channel import Channel
        from lab.nodes import driver
        from tests.lab.pair import secrets_of

        pair = Pair(topology=pair_topology())
        pair.wire()
        ours, theirs = Channel.pair()

        def run() -> None:
            pair.places["a"].enter()
            driver.run(pair.topology.node("a"), pair.topology, secrets_of(pair.topology), theirs)

        pid = fork(run, keep=(theirs.fileno(), pair.places["a"].net, pair.places["a"].uts))
        theirs.close()
        assert ours.wait(10)
        first = ours.receive()
        assert first is not None
        ours.send({"type": "stop"})
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return [first["type"], code]

    assert isolated(inside) == ["key", 0]


@pytest.mark.parametrize(("secret", "text"), [(b"x" * 15, "GCM-AES-128 takes 16"), (None, "there is no secret")])
def test_a_secret_that_cannot_be_a_sak_ends_the_driver_with_bad_input(secret: bytes | None, text: str) -> None:
    def inside() -> object:
        from lab.errors import InputError
        from lab.host.channel import Channel
        from lab.nodes import driver
        from tests.lab.pair import secrets_of

        topology = pair_topology()
        secrets = {name: secret for name in secrets_of(topology) if secret is not None}
        with pytest.raises(InputError) as caught:
            driver.run(topology.node("a"), topology, secrets, Channel.pair()[0])
        return str(caught.value)

    assert text in isolated(inside)
