"""Connections as read: what is left out, what an end says for itself, Azure's defaults."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.transforms import Strength, TransformType
from lab.errors import InputError
from lab.model.connection import Connection, Encapsulation, Initiative
from lab.topology.load import loads
from tests.lab.stage import CBC, GCM, gateways


def connection(more: str = "", a: str = "", b: str = "") -> Connection:
    return gateways(more=more, a=a, b=b).connections[0]


def names(proposal: Proposal) -> str:
    return "/".join(str(each) for each in proposal.transforms)


def test_what_is_left_out_is_azures_default() -> None:
    text = """
name: least
nodes: {a: {role: vnet-gateway}, b: {role: vpn-device}}
links: [{ends: [a:w, b:w], addresses: [10.1.0.1/30, 10.1.0.2/30], mtu: 1400}]
connections:
  - name: t
    ends: {a: {address: 10.1.0.1}, b: {address: 10.1.0.2, prefixes: 192.168.0.0/16}}
    psk: https://kv-own.vault.azure.net/secrets/psk
expect: {a--b: ipsec}
traffic: []
"""
    read = loads(text).connections[0]
    assert (read.mtu, read.mss, read.path_mtu, read.replay_window) == (1400, 1350, 1400, 1024)
    assert (read.policy_based, read.encapsulation) == (False, Encapsulation.AUTO)
    assert read.on_premises is read.b, "where either end may begin, the on-premises one does"
    for end in read.ends:
        assert (end.device, end.initiative, end.dpd_seconds) == ("ipsec0", Initiative.BOTH, 45)
        assert (end.policy.ike_seconds, end.policy.seconds, end.policy.kilobytes) == (28_800, 27_000, 102_400_000)
    assert read.a.peer_prefixes == read.b.prefixes == (IPNetwork("192.168.0.0/16"),)
    assert read.b.peer_prefixes == ()
    assert read.line == 6
    assert loads(text).tunnels("a") == ((read, read.a),)


def test_defaults_leave_out_what_is_insecure_unless_it_is_allowed() -> None:
    policy = connection("mode: Default").a.policy
    assert not policy.is_custom
    assert [len(each) for each in (policy.ike, policy.esp, policy.esp_accepted)] == [4, 4, 15]
    for proposal in (*policy.ike, *policy.esp, *policy.esp_accepted):
        assert all(each.strength is not Strength.INSECURE for each in proposal.transforms)
    assert {group.id for each in policy.ike for group in each.of(TransformType.KE)} == {2}
    assert not [each for each in policy.esp if each.of(TransformType.KE)]
    assert names(policy.esp[0]) == "ENCR_AES_GCM_16_256/NO_ESN"
    assert [each.number for each in policy.esp_accepted] == list(range(1, 16))
    allowed = connection("allow_insecure: true").a.policy
    # Without the group of 768 bits.
    assert [len(each) for each in (allowed.ike, allowed.esp, allowed.esp_accepted)] == [6, 6, 21]


def test_a_custom_policy_is_one_combination() -> None:
    policy = connection(CBC).b.policy
    assert policy.is_custom
    assert policy.esp == policy.esp_accepted
    assert [names(each) for each in policy.ike] == [
        "ENCR_AES_CBC_256/PRF_HMAC_SHA2_256/AUTH_HMAC_SHA2_256_128/MODP_2048"
    ]
    assert [names(each) for each in policy.esp] == ["ENCR_AES_CBC_256/AUTH_HMAC_SHA2_256_128/MODP_2048/NO_ESN"]
    modern = connection(GCM).a.policy
    assert names(modern.ike[0]) == "ENCR_AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384"
    assert names(modern.esp[0]) == "ENCR_AES_GCM_16_256/ECP_384/NO_ESN"


def test_an_end_has_its_own_way() -> None:
    read = connection(
        f"dpd_timeout_seconds: 30\n    {GCM}",
        a="mode: InitiatorOnly, device: tun7, dpd_timeout_seconds: 9",
        b=f"mode: ResponderOnly, psk: https://kv-test.vault.azure.net/secrets/other, peer_prefixes: 10.7.0.0/16, {CBC}",
    )
    assert (read.a.initiative, read.b.initiative) == (Initiative.INITIATOR, Initiative.RESPONDER)
    assert (read.a.device, read.b.device) == ("tun7", "ipsec0")
    assert (read.a.dpd_seconds, read.b.dpd_seconds) == (9, 30)
    assert (read.a.psk.secret, read.b.psk.secret) == ("psk", "other")
    assert read.b.peer_prefixes == (IPNetwork("10.7.0.0/16"),)
    assert names(read.b.policy.esp[0]) != names(read.a.policy.esp[0])


def test_devices_are_counted_at_each_node() -> None:
    text = """
name: two
nodes: {a: {role: vnet-gateway}, b: {role: vpn-device}, c: {role: vpn-device}}
links:
  - {ends: [a:ipsec0, b:w], addresses: [10.1.0.1/30, 10.1.0.2/30]}
  - {ends: [a:w, c:w], addresses: [10.1.0.5/30, 10.1.0.6/30]}
connections:
  - {name: t1, ends: {a: {address: 10.1.0.1}, b: {address: 10.1.0.2}}, psk: &p https://kv.vault.azure.net/secrets/p}
  - {name: t2, ends: {a: {address: 10.1.0.5}, c: {address: 10.1.0.6}}, psk: *p}
expect: {"*": ipsec}
traffic: []
"""
    read = loads(text.replace("//kv.", "//kv-own.")).connections
    assert [(each.a.device, each.b.device) for each in read] == [("ipsec1", "ipsec0"), ("ipsec2", "ipsec0")]
    assert [each.b.address for each in read] == [IPAddress("10.1.0.2"), IPAddress("10.1.0.6")]


def test_a_shared_policy_that_is_wrong_is_told_once() -> None:
    with pytest.raises(InputError) as caught:
        connection(GCM.replace("ECP384, pfs", "ECP385, pfs"))
    assert [problem.text for problem in caught.value.problems] == ["unknown dhGroup 'ECP385'; did you mean 'ECP384'?"]
