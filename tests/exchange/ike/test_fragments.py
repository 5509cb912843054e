"""Messages in parts (RFC 7383)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.policy import IkePolicy
from dataplane.ipsec.transforms import Transform, encr
from dataplane.wire.ike_header import IkeHeader
from tests.exchange.ike.pair import LEFT_PEER, Pair, ike_proposal, mirrored

SMALL = replace(LEFT_PEER, fragment_octets=160)


def connected(left_octets: int | None, right_octets: int | None, cipher: Transform | None = None) -> Pair:
    """A pair after IKE_SA_INIT, the initiator's IKE_AUTH in its outbox."""
    ike = IkePolicy(proposals=(ike_proposal(cipher=cipher),))
    left = replace(LEFT_PEER, fragment_octets=left_octets, ike=ike)
    right = replace(mirrored(LEFT_PEER), fragment_octets=right_octets, ike=ike)
    pair = Pair(left, right)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    return pair


@pytest.mark.parametrize(
    "cipher", [encr("ENCR_AES_CBC", 256), encr("ENCR_AES_GCM_16", 256), encr("ENCR_CHACHA20_POLY1305")], ids=str
)
@pytest.mark.parametrize("octets", [128, 129, 150, 200])
def test_parts(cipher: Transform, octets: int) -> None:
    pair = connected(octets, octets, cipher)
    parts = list(pair.a.outbox)
    assert len(parts) > 1
    for number, part in enumerate(parts, 1):
        header = IkeHeader.parse(part.octets)
        assert header.next_payload == PayloadType.SKF
        assert len(part.octets) <= octets - 4
        assert part.octets[28] == (PayloadType.IDI if number == 1 else 0)
        assert part.octets[32:36] == number.to_bytes(2, "big") + len(parts).to_bytes(2, "big")
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
    pair.a.rekey_child()
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_small_messages_stay_whole() -> None:
    pair = connected(160, 160)
    pair.run()
    pair.a.dpd()
    pair.flow("--> INFORMATIONAL { }")
    pair.flow("<-- INFORMATIONAL { }")


@pytest.mark.parametrize(("left", "right"), [(None, 160), (160, None)])
def test_only_if_both_can(left: int | None, right: int | None) -> None:
    pair = connected(left, right)
    pair.flow("--> IKE_AUTH ...")
    pair.flow("<-- IKE_AUTH ...")
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_in_any_order_and_twice() -> None:
    pair = connected(140, 140)
    parts = list(pair.a.outbox)
    pair.a.outbox.clear()
    for part in (*reversed(parts[1:]), *parts[1:], parts[0]):
        assert not pair.b.outbox
        pair.b.receive(part)
    assert pair.b.outbox
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_a_lost_part_brings_all_again() -> None:
    pair = connected(140, 140)
    parts = list(pair.a.outbox)
    pair.a.outbox.clear()
    for part in parts[:-1]:
        pair.b.receive(part)
    pair.wait(1)
    assert list(pair.a.outbox) == parts
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_the_first_part_of_a_repeated_request_brings_the_answer_again() -> None:
    pair = connected(140, 140)
    parts = list(pair.a.outbox)
    while pair.a.outbox:
        pair.b.receive(pair.a.outbox.popleft())
    answer = list(pair.b.outbox)
    pair.b.outbox.clear()
    for part in parts[1:]:
        pair.b.receive(part)
    assert not pair.b.outbox
    pair.b.receive(parts[0])
    assert list(pair.b.outbox) == answer


def test_altered_parts_are_dropped() -> None:
    pair = connected(140, 140)
    parts = list(pair.a.outbox)
    pair.a.outbox.clear()
    for part in parts:
        for at in (30, 32, 34, 36, len(part.octets) - 1):  # SKF header, number, total, IV, ICV
            octets = bytearray(part.octets)
            octets[at] ^= 1
            pair.b.receive(part._replace(octets=bytes(octets)))
    assert not pair.b.outbox
    for part in parts:
        pair.b.receive(part)
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
