"""BGP as written, and what each end of a session is told."""

from __future__ import annotations

import pytest
from netaddr import IPAddress, IPNetwork

from lab.errors import InputError
from lab.model.bgp import Bgp, HostRoute
from lab.topology.load import loads

TEXT = """
name: sessions
vaults: {{kv-lab: {{md5: {{random: 12}}}}}}
nodes:
  vpn-device:
    role: vpn-device
    addresses: [192.168.1.1/32]
    bgp:
      asn: 65001
      advertise: [192.168.1.0/24]
      neighbors:
        - {{node: ce}}
        - {{node: vnet-gateway, via: 203.0.113.2{host_route}, preference: 300{told}}}
  ce:
    role: ce
    bgp:
      asn: 65001
      neighbors:
        - {{node: vpn-device}}
        - {{node: msee1, password: https://kv-lab.vault.azure.net/secrets/md5}}
  msee1:
    role: msee
    bgp:
      asn: 12076
      neighbors:
        - {{node: ce, password: https://kv-lab.vault.azure.net/secrets/md5}}
        - {{node: vnet-gateway}}
  vnet-gateway:
    role: vnet-gateway
    addresses: [10.0.1.4/32, 10.0.1.30/32]
    bgp:
      asn: 65515
      peering_address: 10.0.1.30
      advertise: [{prefixes}]
      neighbors: [{{node: msee1}}, {{node: vpn-device}}]
links:
  - ends: [vpn-device:wan, ce:lan]
    addresses: [203.0.113.1/30, 203.0.113.2/30]
  - ends: [ce:link1, msee1:link1]
    addresses: [172.16.0.1/30, 172.16.0.2/30]
    tag: {{kind: dot1q, c_vid: 100}}
  - ends: [msee1:vnet, vnet-gateway:er1]
    addresses: [100.64.0.1/30, 100.64.0.2/30]
expect: {{"*": clear}}
traffic: [[vpn-device, vnet-gateway]]
"""


def text(*, host_route: str = "", told: str = "", prefixes: str = "10.0.0.0/16") -> str:
    return TEXT.format(host_route=host_route, told=told, prefixes=prefixes)


def speakers(written: str) -> dict[str, Bgp]:
    return {node.name: node.bgp for node in loads(written).nodes if node.bgp is not None}


def test_a_private_peering() -> None:
    known = speakers(text())
    ce, msee = known["ce"].neighbors[1], known["msee1"].neighbors[0]
    assert (ce.node, ce.asn, ce.address, ce.local_address) == (
        "msee1", 12076, IPAddress("172.16.0.2"), IPAddress("172.16.0.1"),
    )  # fmt: skip
    assert (ce.segment, ce.device, ce.multihop) == ("ce--msee1", "link1.tag", False)
    assert ce.bfd
    assert msee.bfd, "on by default for private peering"
    assert str(ce.password) == str(msee.password) == "https://kv-lab.vault.azure.net/secrets/md5"
    assert msee.hidden_asns == (65515,)
    assert (msee.most_prefixes, known["msee1"].neighbors[1].most_prefixes) == (4000, 1000)
    assert not known["ce"].neighbors[0].bfd


def test_a_session_over_other_links() -> None:
    known = speakers(text())
    device, gateway = known["vpn-device"].neighbors[1], known["vnet-gateway"].neighbors[1]
    assert (device.address, device.local_address) == (IPAddress("10.0.1.30"), IPAddress("192.168.1.1"))
    assert (gateway.address, gateway.local_address) == (IPAddress("192.168.1.1"), IPAddress("10.0.1.30"))
    assert device.multihop
    assert gateway.most_prefixes == 4000
    assert known["vpn-device"].host_routes == (
        HostRoute(destination=IPAddress("10.0.1.30"), via=IPAddress("203.0.113.2"), device=None),
    )
    assert speakers(text(host_route=", host_route: kernel"))["vpn-device"].host_routes[0].in_kernel


def test_azure_prefers_expressroute_where_nothing_is_said() -> None:
    known = speakers(text())
    assert [neighbor.preference for neighbor in known["vnet-gateway"].neighbors] == [200, 100]
    assert [neighbor.preference for neighbor in known["vpn-device"].neighbors] == [100, 300]


def test_who_passes_on_what_it_learned() -> None:
    known = speakers(text())
    assert {name: bgp.passes_on for name, bgp in known.items()} == {
        "vpn-device": False, "ce": True, "msee1": True, "vnet-gateway": False,
    }  # fmt: skip


def test_what_is_told_to_one_neighbour_alone() -> None:
    known = speakers(text(told=", advertise: [192.168.1.0/25]"))["vpn-device"]
    assert known.neighbors[1].advertise == (IPNetwork("192.168.1.0/25"),)
    assert known.originated == (IPNetwork("192.168.1.0/24"), IPNetwork("192.168.1.0/25"))


def many(count: int) -> str:
    return ", ".join(f"172.{16 + i // 65536}.{i // 256 % 256}.{i % 256}/32" for i in range(count))


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (text(told=f", advertise: [{many(4001)}]"), "4001 prefixes; a VPN gateway ends a session with more than 4000"),
        (text(prefixes=many(1001)), "1001 prefixes; ExpressRoute drops a connection with more than 1000"),
    ],
)
def test_limits(written: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        loads(written)


def test_at_the_limits() -> None:
    speakers(text(told=f", advertise: [{many(4000)}]"))
    speakers(text(prefixes=many(1000)))
