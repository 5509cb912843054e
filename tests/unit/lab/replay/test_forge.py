"""Frames that are forged: whole, for whom they are meant, and without anything that a key would give."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from netaddr import IPNetwork

from dataplane.errors import WireError
from dataplane.wire.checksum import internet_checksum, pseudo_header
from dataplane.wire.ethernet import EthernetHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header
from dataplane.wire.udp import UdpHeader
from lab.coverage import census
from lab.coverage.classify import ethernet
from lab.model.impairment import WireDirection
from lab.replay import forge
from lab.replay.look import Kind, Look, look
from tests.captures.ike import CAPTURES as IKE_CAPTURES
from tests.captures.ike import frames
from tests.unit.lab.replay.recorded import everything, link, target

CHANCE = random.Random(1)


def udp_checksum_is_right(packet: bytes) -> bool:
    if packet[0] >> 4 == 4:
        header4 = IPv4Header.parse(packet)
        datagram = packet[header4.header_octets : header4.total_length]
        pseudo = pseudo_header(header4.source, header4.destination, 17, len(datagram))
        return internet_checksum(pseudo, datagram) == 0
    header6 = IPv6Header.parse(packet)
    datagram = packet[40 : 40 + header6.payload_length]
    return internet_checksum(pseudo_header(header6.source, header6.destination, 17, len(datagram)), datagram) == 0


@pytest.mark.parametrize("direction", WireDirection)
def test_a_clear_frame_is_from_one_end_to_the_other_and_tagged_as_theirs(direction: WireDirection) -> None:
    of = link()
    near, far = of.ends if direction is WireDirection.A_TO_B else of.ends[::-1]
    frame = forge.clear(target(direction), CHANCE)
    header = EthernetHeader.parse(frame)
    assert (header.source, header.destination) == (bytes(near.mac.packed), bytes(far.mac.packed))
    assert [tag.vlan for tag in header.tags] == [10, 100]
    packet = frame[header.length :]
    ip = IPv4Header.parse(packet)
    assert (str(ip.source), str(ip.destination)) == (str(near.addresses[0].ip), str(far.addresses[0].ip))
    assert udp_checksum_is_right(packet)
    assert packet[28:].startswith(forge.MARK)
    assert ethernet(frame, len(frame)).kind == census.CLEARTEXT


def test_a_link_of_ipv6_gets_ipv6_and_one_without_addresses_those_of_documentation() -> None:
    of = link()
    six = [replace(end, addresses=(IPNetwork(f"fd00::{i}/64"),)) for i, end in enumerate(of.ends, 1)]
    frame = forge.clear(forge.Target.of(replace(of, a=six[0], b=six[1]), WireDirection.A_TO_B), CHANCE)
    packet = frame[EthernetHeader.parse(frame).length :]
    assert str(IPv6Header.parse(packet).source) == "fd00::1"
    assert udp_checksum_is_right(packet)
    none = [replace(end, addresses=()) for end in of.ends]
    frame = forge.clear(forge.Target.of(replace(of, a=none[0], b=none[1]), WireDirection.A_TO_B), CHANCE)
    assert IPv4Header.parse(frame[EthernetHeader.parse(frame).length :]).source == IPv4Address("192.0.2.1")


def pattern(kind: Kind) -> list[tuple[bytes, Look]]:
    """Frames of a kind, but for fragments without a header."""
    return [(frame, seen) for frame in everything() if (seen := look(frame)).kind is kind and seen.header < seen.data]


@pytest.mark.parametrize("kind", [Kind.MACSEC, Kind.ESP])
def test_what_is_forged_as_if_protected_has_a_header_that_fits_and_octets_of_its_own(kind: Kind) -> None:
    for frame, seen in pattern(kind):
        forged = forge.protected(frame, seen, ahead=3, chance=CHANCE)
        assert look(forged) == seen
        assert len(forged) == seen.end
        number, before = (int.from_bytes(each[seen.header + 4 : seen.header + 8], "big") for each in (forged, frame))
        assert number == (before + 3) % (1 << 32)
        assert forged[seen.data :] != frame[seen.data : seen.end]


@pytest.mark.parametrize("kind", [Kind.MACSEC, Kind.ESP])
def test_what_is_stripped_is_no_longer_of_its_protocol(kind: Kind) -> None:
    for frame, seen in pattern(kind):
        left = forge.stripped(frame, seen)
        assert len(left) < len(frame) or kind is Kind.ESP
        if kind is Kind.ESP:
            assert look(left).kind is Kind.CLEAR
            packet = left[EthernetHeader.parse(left).length :]
            assert (IPv4Header if packet[0] >> 4 == 4 else IPv6Header).parse(packet)


def test_what_esp_only_authenticates_is_laid_open_by_stripping() -> None:
    opened = 0
    for path in sorted(p for p in (IKE_CAPTURES[0].parents[1] / "esp").glob("*gmac*.pcap")):
        for frame in frames(path):
            seen = look(frame)
            if seen.kind is Kind.ESP:
                packet = forge.stripped(frame, seen)[14:]
                header = IPv4Header.parse(packet)
                assert header.total_length == len(packet)
                if not IPv4Header.parse(frame[14:]).is_fragment:
                    assert header.protocol != 4
                    opened += 1
    assert opened


def test_an_mkpdu_asks_for_less() -> None:
    for frame, seen in pattern(Kind.MKA):
        weaker = forge.weakened(frame, seen)
        # 802.1X-2020 Figure 11-8: key server, MACsec desired, MACsec capability, then the body's length.
        assert weaker[seen.header + 2] & 0x70 == 0
        assert weaker[seen.header + 2] & 0x8F == frame[seen.header + 2] & 0x8F
        at = seen.header + 2
        assert weaker[:at] + weaker[at + 1 :] == frame[:at] + frame[at + 1 :]


def test_proposals_of_ike_ask_for_less_and_are_whole() -> None:
    from dataplane.ike.payloads.chain import split
    from dataplane.ike.payloads.kinds import PayloadType
    from dataplane.ike.payloads.security_association import SecurityAssociation
    from dataplane.ipsec.transforms import TransformType

    rewritten = 0
    for frame, seen in pattern(Kind.IKE):
        weaker = forge.weakened(frame, seen)
        assert len(weaker) == len(frame)
        if frame[seen.header + 18] != 34:
            assert weaker == frame  # what is encrypted says nothing in clear
            continue
        links = split(frame[seen.header + 16], weaker[seen.data : seen.end])
        for one in links:
            if one.payload_type != PayloadType.SA:
                continue
            for proposal in SecurityAssociation.parse(one.body).proposals:
                for transform in proposal.transforms:
                    if transform.type in (TransformType.PRF, TransformType.INTEG, TransformType.KE):
                        assert transform.id == 2
                    if transform.key_bits is not None:
                        assert transform.key_bits == 128
                rewritten += 1
        assert seen.network is not None
        assert seen.transport is not None
        checksum = UdpHeader.parse(weaker[seen.transport :]).checksum
        assert checksum == 0 or weaker == frame or udp_checksum_is_right(weaker[seen.network :])
    assert rewritten > 20


def test_malformed_proposals_are_left_alone() -> None:
    for frame, seen in pattern(Kind.IKE)[:40]:
        for at in range(seen.data, min(seen.end, seen.data + 60)):
            for value in (0, 1, 255):
                octets = frame[:at] + bytes([value]) + frame[at + 1 :]
                try:
                    forge.weakened(octets, look(octets))
                except WireError as error:
                    raise AssertionError(f"{octets.hex()}: {error}") from error
