"""Filters: the grammar, what each condition asks, and errors that point at their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.capture.frame import BSD_LOOPBACK, LINUX_SLL, LINUX_SLL2, RAW_IP, Frame
from lab.capture.source import open_capture
from lab.coverage.filter import Filter
from lab.errors import InputError
from tests.captures.cases import write_pcap
from tests.unit.lab.coverage.packets import (
    A4,
    B4,
    A,
    B,
    esp_gcm,
    ethernet,
    frames,
    ipv4,
    ipv6,
    macsec,
    pieces,
    pieces6,
    ping,
    udp,
)

C4 = bytes([192, 168, 1, 9])
TCP = bytes.fromhex("1f90 0050 00000001 00000000 5002 ffff 0000 0000")
DOUBLE = b"\x88\xa8\x00\x64\x81\x00\x20\xc8"  # 802.1ad 100, 802.1Q 200
FRAMES = {
    "ping": ethernet(ping()),
    "pong": ethernet(ping(source=B4, target=A4), source=B, target=A),
    "natt": ethernet(ipv4(17, udp(4500, 4500, esp_gcm(ping())))),
    "ike": ethernet(ipv4(17, udp(500, 40500, bytes(40)), source=C4)),
    "tcp": ethernet(ipv4(6, TCP, source=A4, target=C4)),
    "esp": ethernet(ipv4(50, esp_gcm(ping()))),
    "macsec": macsec(ethernet(ping())),
    "tagged": ethernet(ping(source=C4), tags=DOUBLE),
    "tagged macsec": macsec(ethernet(ping()), tags=b"\x81\x00\x00\x07"),
    "arp": ethernet(bytes(28), 0x0806),
    "echo6": ethernet(ipv6(58, bytes([128]) + bytes(7)), 0x86DD),
    "udp6": ethernet(ipv6(17, udp(53, 9999, bytes(4))), 0x86DD),
    "options6": ethernet(ipv6(60, b"\x11\0" + bytes(6) + udp(53, 9998, bytes(4))), 0x86DD),
    "options": ethernet(ipv4(17, udp(7, 8, bytes(4)), options=b"\1\1\1\1")),
    "eapol": ethernet(b"\x03\x05\x00\x00", 0x888E),
    "short": B + A + b"\x08",
}


def passed(tmp_path: Path, words: str, octets: Sequence[bytes], link_type: int = 1) -> list[int]:
    """The numbers of the frames that pass, read from a file."""
    path = write_pcap(tmp_path / "a.pcap", frames(octets, link_type=link_type), link_type=link_type)
    choice = Filter(words)
    with open_capture(path) as capture:
        return [burst.first_number + row for burst in capture.bursts() for row in choice.rows(burst).tolist()]


def named(tmp_path: Path, words: str) -> set[str]:
    names = list(FRAMES)
    return {names[number - 1] for number in passed(tmp_path, words, list(FRAMES.values()))}


OVER4 = {"ping", "pong", "natt", "ike", "tcp", "esp", "tagged", "options"}
OVER6 = {"echo6", "udp6", "options6"}


@pytest.mark.parametrize(("words", "names"), [
    ("host 10.0.0.1", OVER4 - {"ike", "tagged"}),
    ("src host 10.0.0.1", OVER4 - {"pong", "ike", "tagged"}),
    ("dst host 10.0.0.1", {"pong"}),
    ("net 192.168.0.0/16", {"ike", "tcp", "tagged"}),
    ("src net 192.168.1.8/29", {"ike", "tagged"}),
    ("net 0.0.0.0/0", OVER4),
    ("host fd00::1", OVER6),
    ("dst net fd00::/64", OVER6),
    ("net ::/0", OVER6),
    ("port 4500", {"natt"}),
    ("udp port 500", {"ike"}),
    ("udp src port 53", {"udp6", "options6"}),
    ("dst port 9990-9999", {"udp6", "options6"}),
    ("tcp port 80", {"tcp"}),
    ("udp port 80", set()),
    ("port 0-65535", {"natt", "ike", "tcp", "udp6", "options6", "options"}),
    ("ether host 02:00:00:00:00:02", set(FRAMES) - {"short"}),
    ("ether src host 02-00-00-00-00-02", {"pong"}),
    ("ether proto 0x88e5", {"macsec", "tagged macsec"}),
    ("macsec", {"macsec", "tagged macsec"}),
    ("vlan", {"tagged", "tagged macsec"}),
    ("vlan 100", {"tagged"}),
    ("vlan 200 and vlan 100", {"tagged"}),
    ("vlan 7 and macsec", {"tagged macsec"}),
    ("ip", OVER4),
    ("ip6", OVER6),
    ("arp or eapol", {"arp", "eapol"}),
    ("esp", {"esp"}),
    ("proto 50", {"esp"}),
    ("icmp", {"ping", "pong", "tagged"}),
    ("icmp6", {"echo6"}),
    ("not ip and not ip6", {"macsec", "tagged macsec", "arp", "eapol", "short"}),
    ("!(ip||ip6)&&!macsec", {"arp", "eapol", "short"}),
    ("host 10.0.0.1 and udp port 4500", {"natt"}),
    ("icmp or udp and port 4500", {"ping", "pong", "tagged", "natt"}),
    ("(icmp or udp) and port 4500", {"natt"}),
    ("HOST 10.0.0.1 AND NOT Icmp", {"natt", "tcp", "esp", "options"}),
])  # fmt: skip
def test_conditions(tmp_path: Path, words: str, names: set[str]) -> None:
    assert named(tmp_path, words) == names


def test_later_fragments_have_the_ports_of_the_first(tmp_path: Path) -> None:
    datagram = udp(4500, 4500, bytes(3000))
    split = [ethernet(piece) for piece in pieces(17, datagram, 1000)]
    other = [ethernet(piece) for piece in pieces(17, udp(7, 7, bytes(2000)), 1000, ident=8)]
    split6 = [ethernet(piece, 0x86DD) for piece in pieces6(17, datagram, 1000)]
    assert passed(tmp_path, "udp port 4500", [*split, *other, *split6]) == [1, 2, 3, 4, 8, 9, 10, 11]
    assert passed(tmp_path, "port 4500", split[1:]) == [], "without the first, nobody knows"


@pytest.mark.parametrize(("link_type", "head"), [
    (RAW_IP, b""), (LINUX_SLL, bytes(14) + b"\x08\0"), (LINUX_SLL2, b"\x08\0" + bytes(18)),
    (BSD_LOOPBACK, b"\2\0\0\0"),
])  # fmt: skip
def test_other_link_types(tmp_path: Path, link_type: int, head: bytes) -> None:
    packets = [head + ping(), head + ping(source=C4), head + ipv4(17, udp(4500, 4500, bytes(20)))]
    assert passed(tmp_path, "src host 10.0.0.1", packets, link_type) == [1, 3]
    assert passed(tmp_path, "udp port 4500", packets, link_type) == [3]
    assert passed(tmp_path, "ether host 02:00:00:00:00:01", packets, link_type) == []


@pytest.mark.parametrize(("words", "column", "told"), [
    ("", 1, "the filter ends where a condition, such as `host 10.0.0.1` should follow"),
    ("host", 5, "the filter ends where an IP address should follow"),
    ("host 10.0.0", 6, "`10.0.0` is no IP address"),
    ("net 10.0.0.1/8", 5, "`10.0.0.1/8` is no network such as 10.0.0.0/8; its network is 10.0.0.0/8"),
    ("net 10.0.0.0", 5, "`10.0.0.0` is no network such as 10.0.0.0/8"),
    ("port http", 6, "`http` is no port: a number from 0 to 65535"),
    ("port 9-5", 6, "`9-5` is no port"),
    ("port 70000", 6, "`70000` is no port"),
    ("udp prt 4500", 5, "`prt` is one word too many"),
    ("hots 10.0.0.1", 1, "`hots` is no condition; did you mean `host`?"),
    ("icmp and", 9, "the filter ends where a condition"),
    ("icmp and and udp", 10, "`and` is no condition"),
    ("(icmp or udp", 13, "the filter ends where a `)` should follow"),
    ("(icmp udp)", 7, "`udp` stands where a `)` should"),
    ("icmp)", 5, "`)` is one word too many"),
    ("icmp & udp", 6, "`&` is no sign of a filter; write && or ||"),
    ("ether 5", 7, "`5` stands where `host` should"),
    ("ether host 10.0.0.1", 12, "`10.0.0.1` is no MAC address such as 02:00:00:00:00:01"),
    ("ether proto 70000", 13, "`70000` is not an EtherType: a number from 0 to 65535"),
    ("src 10.0.0.1", 5, "`10.0.0.1` stands where `host` or `net` or `port` should"),
    ("vlan 5000", 6, "`5000` is not a VLAN ID: a number from 0 to 4095"),
    ("proto tcp", 7, "`tcp` is not an IP protocol's number"),
    ("not " * 200 + "icmp", 401, "`not` is nested too deep"),
])  # fmt: skip
def test_errors_point_at_their_place(words: str, column: int, told: str) -> None:
    with pytest.raises(InputError) as refused:
        Filter(words)
    first, shown, sign = str(refused.value).split("\n")
    assert first.startswith(f"--filter, column {column}: {told}")
    assert (shown, sign) == (f"  {words}", f"  {' ' * (column - 1)}^")


def test_frames_that_are_cut(tmp_path: Path) -> None:
    whole = frames([ethernet(ipv4(17, udp(4500, 4500, bytes(60))))] * 2)
    short: list[Frame] = [
        whole[0]._replace(octets=whole[0].octets[:36]),
        whole[1]._replace(octets=whole[1].octets[:30]),
    ]
    path = write_pcap(tmp_path / "a.pcap", short)
    with open_capture(path) as capture:
        (burst,) = capture.bursts()
        assert Filter("host 10.0.0.1").rows(burst).tolist() == [0]
    with open_capture(path) as capture:
        (burst,) = capture.bursts()
        assert Filter("udp and not port 4500").rows(burst).tolist() == [0], "its ports were cut off"
