"""What IKE agreed on, as an onlooker reads it: from real captures, and from messages built by hand."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from lab.coverage.evidence import ike_payloads as ike
from lab.coverage.evidence.ike_story import IkeSa, tell, versions
from lab.coverage.evidence.messages import Message
from tests.captures.cases import frames_of, keys_of, observe


def story(name: str) -> tuple[IkeSa, ...]:
    return tell(observe(frames_of(name), keys_of(name)).collected.messages.kept)


def test_an_ike_sa_and_its_first_child() -> None:
    (sa,) = story("ike_psk_aes256gcm16-sha384-ecp384_esp_aes256gcm16")
    assert (sa.encryption, sa.integrity, sa.prf) == ("ENCR_AES_GCM_16-256", None, "PRF_HMAC_SHA2_384")
    assert sa.group == "group 20 (384-bit ECP)"
    assert sa.authentication == {"initiator": "pre-shared key", "responder": "pre-shared key"}
    (child,) = sa.children
    assert (child.protocol, child.encryption, child.integrity, child.esn) == ("ESP", "ENCR_AES_GCM_16-256", None, False)
    assert (child.initial, child.rekeys, child.group) == (True, None, None)
    assert (child.selectors_initiator, child.selectors_responder) == (("10.1.0.1/32",), ("10.2.0.1/32",))
    assert {child.spi_sent, child.spi_answered} == {"c18fb0cb", "cbdf7f9b"}


def test_transport_mode_and_extended_sequence_numbers() -> None:
    ((child,),) = (sa.children for sa in story("ike_psk_transport_esn_aes128-sha256"))
    assert (child.transport, child.esn) == (True, True)


def test_rekeys_with_and_without_a_key_exchange() -> None:
    with_pfs, without = story("ss-gcm-x25519"), story("ss-cbc128-sha1-modp2048")
    assert [(child.rekeys, child.group) for child in with_pfs[0].children] == [
        (None, None), ("17218c71", "group 31 (Curve25519)")
    ]  # fmt: skip
    assert [(child.rekeys, child.group) for child in without[0].children] == [(None, None), ("d07edb8d", None)]


def test_an_ike_sa_that_takes_the_place_of_another_is_a_new_one() -> None:
    _, old, new = story("py-ss-cookie")
    assert new.rekeys == f"{old.spi_i} {old.spi_r}"
    assert (new.group, len(new.children), new.deciphered) == (old.group, 1, 3)


def test_a_post_quantum_key_is_noticed() -> None:
    assert [sa.ppk for sa in story("ss-ppk")] == [True]


@pytest.mark.parametrize("name", ["ss-no-proposal", "mka_psk128_pair"])
def test_where_nothing_was_agreed_on_nothing_is_told(name: str) -> None:
    assert story(name) == ()


@pytest.mark.parametrize("name", ["ss-auth-failed", "ss-child-no-proposal", "ss-ts-unacceptable"])
def test_an_ike_sa_without_a_child(name: str) -> None:
    ((children),) = (sa.children for sa in story(name))
    assert children == []


def payload(kind: int, body: bytes, following: int = 0) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def message(octets: bytes, *, first: int, exchange: int = ike.IKE_SA_INIT, answer: bool, number: int = 0,
            protected: bool = False, frame: int = 1, version: int = 0x20) -> Message:  # fmt: skip
    flags = 0x20 if answer else 0x08
    head = b"i" * 8 + b"r" * 8 + bytes((first, version, exchange, flags)) + struct.pack("!II", number, 28 + len(octets))
    return Message(frame, frame * 10, head + octets, protected)


def proposal(protocol: int, transforms: Iterable[tuple[int, int, int]], spi: bytes = b"") -> bytes:
    parts = []
    for kind, number, bits in transforms:
        attribute = struct.pack("!HH", 0x800E, bits) if bits else b""
        parts.append(struct.pack("!BBHBBH", 0, 0, 8 + len(attribute), kind, 0, number) + attribute)
    body = b"".join(parts)
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(spi) + len(body), 1, protocol, len(spi), len(parts)) + spi + body


SUITE = [(ike.ENCR, 12, 256), (ike.PRF, 5, 0), (ike.INTEG, 12, 0), (ike.DH, 14, 0)]


def test_fragments_of_a_message_are_put_together_whatever_their_order() -> None:
    child = proposal(ike.PROTOCOL_ESP, [(ike.ENCR, 20, 256)], b"\1\2\3\4")
    inner = payload(ike.SA, child)
    halves = inner[:9], inner[9:]
    answers = [
        message(struct.pack("!BBHHH", ike.SA if number == 1 else 0, 0, 8 + len(half), number, 2) + half,
                first=ike.SKF, exchange=ike.IKE_AUTH, answer=True, number=1, protected=True, frame=10 - number)
        for number, half in enumerate(halves, 1)
    ]  # fmt: skip
    ((told,),) = (sa.children for sa in tell(answers))
    assert (told.encryption, told.spi_answered) == ("ENCR_AES_GCM_16-256", "01020304")
    assert tell(answers[:1]) == ()


def test_an_answer_that_comes_again_is_one_answer() -> None:
    init = message(payload(ike.SA, proposal(1, SUITE)), first=ike.SA, answer=True)
    assert len(tell([init, init])) == 1
    child = payload(ike.SA, proposal(ike.PROTOCOL_ESP, [(ike.ENCR, 12, 128)], b"\1\2\3\4"))
    created = message(bytes((ike.SA, 0)) + struct.pack("!H", 4) + child, first=ike.SK, exchange=ike.CREATE_CHILD_SA,
                      answer=True, number=5, protected=True, frame=3)  # fmt: skip
    (sa,) = tell([init, created, created._replace(frame=4)])
    assert len(sa.children) == 1


def test_what_is_no_ikev2_is_left_alone() -> None:
    old = message(b"", first=0, answer=False, version=0x10)
    assert tell([old]) == ()
    assert versions([old]) == {1}


@pytest.mark.parametrize("octets", [
    b"", b"\0\0\0\3", b"\0\0\0\x40", payload(ike.SA, b"\0\0\0\7\1\1\0\0"),
    payload(ike.SA, b"\0\0\0\x20\1\1\0\1" + bytes(24)),
])  # fmt: skip
def test_payloads_that_cannot_be_are_passed_over(octets: bytes) -> None:
    assert all(sa.encryption is None for sa in tell([message(octets, first=ike.SA, answer=True)]))


def test_names_of_transforms_and_selectors() -> None:
    chosen = next(ike.proposals(proposal(1, [*SUITE, (ike.DH, 99, 0)])))
    assert [each.name for each in chosen.transforms] == [
        "ENCR_AES_CBC-256", "PRF_HMAC_SHA2_256", "AUTH_HMAC_SHA2_256_128", "group 14 (2048-bit MODP)", "transform 4/99"
    ]  # fmt: skip
    ends = bytes((10, 0, 0, 0)) + bytes((10, 0, 0, 255)), bytes((10, 0, 0, 1)) + bytes((10, 0, 0, 9))
    body = bytes((2, 0, 0, 0)) + b"".join(
        struct.pack("!BBHHH", 7, protocol, 16, *ports) + octets
        for octets, protocol, ports in ((ends[0], 0, (0, 65535)), (ends[1], 17, (500, 500)))
    )
    assert ike.selectors(body) == ("10.0.0.0/24", "10.0.0.1 to 10.0.0.9 (protocol 17, ports 500 to 500)")
