"""Message IDs, a window of one, retransmission, signs of life (RFC 7296 2.1 to 2.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import Cause, ChildSaDeleted, IkeSaDeleted
from dataplane.ike.host import Datagram
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.opaque import OpaquePayload
from dataplane.ike.sa import IkeSa
from dataplane.ike.tasks.informational import Liveness
from dataplane.ike.window import Retransmission
from tests.exchange.ike.pair import LEFT_PEER, Node, Pair
from tests.exchange.ike.test_child_rekey import CHILD, DELETE, EMPTY, REKEY


def test_repeated_request_gets_the_same_answer() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    request = pair.hold(f"--> {REKEY}")
    pair.b.receive(request)
    answer = pair.b.outbox.popleft()
    for _ in range(3):
        pair.b.receive(request)
        assert pair.b.outbox.popleft() == answer
    assert len(pair.b.children) == 2  # made once
    pair.a.receive(answer)
    pair.a.receive(answer)
    pair.run()
    assert len(pair.a.children) == 1


def test_repeated_first_request_gets_the_same_answer() -> None:
    pair = Pair()
    pair.a.initiate()
    request = pair.hold("--> IKE_SA_INIT ...")
    pair.b.receive(request)
    answer = pair.b.outbox.popleft()
    pair.b.receive(request)
    assert pair.b.outbox.popleft() == answer
    assert len(pair.b.sas) == 1
    pair.a.receive(answer)
    pair.run()
    pair.b.receive(request)  # even when all is set up
    assert pair.b.outbox.popleft() == answer
    assert len(pair.b.sas) == 1


def test_retransmission_backs_off_and_is_the_same() -> None:
    left = replace(LEFT_PEER, retransmission=Retransmission(first=1, factor=2, longest=10, tries=5), dpd_seconds=None)
    pair = Pair.established(left)
    pair.a.dpd()
    first = pair.a.outbox[0]
    sent = []
    while pair.a.sas:
        timeout = pair.a.engine.next_timeout()
        assert timeout is not None
        pair.a.outbox.clear()
        pair.wait(timeout - pair.now)
        sent.append((pair.now, list(pair.a.outbox)))
    assert [now for now, _ in sent] == [1, 3, 7, 15, 25, 35]
    assert [datagrams for _, datagrams in sent] == [[first]] * 5 + [[]]
    assert pair.a.last(IkeSaDeleted).cause is Cause.PEER_DEAD
    assert pair.a.last(ChildSaDeleted).cause is Cause.IKE_SA_GONE
    assert not pair.a.living_spis()


def test_one_request_at_a_time() -> None:
    pair = Pair.established()
    pair.a.rekey_child()
    pair.a.dpd()
    pair.a.dpd()
    assert len(pair.a.outbox) == 1
    pair.flow(f"--> {REKEY}")
    assert not pair.a.outbox
    pair.flow(f"<-- {CHILD}")
    ids = []
    for message, answer in ((DELETE, DELETE), (EMPTY, EMPTY), (EMPTY, EMPTY)):
        ids.append(pair.flow(f"--> {message}").message_id)
        pair.flow(f"<-- {answer}")
    assert ids == [3, 4, 5]


def test_stray_message_ids_are_dropped() -> None:
    pair = Pair.established()
    old = []
    for _ in range(3):
        pair.a.dpd()
        old.append(pair.a.outbox[0])
        pair.run()
    for request in old[:2]:
        pair.b.receive(request)
    assert not pair.b.outbox
    assert pair.b.engine.discarded["message ID out of turn"] == 2
    pair.a.ike.channel.window.next_id += 1  # one too far
    pair.a.dpd()
    pair.b.receive(pair.a.outbox.popleft())
    assert not pair.b.outbox


def test_answers_to_nothing_are_dropped() -> None:
    pair = Pair.established()
    pair.a.dpd()
    pair.flow(f"--> {EMPTY}")
    answer = pair.hold(f"<-- {EMPTY}")
    pair.a.receive(answer)
    pair.a.receive(answer)
    assert pair.a.engine.discarded["message ID out of turn"] == 1


def test_silence_is_asked_about() -> None:
    pair = Pair.established()
    pair.wait(44)
    assert pair.silent()
    pair.wait(1.5)
    assert len(pair.a.outbox) == len(pair.b.outbox) == 1
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"<-- {EMPTY}")
    pair.run()
    pair.wait(44)
    assert pair.silent()


def test_traffic_counts_as_a_sign_of_life() -> None:
    pair = Pair.established()
    for _ in range(5):
        pair.wait(40)
        for node in (pair.a, pair.b):
            node.engine.traffic_seen(node.child.spi_in, pair.now)
    assert pair.silent()
    pair.a.engine.traffic_seen(b"none", pair.now)  # a child that is gone: nothing happens


def test_requests_of_the_peer_count_as_a_sign_of_life() -> None:
    pair = Pair.established(replace(LEFT_PEER, dpd_seconds=30))
    for _ in range(5):
        pair.wait(20)
        pair.b.dpd()
        pair.run()
    assert pair.silent()


def test_dead_peer() -> None:
    pair = Pair.established()
    pair.b.engine.handle_timer(0.0)
    pair.wait(45 + 400)
    assert pair.a.last(IkeSaDeleted).cause is Cause.PEER_DEAD
    assert not pair.a.living_spis()
    assert not pair.a.sas
    assert pair.a.engine.next_timeout() is None


@pytest.mark.parametrize("timeout", [9.0, 45.0, 600.0])
def test_a_peer_is_dead_when_it_has_been_silent_for_so_long(timeout: float) -> None:
    often = Retransmission(first=0.5, tries=9)
    asked = max(timeout / 3, timeout - often.patience)
    pair = Pair.established(replace(LEFT_PEER, retransmission=often, dpd_seconds=asked, dead_seconds=timeout))
    heard = pair.a.ike.heard_at
    while pair.a.sas:
        at = pair.a.engine.next_timeout()
        assert at is not None
        pair.wait(at - pair.now)
        pair.a.outbox.clear()
    assert pair.now - heard == pytest.approx(timeout)
    gone = pair.a.last(IkeSaDeleted)
    assert gone.cause is Cause.PEER_DEAD
    assert not pair.a.living_spis()


def test_silence_alone_is_no_death_before_the_peer_was_asked_often_enough() -> None:
    often = Retransmission(first=0.5, tries=9)
    pair = Pair.established(replace(LEFT_PEER, retransmission=often, dpd_seconds=3, dead_seconds=9))
    pair.now += 300  # as of a machine that slept
    pair.a.engine.handle_timer(pair.now)
    pair.wait(2)
    assert pair.a.sas
    pair.run()
    assert pair.a.sas
    assert pair.a.ike.heard_at == pair.now


def test_no_dpd_without_a_wish_for_it() -> None:
    pair = Pair.established(replace(LEFT_PEER, dpd_seconds=None))
    pair.wait(2800)
    assert pair.silent()


# ---- messages that are authentic and should not be ----


class Tell(Liveness):
    """An INFORMATIONAL request with something in it."""

    def __init__(self, *payloads: Payload) -> None:
        self.payloads = payloads

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        return self.payloads


def tell(pair: Pair, *payloads: Payload) -> None:
    pair.a.ike.enqueue(Tell(*payloads))
    pair.a.ike.run(pair.now)
    pair.a.settle()


def test_unknown_payload_is_skipped() -> None:
    pair = Pair.established()
    tell(pair, OpaquePayload(payload_type=200, body=b"news"))
    pair.b.receive(pair.a.outbox.popleft())
    pair.flow(f"<-- {EMPTY}")


def test_unknown_critical_payload_is_refused() -> None:
    pair = Pair.established()
    tell(pair, OpaquePayload(payload_type=200, body=b"news", critical=True))
    pair.b.receive(pair.a.outbox.popleft())
    refusal = pair.flow("<-- INFORMATIONAL { N(UNSUPPORTED_CRITICAL_PAYLOAD) }")
    assert refusal.payloads[0].emit()[4:] == b"\xc8"  # the type that was not understood
    assert pair.b.ike.children  # nothing else happened


def test_unknown_notifications_are_skipped() -> None:
    pair = Pair.established()
    tell(pair, Notify(notify_type=40000, data=b"news"), Notify(notify_type=8000))
    pair.b.receive(pair.a.outbox.popleft())
    pair.flow(f"<-- {EMPTY}")


def test_illegal_request_ends_the_ike_sa() -> None:
    """RFC 7296 2.21.3: INVALID_SYNTAX within an IKE SA is fatal on both sides."""
    pair = Pair.established()
    tell(pair, OpaquePayload(payload_type=33, body=b"no proposal"))
    pair.b.receive(pair.a.outbox.popleft())
    pair.flow("<-- INFORMATIONAL { N(INVALID_SYNTAX) }")
    for node in (pair.a, pair.b):
        assert not node.sas
        assert node.last(IkeSaDeleted).cause is Cause.INVALID_SYNTAX
        assert not node.living_spis()


def test_illegal_response_ends_the_ike_sa() -> None:
    pair = Pair.established()
    pair.a.dpd()
    request = pair.a.outbox.popleft()
    channel = pair.b.ike.channel
    answer = channel.respond(pair.open(request), (OpaquePayload(payload_type=39, body=b"AUTH?"),))
    pair.a.engine.receive(answer[0], request.destination, request.source, 0.0)
    pair.a.settle()
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert pair.a.last(IkeSaDeleted).cause is Cause.INVALID_SYNTAX
    assert not pair.a.sas + pair.b.sas


def nonsense(pair: Pair, request: Datagram) -> Datagram:
    """What b answers to a request, if it is out of its mind."""
    (octets,) = pair.b.sas[0].channel.respond(pair.open(request), (OpaquePayload(payload_type=39, body=b"AUTH?"),))
    return Datagram(octets, request.destination, request.source)


def test_illegal_response_to_the_rekey_of_the_ike_sa_ends_it() -> None:
    pair = Pair.established()
    pair.a.rekey_ike()
    pair.a.receive(nonsense(pair, pair.a.outbox.popleft()))
    pair.flow(f"--> {DELETE}")
    pair.flow(f"<-- {EMPTY}")
    assert pair.a.last(IkeSaDeleted).cause is Cause.INVALID_SYNTAX
    assert not pair.a.sas + pair.b.sas


def test_illegal_response_to_a_rekey_that_collided_leaves_the_peers_successor() -> None:
    pair = Pair.established()
    pair.a.rekey_ike()
    pair.b.rekey_ike()
    request = pair.hold("--> CREATE_CHILD_SA { SA, Ni, KE }")
    pair.flow("<-- CREATE_CHILD_SA { SA, Ni, KE }")
    pair.a.receive(nonsense(pair, request))
    pair.run()
    assert pair.a.ike.id == pair.b.ike.id
    assert pair.a.child.keys_in == pair.b.child.keys_out


def test_illegal_response_to_the_delete_of_the_ike_sa_is_an_answer() -> None:
    pair = Pair.established()
    pair.a.delete()
    pair.a.receive(nonsense(pair, pair.a.outbox.popleft()))
    assert not pair.a.sas
    assert pair.a.last(IkeSaDeleted).cause is Cause.CLOSED_HERE
    assert pair.silent()


def test_unprotected_errors_within_an_ike_sa_mean_nothing() -> None:
    pair = Pair.established()
    pair.a.dpd()
    request = pair.open(pair.a.outbox[0])
    forged = replace(
        request, is_initiator=False, is_response=True, payloads=(Notify(notify_type=NotifyType.INVALID_IKE_SPI),)
    ).emit()
    pair.a.engine.receive(forged, pair.a.outbox[0].destination, pair.a.outbox[0].source, 0.0)
    assert pair.a.engine.discarded["not protected"] == 1
    pair.run()
    assert pair.a.ike.children


def test_unknown_ike_spi_is_told_seldom() -> None:
    pair = Pair.established()
    pair.a.dpd()
    request = pair.hold(f"--> {EMPTY}")
    pair.b = Node("b", pair.b.peer, "again")
    pair.b.receive(request)
    assert pair.open(pair.b.outbox.popleft()).notify(NotifyType.INVALID_IKE_SPI) is not None
    pair.b.receive(request)
    assert not pair.b.outbox
    pair.b.now = 2.0
    pair.b.receive(request)
    assert pair.b.outbox


def test_next_version_of_ike_is_refused() -> None:
    pair = Pair()
    pair.a.initiate()
    request = pair.a.outbox.popleft()
    octets = bytearray(request.octets)
    octets[17] = 0x30
    pair.b.receive(request._replace(octets=bytes(octets)))
    refusal = pair.open(pair.b.outbox.popleft())
    assert refusal.notify(NotifyType.INVALID_MAJOR_VERSION) is not None
    octets[17] = 0x10  # IKEv1
    pair.b.receive(request._replace(octets=bytes(octets)))
    assert not pair.b.outbox
    octets[17] = 0x21  # a minor version more is no matter (2.5)
    pair.b.receive(request._replace(octets=bytes(octets)))
    assert pair.b.outbox
