"""Tunnels with strongSwan, begun by either side, replaced by either side, while traffic goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dataplane.crypto.secret import Secret
from dataplane.ike.events import (
    Cause,
    ChildSaDeleted,
    ChildSaEstablished,
    IkeSaDeleted,
    IkeSaEstablished,
    IkeSaRekeyed,
)
from dataplane.ike.front_door import Thresholds
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.payloads.kinds import PayloadType
from dataplane.ike.policy import IkePolicy, Lifetime, Ppk
from dataplane.ike.window import Retransmission
from dataplane.ipsec.selectors import TrafficSelector
from tests.interop.strongswan.charon import Settings
from tests.interop.strongswan.rig import (
    AZURE,
    CHACHA,
    MODERN,
    OUR_ADDRESS,
    OURS,
    SECRET,
    THEIR_ADDRESS,
    Policy,
    Rig,
    in_child,
    our_peer,
)

pytestmark = pytest.mark.interop

EITHER = pytest.mark.parametrize("by_us", [True, False], ids=["by-us", "by-strongswan"])


@EITHER
@pytest.mark.parametrize("policy", [AZURE, MODERN, CHACHA], ids=str)
def test_replaced_by_either_side_without_losing_a_packet(rig: Rig, policy: Policy, by_us: bool) -> None:
    gateway = rig.prepare(policy)
    rig.establish(gateway, by_us=by_us)
    assert gateway.child.is_initiator is by_us
    rig.pings_both_ways(0)
    rig.pings_both_ways(1372)
    pings = (rig.out.begin(80), rig.back.begin(80))
    seen = {gateway.child.spi_in}
    for rekey in (gateway.rekey_child, rig.charon.rekey_child, gateway.rekey_ike, rig.charon.rekey_ike,
                  rig.charon.rekey_child, gateway.rekey_child):  # fmt: skip
        before = len(gateway.told(ChildSaEstablished)) + len(gateway.told(IkeSaRekeyed))
        command = rekey()
        if command is not None:
            rig.obey(command)
        assert gateway.serve(
            lambda: len(gateway.told(ChildSaEstablished)) + len(gateway.told(IkeSaRekeyed)) > before  # noqa: B023
        ), rig.story()
        rig.settled()
        seen.add(gateway.child.spi_in)
        gateway.rest(0.1)
    assert len(seen) == 5
    assert len(gateway.told(IkeSaRekeyed)) == 2
    assert gateway.child.ke is not None
    assert gateway.child.ke.id == policy.groups[0]  # PFS
    rig.all_arrive(*pings)
    assert {event.cause for event in gateway.told(ChildSaDeleted)} == {Cause.REKEYED}
    assert {event.cause for event in gateway.told(IkeSaDeleted)} == {Cause.REKEYED}
    assert not gateway.esp.counters.discarded
    assert not gateway.ike.discarded


@EITHER
def test_closed_by_either_side(rig: Rig, by_us: bool) -> None:
    gateway = rig.prepare()
    rig.establish(gateway)
    if by_us:
        gateway.ike.delete_child(gateway.child.spi_in, gateway.now)
    else:
        rig.obey(rig.charon.terminate_child())
    assert gateway.serve(lambda: bool(gateway.told(ChildSaDeleted))), rig.story()
    assert not rig.charon.living()[1]
    rig.establish(gateway, by_us=by_us)  # another child, on the IKE SA that is there
    rig.pings_both_ways()
    assert len(gateway.told(IkeSaEstablished)) == 1
    if by_us:
        gateway.ike.delete(gateway.peer.name, gateway.now)
    else:
        rig.obey(rig.charon.terminate())
    assert gateway.serve(lambda: not gateway.ike.sas), rig.story()
    assert gateway.told(IkeSaDeleted)[-1].cause is (Cause.CLOSED_HERE if by_us else Cause.CLOSED_BY_PEER)
    assert rig.charon.living() == (set(), set())


# ---- IKE_SA_INIT ----


@pytest.fixture(scope="module")
def suspicious(strongswan: None) -> Iterator[Rig]:
    with Rig({"cookie_threshold": 1, "cookie_threshold_ip": 1, "fragment_size": 180}) as made:
        yield made


def test_cookie_that_charon_wants(suspicious: Rig) -> None:
    gateway = suspicious.prepare()
    stranger = suspicious.world.udp(OURS, OUR_ADDRESS, 5000)
    gateway.initiate()
    (request,) = gateway.ike.to_send(gateway.now)
    for spi in (b"stranger", b"stranges"):
        stranger.sendto(spi + request.octets[8:], (THEIR_ADDRESS, 500))
    gateway.rest(0.1)
    gateway.ike.delete(gateway.peer.name, gateway.now)
    stranger.close()
    suspicious.establish(gateway)
    suspicious.pings_both_ways()
    assert "sending COOKIE" in suspicious.charon.log() or "N(COOKIE)" in suspicious.charon.log()


def test_cookie_that_we_want(rig: Rig) -> None:
    gateway = rig.prepare(thresholds=Thresholds(cookies=0))
    rig.establish(gateway, by_us=False)
    rig.pings_both_ways()
    assert gateway.ike.discarded == {"asked for a cookie": 1}


def test_group_that_charon_wants(rig: Rig) -> None:
    """INVALID_KE_PAYLOAD in IKE_SA_INIT, then in CREATE_CHILD_SA for the child and for the IKE SA."""
    ours = {
        "ike": IkePolicy(proposals=(AZURE.ike(19, 14),)),
        "children": (replace(our_peer(AZURE).children[0], proposals=(AZURE.esp(19, 14),)),),
    }
    theirs = {"proposals": "aes256-sha256-modp2048", **in_child({"esp_proposals": "aes256-sha256-modp2048"})}
    gateway = rig.prepare(ours=ours, theirs=theirs)
    before = rig.charon.log().count("N(INVAL_KE)")
    rig.establish(gateway)
    assert gateway.sa.suite is not None
    assert gateway.sa.suite.ke.id == 14
    gateway.rekey_child()
    rig.settled()
    assert gateway.serve(lambda: gateway.child.ke is not None and gateway.child.ke.id == 14), rig.story()
    gateway.rekey_ike()
    assert gateway.serve(lambda: bool(gateway.told(IkeSaRekeyed))), rig.story()
    rig.settled()
    rig.pings_both_ways()
    assert rig.charon.log().count("N(INVAL_KE)") == before + 3


def test_group_that_we_want(rig: Rig) -> None:
    ours = {
        "ike": IkePolicy(proposals=(AZURE.ike(14),)),
        "children": (replace(our_peer(AZURE).children[0], proposals=(AZURE.esp(14),)),),
    }
    theirs = {
        "proposals": "aes256-sha256-ecp256-modp2048",
        **in_child({"esp_proposals": "aes256-sha256-ecp256-modp2048"}),
    }
    gateway = rig.prepare(ours=ours, theirs=theirs)
    before = rig.charon.log().count("N(INVAL_KE)")
    rig.establish(gateway, by_us=False)
    rig.obey(rig.charon.rekey_child())
    assert gateway.serve(lambda: gateway.child.ke is not None and gateway.child.ke.id == 14), rig.story()
    rig.settled()
    rig.obey(rig.charon.rekey_ike())
    assert gateway.serve(lambda: bool(gateway.told(IkeSaRekeyed))), rig.story()
    rig.settled()
    rig.pings_both_ways()
    assert rig.charon.log().count("N(INVAL_KE)") >= before + 2


# ---- what the two agree on ----


@EITHER
def test_narrowing(rig: Rig, by_us: bool) -> None:
    """Whoever asks asks for everything; the other one allows what it knows."""
    everything = (TrafficSelector.of("0.0.0.0/0"),)
    child = our_peer(AZURE).children[0]
    wide: Settings = in_child({"local_ts": "0.0.0.0/0", "remote_ts": "0.0.0.0/0"})
    if by_us:
        gateway = rig.prepare(ours={"children": (replace(child, local=everything, remote=everything),)})
    else:
        gateway = rig.prepare(theirs=wide)
    rig.establish(gateway, by_us=by_us)
    for _ in range(2):
        assert gateway.child.local_selectors == child.local
        assert gateway.child.remote_selectors == child.remote
        rig.pings_both_ways()
        gateway.rekey_child()
        rig.settled()


@EITHER
@pytest.mark.parametrize("identities", [
    (Identity.fqdn("ce.example.com"), Identity.fqdn("gateway.example.com"), "ce.example.com", "gateway.example.com"),
    (Identity.key_id(b"\x01ce"), Identity.email("gw@example.com"), '"@#016365"', "gw@example.com"),
], ids=["names", "key-id"])  # fmt: skip
def test_identities(rig: Rig, by_us: bool, identities: tuple[Identity, Identity, str, str]) -> None:
    ours, theirs, our_text, their_text = identities
    gateway = rig.prepare(
        ours={"local_id": ours, "remote_id": theirs},
        theirs={"local": {"id": their_text}, "remote": {"id": our_text}},
    )
    rig.establish(gateway, by_us=by_us)
    assert gateway.told(IkeSaEstablished)[0].remote_id == theirs
    rig.pings_both_ways()


@EITHER
@pytest.mark.parametrize("policy", [AZURE, MODERN], ids=str)
def test_fragments(suspicious: Rig, policy: Policy, by_us: bool) -> None:
    rig = suspicious
    gateway = rig.prepare(policy, ours={"fragment_octets": 200}, theirs={"fragmentation": "force"})
    rig.establish(gateway, by_us=by_us)
    rig.pings_both_ways()
    gateway.rekey_ike()
    assert gateway.serve(lambda: bool(gateway.told(IkeSaRekeyed))), rig.story()
    rig.settled()
    rig.obey(rig.charon.rekey_child())
    rig.settled()
    rig.pings_both_ways()
    assert gateway.said[PayloadType.SKF] >= 4
    assert gateway.heard[PayloadType.SKF] >= 4
    assert not gateway.ike.discarded - Counter({"fragment of a message that is not complete yet": 100})


@EITHER
@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
def test_post_quantum_preshared_key(rig: Rig, by_us: bool, required: bool) -> None:
    text = "no quantum computer helps"
    ppk = Ppk(identity=b"lab", secret=Secret(text.encode()), required=required)
    gateway = rig.prepare(
        ours={"ppk": ppk},
        theirs={"ppk_id": "lab", "ppk_required": "yes" if required else "no"},
        secrets={"ike-lab": {"secret": f'"{SECRET}"'}, "ppk-lab": {"id": "lab", "secret": f'"{text}"'}},
    )
    rig.establish(gateway, by_us=by_us)
    assert gateway.told(IkeSaEstablished)[0].uses_ppk
    gateway.rekey_ike()
    rig.settled()
    rig.obey(rig.charon.rekey_child())
    rig.settled()
    rig.pings_both_ways()


def test_post_quantum_preshared_key_that_only_we_have(rig: Rig) -> None:
    ppk = Ppk(identity=b"lab", secret=Secret(b"no quantum computer helps"), required=False)
    gateway = rig.prepare(ours={"ppk": ppk})
    rig.establish(gateway)
    assert not gateway.told(IkeSaEstablished)[0].uses_ppk
    rig.pings_both_ways()


# ---- lifetimes and silence ----


@pytest.mark.parametrize("ours", [True, False], ids=["our-limit", "strongswans-limit"])
def test_octets_run_out_in_the_middle_of_pings(rig: Rig, ours: bool) -> None:
    child = our_peer(AZURE).children[0]
    if ours:
        limited = replace(child, lifetime=Lifetime(seconds=3600, octets=60_000, margin=0.5))
        gateway = rig.prepare(ours={"children": (limited,)})
    else:
        gateway = rig.prepare(theirs=in_child({"rekey_bytes": 30_000, "life_bytes": 60_000, "rand_bytes": 0}))
    rig.establish(gateway)
    rig.all_arrive(rig.out.begin(150, 1000))
    rig.settled()
    assert len(gateway.told(ChildSaEstablished)) >= 4
    assert {event.cause for event in gateway.told(ChildSaDeleted)} == {Cause.REKEYED}


def test_seconds_run_out_on_both_sides(rig: Rig) -> None:
    """Soft limits of a second on both sides, so that rekeys also cross; nothing is lost."""
    child = replace(our_peer(AZURE).children[0], lifetime=Lifetime(seconds=2.0, margin=0.5, jitter=0.1))
    gateway = rig.prepare(ours={"children": (child,)}, theirs=in_child({"rekey_time": "1s", "rand_time": "0s"}))
    rig.establish(gateway)
    rig.all_arrive(rig.out.begin(200))
    rig.settled()
    assert len(gateway.told(ChildSaEstablished)) >= 3
    assert {event.cause for event in gateway.told(ChildSaDeleted)} <= {Cause.REKEYED, Cause.REDUNDANT}


def test_signs_of_life(rig: Rig) -> None:
    """Each asks the other one after a moment of silence, and gets an answer."""
    gateway = rig.prepare(ours={"dpd_seconds": 0.5}, theirs={"dpd_delay": "1s"})
    rig.establish(gateway)
    before = (gateway.said[PayloadType.SK], gateway.heard[PayloadType.SK])
    gateway.rest(2.5)
    after = (gateway.said[PayloadType.SK], gateway.heard[PayloadType.SK])
    assert after[0] >= before[0] + 2
    assert after[1] >= before[1] + 2
    rig.settled()


@pytest.fixture(scope="module")
def impatient(strongswan: None) -> Iterator[Rig]:
    with Rig({"retransmit_timeout": "0.2", "retransmit_tries": 2}) as made:
        yield made


def test_charon_finds_us_dead(impatient: Rig) -> None:
    gateway = impatient.prepare(theirs={"dpd_delay": "1s"})
    impatient.establish(gateway)
    gateway.deaf = True
    assert gateway.serve(lambda: not impatient.charon.living()[0]), impatient.story()
    assert "giving up after 2 retransmits" in impatient.charon.log()


def test_we_find_charon_dead(impatient: Rig) -> None:
    quick = Retransmission(first=0.1, factor=1.5, tries=3)
    gateway = impatient.prepare(ours={"dpd_seconds": 0.3, "retransmission": quick})
    impatient.establish(gateway)
    gateway.deaf = True
    assert gateway.serve(lambda: bool(gateway.told(IkeSaDeleted))), impatient.story()
    assert gateway.told(IkeSaDeleted)[0].cause is Cause.PEER_DEAD


def test_charon_begins_anew(rig: Rig) -> None:
    """INITIAL_CONTACT: what there was is dropped, and one tunnel is left."""
    gateway = rig.prepare()
    rig.establish(gateway)
    gateway.deaf = True
    rig.charon.terminate(patience=1).result()
    gateway.deaf = False
    gateway.doors.drain()
    rig.obey(rig.charon.initiate())
    rig.settled()
    assert {event.cause for event in gateway.told(IkeSaDeleted)} == {Cause.INITIAL_CONTACT}
    rig.pings_both_ways()
