"""SAKs made, distributed and taken; and each reason not to take one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from dataplane.crypto.secret import Secret
from dataplane.macsec.suites import (
    CIPHER_SUITES,
    GCM_AES_128,
    GCM_AES_256,
    GCM_AES_XPN_128,
    GCM_AES_XPN_256,
    CipherSuite,
)
from dataplane.mka.agreed import AgreedSak, Refusal, SakPolicy, distribute, generate, take
from dataplane.mka.keys import Cak, number_sscis, xpn_salt
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.header import SetHeader
from dataplane.mka.paramsets.peerlists import LivePeerList, PeerId
from dataplane.mka.paramsets.sakuse import KeyIdentifier

CAK = Cak(cak=Secret(bytes(range(32))), ckn=b"ckn")
SERVER, OWN, THIRD = b"server------", b"own---------", b"third-------"
SCIS = {SERVER: b"\x02" * 8, OWN: b"\x03" * 8, THIRD: b"\x01" * 8}


def made(policy: SakPolicy, members: tuple[bytes, ...] = (OWN,)) -> tuple[AgreedSak, DistributedSak, LivePeerList]:
    agreed = generate(
        CAK,
        policy,
        own=(SERVER, SCIS[SERVER]),
        peers={mi: SCIS[mi] for mi in members},
        kn=5,
        an=2,
        random=random.Random(1).randbytes,
        now=0.0,
    )
    order = sorted(members, key=lambda mi: SCIS[mi], reverse=True)
    live = LivePeerList(key_server_ssci=agreed.members[SERVER], peers=tuple(PeerId(mi, 1) for mi in order))
    return agreed, distribute(agreed, CAK, policy), live


def taken(
    distributed: DistributedSak,
    live: LivePeerList | None,
    policy: SakPolicy,
    *,
    known: dict[bytes, bytes] = SCIS,
    cak: Cak = CAK,
) -> AgreedSak | Refusal:
    return take(
        distributed, live, cak, policy, own_mi=OWN, server_mi=SERVER, sci_of=known.get, now=0.0
    )  # fmt: skip


@pytest.mark.parametrize("members", [(OWN,), (OWN, THIRD)], ids=["two", "three"])
@pytest.mark.parametrize("offset", [0, 30, 50])
@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_what_is_distributed_is_what_is_taken(suite: CipherSuite, offset: int, members: tuple[bytes, ...]) -> None:
    policy = SakPolicy(suite=suite, confidentiality_offset=offset)
    agreed, distributed, live = made(policy, members)
    octets = distributed.emit()
    header = SetHeader.parse(octets)
    received = DistributedSak.parse(header, octets[4 : 4 + header.body_octets])
    assert taken(received, live, policy) == agreed
    assert agreed.identifier == KeyIdentifier(SERVER, 5)
    if suite.xpn:
        assert agreed.sak.salt == xpn_salt(agreed.identifier)
        sscis = number_sscis(SCIS[mi] for mi in (SERVER, *members))
        assert agreed.members == {mi: sscis[SCIS[mi]] for mi in (SERVER, *members)}


def test_no_two_saks_are_alike() -> None:
    policy = SakPolicy(suite=GCM_AES_128)
    entropy = random.Random(2).randbytes
    keys = {
        generate(
            CAK, policy, own=(SERVER, SCIS[SERVER]), peers={OWN: SCIS[OWN]}, kn=kn, an=0, random=entropy, now=0.0
        ).sak.key.reveal()
        for kn in range(1, 50)
    }
    assert len(keys) == 49


@pytest.mark.parametrize("theirs", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("ours", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_only_our_cipher_suite(ours: CipherSuite, theirs: CipherSuite) -> None:
    _, distributed, live = made(SakPolicy(suite=theirs))
    result = taken(distributed, live, SakPolicy(suite=ours))
    assert (result is Refusal.CIPHER_SUITE) == (ours is not theirs)


def test_a_cipher_suite_that_nobody_knows() -> None:
    _, distributed, live = made(SakPolicy(suite=GCM_AES_256))
    assert (
        taken(replace(distributed, cipher_suite=bytes(8)), live, SakPolicy(suite=GCM_AES_256)) is Refusal.CIPHER_SUITE
    )


def test_a_key_of_another_length_than_the_suite_has() -> None:
    _, distributed, live = made(SakPolicy(suite=GCM_AES_256))
    short = replace(distributed, cipher_suite=GCM_AES_XPN_128.identifier)
    assert taken(short, live, SakPolicy(suite=GCM_AES_XPN_128)) is Refusal.CIPHER_SUITE


def test_the_identifier_that_the_first_edition_printed_means_the_same() -> None:
    policy = SakPolicy(suite=GCM_AES_128, explicit_suite=True)
    agreed, distributed, live = made(policy)
    assert distributed.cipher_suite == GCM_AES_128.identifier
    old = replace(distributed, cipher_suite=bytes.fromhex("0080020001000001"))
    assert taken(old, live, SakPolicy(suite=GCM_AES_128)) == agreed


def test_integrity_only_against_our_policy() -> None:
    _, distributed, live = made(SakPolicy(suite=GCM_AES_128, confidentiality=False))
    assert distributed.confidentiality == 0
    assert taken(distributed, live, SakPolicy(suite=GCM_AES_128)) is Refusal.CONFIDENTIALITY


def test_confidentiality_is_taken_though_our_policy_is_without() -> None:
    _, distributed, live = made(SakPolicy(suite=GCM_AES_128))
    result = taken(distributed, live, SakPolicy(suite=GCM_AES_128, confidentiality=False))
    assert isinstance(result, AgreedSak)
    assert result.sak.confidentiality


def test_no_macsec() -> None:
    assert taken(DistributedSak(), None, SakPolicy(suite=GCM_AES_128)) is Refusal.NO_MACSEC


def test_a_sak_for_others() -> None:
    policy = SakPolicy(suite=GCM_AES_128)
    _, distributed, _ = made(policy)
    assert taken(distributed, None, policy) is Refusal.NOT_LISTED
    assert taken(distributed, LivePeerList(peers=(PeerId(THIRD, 1),)), policy) is Refusal.NOT_LISTED


def test_a_sak_wrapped_with_another_key() -> None:
    policy = SakPolicy(suite=GCM_AES_128)
    _, distributed, live = made(policy)
    other = Cak(cak=Secret(bytes(32)), ckn=b"ckn")
    assert taken(distributed, live, policy, cak=other) is Refusal.DAMAGED


def test_sscis_wait_for_members_that_were_not_heard_unless_the_key_server_orders_them() -> None:
    policy = SakPolicy(suite=GCM_AES_XPN_256)
    agreed, distributed, live = made(policy, (OWN, THIRD))
    partly = {SERVER: SCIS[SERVER], OWN: SCIS[OWN]}
    assert taken(distributed, replace(live, key_server_ssci=0), policy, known=partly) is Refusal.UNKNOWN_MEMBER
    assert taken(distributed, live, policy, known=partly) == agreed  # MKA version 3
