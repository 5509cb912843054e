"""What the two do not agree on: each refusal by its name, sent by either side, and what is left afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataplane.crypto.secret import Secret
from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    ChildSaEstablished,
    ChildSaFailed,
    IkeRekeyFailed,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaFailed,
    PeerHint,
)
from dataplane.ike.message import Message
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.payloads.opaque import OpaquePayload
from dataplane.ike.policy import IkePolicy, Ppk
from dataplane.ike.sa import IkeSa
from dataplane.ike.tasks.informational import Liveness
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.transforms import TransformType
from tests.interop.gateway import Gateway, psk
from tests.interop.strongswan.charon import Settings
from tests.interop.strongswan.rig import AZURE, MODERN, OUR_ADDRESS, OURS, THEIR_ADDRESS, Rig, in_child, our_peer

pytestmark = pytest.mark.interop

EITHER = pytest.mark.parametrize("by_us", [True, False], ids=["by-us", "by-strongswan"])
CHILD = our_peer(AZURE).children[0]


def attempt(rig: Rig, gateway: Gateway, *, by_us: bool, kind: type[Any]) -> Any:
    """Begin, and work until an event of that kind is told; that event."""
    if by_us:
        gateway.initiate()
    else:
        rig.obey(rig.charon.initiate(), status=None)
    assert gateway.serve(lambda: bool(gateway.told(kind))), rig.story()
    return gateway.told(kind)[0]


@EITHER
def test_shared_keys_differ(rig: Rig, by_us: bool) -> None:
    gateway = rig.prepare(ours={"psk": psk("another key")})
    failed = attempt(rig, gateway, by_us=by_us, kind=IkeSaFailed)
    assert (failed.cause, failed.begun_here) == (Cause.AUTHENTICATION_FAILED, by_us)
    assert not gateway.ike.sas
    assert rig.charon.living() == (set(), set())


@EITHER
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_identities_differ(rig: Rig, by_us: bool, whose: str) -> None:
    """Somebody is not who the other one wants: AUTHENTICATION_FAILED, whoever notices."""
    changed = {"local_id": Identity.fqdn("who.is.that")} if whose == "ours" else {"remote_id": Identity.fqdn("nobody")}
    gateway = rig.prepare(ours=changed)
    failed = attempt(rig, gateway, by_us=by_us, kind=IkeSaFailed)
    assert failed.cause in (Cause.AUTHENTICATION_FAILED, Cause.UNKNOWN_IDENTITY)
    assert gateway.serve(lambda: not gateway.ike.sas)
    assert rig.charon.living() == (set(), set())


@EITHER
def test_no_common_ike_proposal(rig: Rig, by_us: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataplane.ike.tasks.ike_sa_init.HINT_SECONDS", 0.5)
    gateway = rig.prepare(ours={"ike": IkePolicy(proposals=(MODERN.ike(),))})
    hint = attempt(rig, gateway, by_us=by_us, kind=PeerHint)
    assert hint.cause is Cause.NO_PROPOSAL_CHOSEN
    if by_us:
        assert gateway.serve(lambda: bool(gateway.told(IkeSaFailed))), rig.story()
        assert gateway.told(IkeSaFailed)[0].cause is Cause.NO_PROPOSAL_CHOSEN
    assert not gateway.ike.sas


@EITHER
def test_no_common_child_proposal(rig: Rig, by_us: bool) -> None:
    """The IKE SA stands, and a child that both can is made on it (RFC 7296 1.2)."""
    other = replace(CHILD, proposals=(MODERN.esp(),))
    gateway = rig.prepare(ours={"children": (other,)})
    failed = attempt(rig, gateway, by_us=by_us, kind=ChildSaFailed)
    assert failed.cause is Cause.NO_PROPOSAL_CHOSEN
    assert gateway.sa.is_initiator is by_us
    rig.charon.swanctl("--stats")
    if by_us:
        gateway.sa.peer = replace(gateway.peer, children=(CHILD,))
        gateway.ike._registry.peer_of[gateway.peer.name] = gateway.sa.peer
        gateway.initiate()
        rig.settled()
        rig.pings_both_ways()
        assert len(gateway.told(IkeSaEstablished)) == 1


@EITHER
def test_selectors_do_not_meet(rig: Rig, by_us: bool) -> None:
    elsewhere = replace(CHILD, local=(TrafficSelector.of("172.16.0.0/16"),))
    gateway = rig.prepare(ours={"children": (elsewhere,)})
    failed = attempt(rig, gateway, by_us=by_us, kind=ChildSaFailed)
    assert failed.cause is Cause.TS_UNACCEPTABLE
    assert gateway.serve(lambda: gateway.sa.active is None)
    assert len(rig.charon.living()[0]) == 1


@EITHER
@pytest.mark.parametrize(("our_groups", "their_esp"), [
    ((2,), "aes256-sha256"), ((), "aes256-sha256-modp1024"), ((19,), "aes256-sha256-modp1024"),
], ids=["ours-alone", "theirs-alone", "other-groups"])  # fmt: skip
def test_pfs_mismatch_shows_at_the_first_rekey(
    rig: Rig, by_us: bool, our_groups: tuple[int, ...], their_esp: str
) -> None:
    proposal = AZURE.esp(*our_groups) if our_groups else AZURE.esp().without(TransformType.KE)
    gateway = rig.prepare(
        ours={"children": (replace(CHILD, proposals=(proposal,)),)}, theirs=in_child({"esp_proposals": their_esp})
    )
    rig.establish(gateway)  # IKE_AUTH makes the first child without PFS: nobody notices
    rig.pings_both_ways()
    if by_us:
        gateway.rekey_child()
    else:
        rig.obey(rig.charon.rekey_child())
    assert gateway.serve(lambda: bool(gateway.told(ChildSaFailed))), rig.story()
    assert gateway.told(ChildSaFailed)[0].cause is Cause.PFS_MISMATCH
    assert gateway.told(ChildSaFailed)[0].rekeyed == gateway.child.spi_in
    rig.settled()
    rig.pings_both_ways()  # it lives on, until its lifetime is over


@EITHER
def test_ike_rekey_is_refused(rig: Rig, by_us: bool) -> None:
    gateway = rig.prepare()
    rig.establish(gateway)
    gateway.sa.peer = replace(gateway.peer, ike=IkePolicy(proposals=(MODERN.ike(),)))
    if by_us:
        gateway.rekey_ike()
    else:
        rig.obey(rig.charon.rekey_ike())
    assert gateway.serve(lambda: bool(gateway.told(IkeRekeyFailed))), rig.story()
    assert gateway.told(IkeRekeyFailed)[0].cause is Cause.NO_PROPOSAL_CHOSEN
    rig.pings_both_ways()
    rig.settled()


@EITHER
def test_child_that_the_other_does_not_know(rig: Rig, by_us: bool) -> None:
    """CHILD_SA_NOT_FOUND: whoever asked makes a new one."""
    gateway = rig.prepare()
    rig.establish(gateway)
    if by_us:
        gateway.child.spi_in = b"lost"
        gateway.rekey_child()
    else:
        gateway.sa.children._all.clear()
        rig.obey(rig.charon.rekey_child())
    assert gateway.serve(lambda: len(gateway.told(ChildSaEstablished)) == 2), rig.story()
    if by_us:
        assert gateway.told(ChildSaDeleted)[0].cause is Cause.CHILD_SA_NOT_FOUND
    else:
        rig.settled()
    rig.pings_both_ways()


REQUIRED = Ppk(identity=b"lab", secret=Secret(b"no quantum computer helps"), required=True)
THEIR_PPK: Settings = {"ppk-lab": {"id": "lab", "secret": '"no quantum computer helps"'}}


@EITHER
@pytest.mark.parametrize("who", ["we", "strongswan"])
def test_post_quantum_preshared_key_that_one_side_requires(rig: Rig, by_us: bool, who: str) -> None:
    if who == "we":
        gateway = rig.prepare(ours={"ppk": REQUIRED})
    else:
        secrets: Settings = {"ike-lab": {"secret": '"a key that both know"'}, **THEIR_PPK}
        gateway = rig.prepare(theirs={"ppk_id": "lab", "ppk_required": "yes"}, secrets=secrets)
    if who == "strongswan" and not by_us:
        # It goes no further than IKE_SA_INIT: to us, somebody who did not go on.
        rig.obey(rig.charon.initiate(), status=None)
        assert rig.charon.living() == (set(), set())
        assert not gateway.told(IkeSaEstablished)
        return
    failed = attempt(rig, gateway, by_us=by_us, kind=IkeSaFailed)
    assert failed.cause is (Cause.PPK_MISMATCH if who == "we" else Cause.AUTHENTICATION_FAILED)
    assert rig.charon.living() == (set(), set())


# ---- messages that must not be ----


class Tell(Liveness):
    """An INFORMATIONAL request with something in it, and the answer to it."""

    def __init__(self, *payloads: Payload) -> None:
        self.payloads = payloads
        self.answer: Message | None = None

    def build(self, sa: IkeSa, now: float) -> tuple[Payload, ...]:
        return self.payloads

    def process(self, sa: IkeSa, message: Message, now: float) -> None:
        self.answer = message


def test_critical_payload_that_charon_does_not_understand(rig: Rig) -> None:
    gateway = rig.prepare()
    rig.establish(gateway)
    task = Tell(OpaquePayload(payload_type=200, body=b"news", critical=True))
    gateway.sa.enqueue(task)
    gateway.sa.run(gateway.now)
    assert gateway.serve(lambda: task.answer is not None), rig.story()
    assert task.answer is not None
    assert task.answer.notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD) is not None
    rig.pings_both_ways()


def test_malformed_payload_within_an_ike_sa(rig: Rig) -> None:
    """INVALID_SYNTAX is fatal on both sides (RFC 7296 2.21.3)."""
    gateway = rig.prepare()
    rig.establish(gateway)
    gateway.sa.enqueue(Tell(OpaquePayload(payload_type=41, body=b"\x00")))
    gateway.sa.run(gateway.now)
    assert gateway.serve(lambda: not gateway.ike.sas), rig.story()
    assert gateway.told(IkeSaDeleted)[0].cause is Cause.INVALID_SYNTAX


def test_next_version_of_ike(rig: Rig) -> None:
    """Each tells the other which version it speaks."""
    gateway = rig.prepare()
    gateway.initiate()
    (request,) = gateway.ike.to_send(gateway.now)
    octets = bytearray(request.octets)
    octets[17] = 0x30
    stranger = rig.world.udp(OURS, OUR_ADDRESS, 5000)
    stranger.sendto(octets, (THEIR_ADDRESS, 500))
    gateway.rest(0.3)
    answer = Message.parse(stranger.recv(65536))
    stranger.close()
    assert answer.notify(NotifyType.INVALID_MAJOR_VERSION) is not None
