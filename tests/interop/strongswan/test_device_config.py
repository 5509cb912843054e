"""The configuration that we print for strongSwan, as it is printed, brings a tunnel up to our gateway."""

from __future__ import annotations

import pytest

from dataplane.ike.events import ChildSaEstablished
from lab.nodes.peers import peer_of
from lab.report.device_config import device_config
from lab.topology.load import loads
from tests.interop.gateway import Gateway
from tests.interop.strongswan.rig import OUR_ADDRESS, OUR_NET, SECRET, THEIR_ADDRESS, THEIR_NET, Rig

pytestmark = pytest.mark.interop

TOPOLOGY = """
name: device
vaults: {{kv-lab: {{psk: {{random: 32}}}}}}
nodes:
  vpn-device: {{role: vpn-device}}
  vnet-gateway: {{role: vnet-gateway}}
links:
  - {{ends: [vpn-device:wan, vnet-gateway:er], addresses: [{theirs}/24, {ours}/24]}}
connections:
  - name: to-azure
    ends:
      vpn-device: {{address: {theirs}, prefixes: {their_net}}}
      vnet-gateway: {{address: {ours}, prefixes: {our_net}}}
    psk: https://kv-lab.vault.azure.net/secrets/psk
    encapsulation: udp
    use_policy_based_traffic_selectors: true
    policy:
      saLifeTimeSeconds: 3600
      saDataSizeKilobytes: 102400000
      {policy}
expect: {{vpn-device--vnet-gateway: ipsec}}
traffic: [[vpn-device, vnet-gateway]]
"""
POLICIES = {
    "azure": "{ipsecEncryption: AES256, ipsecIntegrity: SHA256, ikeEncryption: AES256, ikeIntegrity: SHA256, "
    "dhGroup: DHGroup2, pfsGroup: PFS2}",
    "modern": "{ipsecEncryption: GCMAES256, ipsecIntegrity: GCMAES256, ikeEncryption: GCMAES256, ikeIntegrity: SHA384, "
    "dhGroup: ECP384, pfsGroup: ECP384}",
    "plain": "{ipsecEncryption: AES128, ipsecIntegrity: SHA1, ikeEncryption: AES128, ikeIntegrity: SHA384, "
    "dhGroup: DHGroup14, pfsGroup: None}",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_printed_is_enough(rig: Rig, policy: str) -> None:
    rig.end()
    fields = POLICIES[policy].strip("{}").replace(", ", "\n      ")
    text = TOPOLOGY.format(ours=OUR_ADDRESS, theirs=THEIR_ADDRESS, our_net=OUR_NET, their_net=THEIR_NET, policy=fields)
    topology = loads(text)
    (connection,) = topology.connections
    printed = device_config(topology, "to-azure", "strongswan", psk=SECRET)
    assert "SHARED-KEY" in device_config(topology, "to-azure", "strongswan"), "the key is printed only when it is given"
    rig.charon.configure_as_printed(printed.replace("start_action = start", "start_action = none"))
    azure = connection.end("vnet-gateway")
    rig.gateway = Gateway(rig.doors, peer_of(connection, azure, {str(azure.psk): SECRET.encode()}))
    rig.gateway.beside = (rig.out, rig.back)
    rig.obey(rig.charon.order("--initiate", "--child", "to-azure-1", "--timeout", "15"))
    assert rig.gateway.serve(lambda: bool(rig.gateway and rig.gateway.told(ChildSaEstablished))), rig.story()
    rig.pings_both_ways()
    rig.obey(rig.charon.order("--terminate", "--ike", "to-azure", "--timeout", "5", "--force"), status=None)
