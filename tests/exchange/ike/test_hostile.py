"""Peers that are none: floods, broken messages, public values that must not be used (RFC 7296 2.6, 5; RFC 6989 2)."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

import pytest

from dataplane.crypto.keyexchange import public_octets
from dataplane.crypto.modp import modp_group
from dataplane.ike.events import (
    Cause,
    ChildSaEstablished,
    ChildSaFailed,
    IkeRekeyFailed,
    IkeSaEstablished,
    IkeSaFailed,
    PeerHint,
)
from dataplane.ike.front_door import Thresholds
from dataplane.ike.host import Datagram
from dataplane.ike.machine import IkeState
from dataplane.ike.message import Message
from dataplane.ike.nat import Endpoint
from dataplane.ike.payloads.chain import join, split
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.policy import IkePolicy
from dataplane.wire.ike_header import IkeHeader
from tests.exchange.ike.conversation import (
    CONVERSATION,
    PLACES,
    PROTECTED,
    Alter,
    at_message,
    inside_of,
    resealed,
    sound,
)
from tests.exchange.ike.pair import LEFT_PEER, Node, Pair, child_policy, ike_proposal, mirrored

SPOOFED_A_SECOND = 10_000


def replaced(message: Message, kind: type[KeyExchangePayload] | type[NoncePayload], by: object) -> bytes:
    """The message with another payload of that kind."""
    payloads = tuple(by if isinstance(each, kind) else each for each in message.payloads)
    return replace(message, payloads=payloads, raw=b"").emit()  # type: ignore[arg-type]


def flood(pair: Pair, request: Datagram, count: int, seed: int = 0) -> int:
    """Requests from addresses that are not the sender's; how many were answered."""
    dice = random.Random(seed)
    octets = bytearray(request.octets)
    answered = 0
    for _ in range(count):
        octets[:8] = dice.randbytes(8)
        source = Endpoint(f"198.51.{dice.randrange(256)}.{dice.randrange(256)}", dice.randrange(1024, 65536))
        pair.b.engine.receive(bytes(octets), source, request.destination, pair.now)
        answered += len(pair.b.engine.to_send(pair.now))
    return answered


def test_flood_does_not_keep_a_peer_out_nor_grow_memory() -> None:
    """Two seconds of it; the peer comes in the middle of the first one."""
    pair = Pair(LEFT_PEER, replace(mirrored(LEFT_PEER), remote=None))
    node = Node("c", replace(LEFT_PEER, local="198.18.0.1"), 1)
    node.initiate()
    request = node.outbox[0]
    ticks = 100
    for tick in range(2 * ticks):
        if tick == ticks // 2:
            pair.a.initiate()
        if tick == ticks:
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
        flood(pair, request, SPOOFED_A_SECOND // ticks, seed=tick)
        pair.run()
        pair.wait(1 / ticks)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000
    assert pair.a.child.keys_in == pair.b.child.keys_out
    assert pair.a.ike.established_at is not None
    assert pair.a.ike.established_at - pair.a.ike.created_at < 0.1
    assert len(pair.b.engine.sas) == Thresholds().cookies + 1
    assert pair.b.engine.discarded == {"asked for a cookie": 2 * SPOOFED_A_SECOND - Thresholds().cookies + 1}
    assert [event.peer for event in pair.b.events] == ["left"] * 3  # nothing is told of strangers
    pair.wait(31, deliver=True)
    assert len(pair.b.sas) == 1
    assert len(pair.b.engine._registry._first_requests) <= 1


def test_flood_through_the_cookies_is_bounded() -> None:
    """From true addresses, cookies and all: only so many may be half open, and only for so long."""
    right = replace(mirrored(LEFT_PEER), remote=None)
    pair = Pair(LEFT_PEER, right, thresholds=Thresholds(cookies=0, most=5))
    for number in range(20):
        node = Node(f"c{number}", replace(LEFT_PEER, local=f"198.51.100.{number}"), number)
        node.initiate()
        for _ in range(2):
            pair.b.receive(node.outbox.popleft())
            if pair.b.outbox:
                node.receive(pair.b.outbox.popleft())
        assert len(pair.b.sas) == min(number + 1, 5)
    assert pair.b.engine.discarded["too many IKE SAs are half open"] == 15
    pair.wait(31)
    assert not pair.b.sas
    pair.a.initiate()
    pair.run()
    assert len(pair.b.living_spis()) == 1


def test_half_open_ike_sas_expire() -> None:
    pair = Pair()
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    assert pair.b.ike_states() == [IkeState.HALF_OPEN]
    pair.wait(29)
    assert pair.b.sas
    pair.wait(2)
    assert not pair.b.sas
    assert pair.b.last(IkeSaFailed).cause is Cause.PEER_DEAD


def test_refusals_of_a_known_address_do_not_fill_the_events() -> None:
    pair = Pair(LEFT_PEER, mirrored(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(20),)))))
    pair.a.initiate()
    request = pair.a.outbox[0]
    octets = bytearray(request.octets)
    for number in range(1000):
        octets[:8] = number.to_bytes(8, "big") if number else b"\xff" * 8
        pair.b.receive(request._replace(octets=bytes(octets)))
    assert len(pair.b.told(PeerHint)) == 1


# ---- broken messages ----


def survives(index: int, bad: list[bytes]) -> None:
    """Nothing raises and, where there are keys, nothing that was altered has any effect."""
    held = at_message(index)
    direction, good = CONVERSATION[index]
    receiver = held.receiver(direction)
    for octets in bad:
        receiver.receive(good._replace(octets=octets))
    if index in PROTECTED:
        complaints = [Message.parse(datagram.octets) for datagram in receiver.outbox]
        assert all(message.notify(NotifyType.INVALID_IKE_SPI) or message.notify(NotifyType.INVALID_MAJOR_VERSION)
                   for message in complaints)  # fmt: skip
    receiver.outbox.clear()
    receiver.receive(good)
    if index in PROTECTED:
        assert held.rest() == CONVERSATION[index + 1 :]
    else:
        held.pair.run()


@pytest.mark.parametrize("index", PLACES)
def test_messages_cut_at_every_length(index: int) -> None:
    _, good = CONVERSATION[index]
    cut = [good.octets[:length] for length in range(len(good.octets))]
    # also with a length field that fits what is left
    fitted = [octets[:24] + len(octets).to_bytes(4, "big") + octets[28:] for octets in cut if len(octets) >= 28]
    survives(index, [*cut, *fitted, good.octets + b"\0"])


@pytest.mark.parametrize("index", PLACES)
def test_messages_flipped_at_every_octet(index: int) -> None:
    _, good = CONVERSATION[index]
    flipped = []
    for at in range(len(good.octets)):
        for mask in (0x01, 0x80, 0xFF):
            octets = bytearray(good.octets)
            octets[at] ^= mask
            flipped.append(bytes(octets))
    survives(index, flipped)


def bears(index: int, alter: Alter) -> None:
    """A peer that is who it says, and sends nonsense: nothing raises, and what the driver hears stays sound."""
    held = at_message(index)
    pair = held.pair
    direction, good = CONVERSATION[index]
    held.receiver(direction).receive(resealed(pair, good, alter))
    pair.run()
    pair.wait(400, deliver=True)
    sound(pair)


@pytest.mark.parametrize("index", PROTECTED)
def test_insides_flipped_at_every_octet(index: int) -> None:
    for at in range(len(inside_of(index))):
        for mask in (0x01 << at % 8, 0xFF):

            def alter(first: int, chain: bytes, at: int = at, mask: int = mask) -> tuple[int, bytes]:
                octets = bytearray(chain)
                octets[at] ^= mask
                return first, bytes(octets)

            bears(index, alter)


@pytest.mark.parametrize("index", PROTECTED)
def test_insides_cut_at_every_length(index: int) -> None:
    for length in range(len(inside_of(index))):
        bears(index, lambda first, chain, length=length: (first, chain[:length]))  # type: ignore[misc]


@pytest.mark.parametrize("index", PROTECTED)
def test_insides_that_begin_with_any_payload(index: int) -> None:
    for kind in (*range(0, 54), 128, 255):
        bears(index, lambda _, chain, kind=kind: (kind, chain))  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(20))
def test_noise(seed: int) -> None:
    dice = random.Random(seed)
    pair = Pair.established()
    here, there = Endpoint(LEFT_PEER.local, 500), Endpoint(LEFT_PEER.remote or "", 500)
    for _ in range(200):
        noise = bytearray(dice.randbytes(dice.randrange(200)))
        if dice.random() < 0.7 and len(noise) >= 28:
            noise[:16] = pair.b.ike.id.spi_i + pair.b.ike.id.spi_r
            noise[17] = 0x20
            noise[18] = dice.choice([34, 35, 36, 37])
            noise[19] = dice.choice([0x08, 0x20, 0x28, 0])
            noise[16] = dice.choice([33, 41, 46, 53])
            noise[20:24] = dice.choice([bytes(4), b"\0\0\0\2"])
            noise[24:28] = len(noise).to_bytes(4, "big")
        pair.b.engine.receive(bytes(noise), here, there, 0.0)
    assert pair.b.ike.children
    pair.b.settle()
    pair.b.outbox.clear()
    pair.a.dpd()
    pair.run()
    assert pair.b.ike.children


# ---- public values ----


def with_group(group: int) -> Pair:
    return Pair(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(group),))))


def bad_values(group: int) -> list[bytes]:
    octets = public_octets(group)
    if group in (19, 20, 21):
        return [bytes(octets), b"\x04" * octets, b"\xff" * octets, bytes(octets - 1), bytes(octets + 1)]
    if group == 31:
        order_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
        return [bytes(32), (1).to_bytes(32, "little"), order_8, bytes(31), bytes(33)]
    p = modp_group(group).p
    values = [number.to_bytes(octets, "big") for number in (0, 1, p - 1, p, min(p + 1, 256**octets - 1))]
    if group == 24:
        values.append((2).to_bytes(octets, "big"))  # not in the subgroup of order q
    return [*values, b"\2" * (octets - 1), b"\2" * (octets + 1)]


GROUPS = pytest.mark.parametrize("group", [2, 5, 14, 15, 16, 19, 20, 21, 24, 31])


@GROUPS
def test_bad_public_values_of_an_initiator(group: int) -> None:
    pair = with_group(group)
    pair.a.initiate()
    request = pair.a.outbox.popleft()
    message = Message.parse(request.octets)
    for value in bad_values(group):
        octets = replaced(message, KeyExchangePayload, KeyExchangePayload(group=group, public=value))
        pair.b.receive(request._replace(octets=octets))
        answer = Message.parse(pair.b.outbox.popleft().octets)
        assert answer.notify(NotifyType.INVALID_SYNTAX) is not None
        assert not pair.b.sas


@GROUPS
def test_bad_public_values_of_a_responder(group: int) -> None:
    pair = with_group(group)
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    answer = pair.b.outbox.popleft()
    message = Message.parse(answer.octets)
    for value in bad_values(group):
        octets = replaced(message, KeyExchangePayload, KeyExchangePayload(group=group, public=value))
        pair.a.receive(answer._replace(octets=octets))
        assert pair.a.ike_states() == [IkeState.CONNECTING]
    pair.a.receive(answer)  # the true one
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


def poisoned(pair: Pair, datagram: Datagram, group: int, value: bytes) -> Datagram:
    """The datagram with another public value in its KE payload, by somebody who has the keys."""
    header = IkeHeader.parse(datagram.octets)

    def alter(first: int, chain: bytes) -> tuple[int, bytes]:
        message = Message.of(header, parse_payloads(split(first, chain)))
        ke = KeyExchangePayload(group=group, public=value)
        return join(tuple(ke if isinstance(each, KeyExchangePayload) else each for each in message.payloads))

    return resealed(pair, datagram, alter)


def groups_of(group: int) -> Pair:
    return Pair.established(
        replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(group),)), children=(child_policy(group),))
    )


@GROUPS
@pytest.mark.parametrize("kind", ["child", "ike"])
def test_bad_public_values_in_a_rekey_request(group: int, kind: str) -> None:
    for value in bad_values(group)[:4]:
        pair = groups_of(group)
        pair.a.rekey_child() if kind == "child" else pair.a.rekey_ike()
        pair.b.receive(poisoned(pair, pair.a.outbox.popleft(), group, value))
        pair.flow("<-- CREATE_CHILD_SA { N(INVALID_SYNTAX) }")
        assert len(pair.b.told(IkeSaEstablished)) == len(pair.b.told(ChildSaEstablished)) == 1
        pair.run()
        assert not pair.a.sas  # RFC 7296 2.21.3: fatal to whoever sent it


@GROUPS
@pytest.mark.parametrize("kind", ["child", "ike"])
def test_bad_public_values_in_a_rekey_response(group: int, kind: str) -> None:
    """No keys are made of them; the SA that was to be replaced lives on."""
    for value in bad_values(group)[:4]:
        pair = groups_of(group)
        old = pair.a.child.spi_in
        pair.a.rekey_child() if kind == "child" else pair.a.rekey_ike()
        pair.b.receive(pair.a.outbox.popleft())
        pair.a.receive(poisoned(pair, pair.b.outbox.popleft(), group, value))
        assert len(pair.a.told(ChildSaEstablished)) == len(pair.a.told(IkeSaEstablished)) == 1
        failures = pair.a.told(ChildSaFailed) if kind == "child" else pair.a.told(IkeRekeyFailed)
        assert [event.cause for event in failures] == [Cause.INVALID_SYNTAX]
        assert pair.a.child.spi_in == old


def test_leading_zeros_are_kept() -> None:
    """Group 2 until a public value, and the secret, begin with a zero octet: both ends still agree."""
    zeros = 0
    for seed in range(400):
        pair = Pair(replace(LEFT_PEER, ike=IkePolicy(proposals=(ike_proposal(2),))), seed=seed)
        pair.a.initiate()
        request = Message.parse(pair.a.outbox[0].octets)
        pair.run()
        public = request.one(KeyExchangePayload).public
        assert len(public) == 128
        assert pair.a.child.keys_in == pair.b.child.keys_out
        zeros += public[0] == 0
        if zeros >= 1 and seed >= 100:
            return
    raise AssertionError("no leading zero in 400 tries is less likely than 1 in 4")


@pytest.mark.parametrize("octets", [15, 257])
def test_nonces_of_a_wrong_length(octets: int) -> None:
    pair = Pair()
    pair.a.initiate()
    request = pair.a.outbox.popleft()
    message = Message.parse(request.octets)
    pair.b.receive(request._replace(octets=replaced(message, NoncePayload, NoncePayload(nonce=bytes(octets)))))
    assert not pair.b.sas
    assert not pair.b.outbox


def test_unauthenticated_peer_cannot_do_anything() -> None:
    """Keys alone are not enough: before IKE_AUTH, every other exchange is dropped."""
    pair = Pair()
    pair.a.initiate()
    pair.flow("--> IKE_SA_INIT ...")
    pair.flow("<-- IKE_SA_INIT ...")
    pair.a.outbox.clear()
    channel = pair.a.sas[0].channel
    channel.window.outstanding = None
    from dataplane.ike.rules import ExchangeType

    for exchange in (ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA):
        payloads = () if exchange is ExchangeType.INFORMATIONAL else tuple(child_request(pair))
        for octets in channel.request(exchange, payloads, 0.0):
            pair.b.engine.receive(octets, Endpoint(LEFT_PEER.local, 500), Endpoint(LEFT_PEER.remote or "", 500), 0.0)
        channel.window.outstanding = None
    pair.b.settle()
    assert not pair.b.outbox
    assert pair.b.ike_states() == [IkeState.HALF_OPEN]
    assert not pair.b.children


def child_request(pair: Pair) -> tuple:  # type: ignore[type-arg]
    from dataplane.ike.tasks.child_offer import offer

    return offer(pair.a.sas[0], LEFT_PEER.children[0], None, None).payloads
