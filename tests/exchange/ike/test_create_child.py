"""New children on an IKE SA that is there: the regular course, second tries, refusals (RFC 7296 1.3.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.ike.events import Cause, ChildSaDeleted, ChildSaEstablished, ChildSaFailed
from dataplane.ike.machine import IkeState
from dataplane.ike.message import Message
from dataplane.ike.payloads.chain import join, split
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify, NotifyType
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.payloads.traffic_selectors import TrafficSelectorsResponder
from dataplane.ike.policy import Peer
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.transforms import encr
from dataplane.wire.ike_header import IkeHeader
from tests.exchange.ike.conversation import resealed
from tests.exchange.ike.pair import LEFT_PEER, Pair, child_policy, esp_proposal, mirrored
from tests.exchange.ike.test_child_rekey import CHILD, CHILD_NO_PFS, DELETE, EMPTY

CREATE = "CREATE_CHILD_SA { SA, Ni, KE, TSi, TSr }"
CREATE_NO_PFS = "CREATE_CHILD_SA { SA, Ni, TSi, TSr }"


def with_second(*groups: int, remote: str = "10.1.0.0/16") -> Peer:
    """Two children, the second with these groups."""
    second = child_policy(*groups, name="more", local="192.168.0.0/16", remote=remote)
    return replace(LEFT_PEER, children=(child_policy(19), second))


def first_only(left: Peer, right: Peer | None = None) -> Pair:
    """The first child is up; the second one's request is on its way."""
    pair = Pair(left, right)
    pair.a.initiate()
    for arrow in ("--> IKE_SA_INIT ...", "<-- IKE_SA_INIT ...", "--> IKE_AUTH ...", "<-- IKE_AUTH ..."):
        pair.flow(arrow)
    return pair


@pytest.mark.parametrize(("groups", "request_", "answer"), [((19,), CREATE, CHILD), ((), CREATE_NO_PFS, CHILD_NO_PFS)])
def test_regular(groups: tuple[int, ...], request_: str, answer: str) -> None:
    pair = first_only(with_second(*groups))
    pair.flow(f"--> {request_}")
    pair.flow(f"<-- {answer}")
    assert pair.silent()
    for node in (pair.a, pair.b):
        assert [event.child for event in node.told(ChildSaEstablished)] == ["net", "more"]
        assert (node.last(ChildSaEstablished).ke is not None) is bool(groups)
    made_a, made_b = pair.a.last(ChildSaEstablished), pair.b.last(ChildSaEstablished)
    assert (made_a.keys_in, made_a.keys_out) == (made_b.keys_out, made_b.keys_in)


def test_group_that_the_peer_wants() -> None:
    pair = first_only(with_second(19, 20), mirrored(with_second(20, 19)))
    pair.flow(f"--> {CREATE}")
    refusal = pair.flow("<-- CREATE_CHILD_SA { N(INVALID_KE_PAYLOAD) }").notify(NotifyType.INVALID_KE_PAYLOAD)
    assert refusal is not None
    assert refusal.data == b"\0\x14"
    pair.flow(f"--> {CREATE}")
    pair.flow(f"<-- {CHILD}")
    ke = pair.a.last(ChildSaEstablished).ke
    assert ke is not None
    assert ke.id == 20
    assert not pair.a.failures() + pair.b.failures()


def test_group_that_nobody_offered() -> None:
    pair = first_only(with_second(19))
    request = pair.a.outbox.popleft()
    refusal = pair.b.ike.channel.respond(
        pair.open(request), (Notify(notify_type=NotifyType.INVALID_KE_PAYLOAD, data=b"\0\x1f"),)
    )
    pair.a.receive(request._replace(octets=refusal[0], source=request.destination, destination=request.source))
    assert pair.a.last(ChildSaFailed).cause is Cause.NO_PROPOSAL_CHOSEN
    assert "001f" in pair.a.last(ChildSaFailed).detail
    assert pair.silent()


def test_no_common_proposal() -> None:
    other = replace(with_second(19).children[1], proposals=(esp_proposal(19, cipher=encr("ENCR_AES_CBC", 256)),))
    pair = first_only(with_second(19), mirrored(replace(LEFT_PEER, children=(child_policy(19), other))))
    pair.flow(f"--> {CREATE}")
    pair.flow("<-- CREATE_CHILD_SA { N(NO_PROPOSAL_CHOSEN) }")
    for node in (pair.a, pair.b):
        assert node.last(ChildSaFailed).cause is Cause.NO_PROPOSAL_CHOSEN
        assert len(node.living_spis()) == 1


def test_selectors_do_not_meet() -> None:
    pair = first_only(with_second(19), mirrored(with_second(19, remote="172.16.0.0/12")))
    pair.flow(f"--> {CREATE}")
    pair.flow("<-- CREATE_CHILD_SA { N(TS_UNACCEPTABLE) }")
    for node in (pair.a, pair.b):
        assert node.last(ChildSaFailed).cause is Cause.TS_UNACCEPTABLE
        assert node.ike.state is IkeState.ESTABLISHED


def test_a_busy_peer_is_asked_again() -> None:
    pair = first_only(with_second(19))
    pair.b.rekey_ike()
    pair.flow(f"--> {CREATE}")
    pair.flow("<-- CREATE_CHILD_SA { SA, Ni, KE }")
    pair.flow("<-- CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }")
    pair.flow("--> CREATE_CHILD_SA { N(TEMPORARY_FAILURE) }")
    assert pair.silent()
    pair.wait(40, deliver=True)
    assert [event.child for event in pair.a.told(ChildSaEstablished)] == ["net", "more"]
    assert pair.a.ike.predecessor is not None


def test_a_peer_that_is_always_busy_is_given_up() -> None:
    pair = first_only(with_second(19))
    for _ in range(20):
        if not pair.a.outbox:
            pair.wait(11)
        while pair.a.outbox:
            request = pair.a.outbox.popleft()
            busy = pair.b.ike.channel.respond(pair.open(request), (Notify(notify_type=NotifyType.TEMPORARY_FAILURE),))
            pair.a.receive(request._replace(octets=busy[0], source=request.destination, destination=request.source))
        if pair.a.told(ChildSaFailed):
            break
    assert pair.a.last(ChildSaFailed).cause is Cause.TEMPORARY_FAILURE


def test_the_ike_sa_ends_first() -> None:
    pair = first_only(with_second(19))
    pair.b.delete()
    pair.flow(f"<-- {DELETE}")
    assert pair.a.last(ChildSaFailed).cause is Cause.IKE_SA_GONE
    assert pair.a.last(ChildSaFailed).child == "more"
    assert not pair.a.sas


def test_both_ask_for_it_at_once() -> None:
    """Both requests are answered; of the two children one goes, on both sides the same one."""
    pair = Pair.established()
    pair.a.delete_child()
    pair.run()
    pair.a.initiate()
    pair.b.initiate()
    first = pair.hold(f"--> {CREATE}")
    pair.flow(f"<-- {CREATE}")
    pair.flow(f"--> {CREATE}", first)
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out
    for node in (pair.a, pair.b):
        assert node.living_spis() == {node.child.spi_in}
        assert node.sending_spi() == node.child.spi_out
        assert {event.cause for event in node.told(ChildSaDeleted)[1:]} == {Cause.REDUNDANT}


def test_deleted_before_its_making_was_answered() -> None:
    pair = first_only(with_second(19))
    pair.flow(f"--> {CREATE}")
    late = pair.hold(f"<-- {CHILD}")
    pair.b.delete_child(pair.b.children[-1])
    pair.flow(f"<-- {DELETE}")
    pair.flow(f"--> {EMPTY}")
    pair.flow(f"<-- {CHILD}", late)
    assert pair.silent()
    for node in (pair.a, pair.b):
        assert len(node.told(ChildSaEstablished)) == 2
        assert len(node.living_spis()) == 1


# ---- answers that are none to the offer ----


def answered(pair: Pair, kind: type[Payload], by: Payload) -> None:
    """Deliver b's answer to a with another payload of that kind in it."""
    answer = pair.b.outbox.popleft()
    header = IkeHeader.parse(answer.octets)

    def alter(first: int, chain: bytes) -> tuple[int, bytes]:
        payloads = Message.of(header, parse_payloads(split(first, chain))).payloads
        return join(tuple(by if type(each) is kind else each for each in payloads))

    pair.a.receive(resealed(pair, answer, alter))


def chosen(pair: Pair) -> SecurityAssociation:
    return pair.open(pair.b.outbox[0]).one(SecurityAssociation)


@pytest.mark.parametrize("wrong", ["selectors", "transform", "reserved SPI", "two proposals"])
def test_wrong_answers_are_not_accepted_and_the_peer_is_told(wrong: str) -> None:
    pair = first_only(with_second(19))
    pair.flow(f"--> {CREATE}")
    (choice,) = chosen(pair).proposals
    if wrong == "selectors":
        wide = TrafficSelectorsResponder(selectors=(TrafficSelector.of("10.0.0.0/8"),))
        answered(pair, TrafficSelectorsResponder, wide)
    else:
        proposals = {
            "transform": (replace(choice, transforms=esp_proposal(20).transforms),),
            "reserved SPI": (replace(choice, spi=b"\0\0\0\xff"),),
            "two proposals": (choice, replace(choice, number=2)),
        }[wrong]
        answered(pair, SecurityAssociation, SecurityAssociation(proposals=proposals))
    assert pair.a.last(ChildSaFailed).cause in (Cause.TS_UNACCEPTABLE, Cause.INVALID_SYNTAX)
    pair.flow(f"--> {DELETE}")  # of what the peer believes in
    pair.flow(f"<-- {DELETE}")
    assert len(pair.a.living_spis()) == len(pair.b.living_spis()) == 1
