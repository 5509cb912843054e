"""Each of Azure's rules for ExpressRoute, MACsec and tunnels, with the message by which a breach of it is refused.

A rule that depends on what is found at run time (who may read a vault, what a secret holds) has its tests beside the
vault; one that needs thousands of lines (limits of prefixes) is tested in `tests/unit/lab/topology/test_sessions.py`.
"""

from __future__ import annotations

import pytest

from tests.golden.render import HERE

RULES = [
    # MACsec and ExpressRoute Direct
    ("MACsec is for the ports of ExpressRoute Direct alone", "provider", "is a provider: MACsec protects one wire"),
    ("no MACsec on the links of a provider's circuit", "azure-ports", "MACsec is offered on the ports of"),
    ("a CKN and a CAK, both", "mka", "MKA needs 'cak' as well"),
    ("a CKN has up to 64 hex digits, an even number", "mka", "a CKN has an even number of hex digits, 2 to 64"),
    ("a CAK is as long as the cipher's key", "mka", "a CAK of GcmAesXpn256 has 64 hex digits"),
    ("four ciphers, spelt so", "macsec", "unknown cipher 'gcmaes128'"),
    ("SCI states, spelt so", "macsec", "unknown sci_state 'enabled'"),
    ("names of vaults", "macsec", "a vault has a name of 3 to 24 letters, digits and single hyphens"),
    ("names of secrets", "macsec", "a secret has a name of 1 to 127 letters, digits and hyphens"),
    ("a secret is named by its URL", "mka", "write https://VAULT.vault.azure.net/secrets/SECRET"),
    ("two links", "azure-ports", "a port pair has two links, link1 and link2: name two segments"),
    ("link1 and link2 are their names", "azure-ports", "'link3' is no link of a port pair"),
    ("admin states", "azure-ports", "unknown admin_state 'On'"),
    ("from the customer's edge to Microsoft's", "azure-ports", "a link of ExpressRoute Direct goes from the"),
    ("10 or 100 Gb/s a port", "azure-ports", "is not a port of ExpressRoute Direct; write 10 or 100"),
    ("bandwidths of circuits on a port pair", "azure-ports", "is not a circuit of a 10 Gb/s port pair"),
    ("twice the bandwidth in sum", "azure-ports", "a 10 Gb/s port pair takes up to 20000"),
    ("bandwidths of a provider's circuits", "azure-ports", "300 Mb/s is not a provider's circuit"),
    ("Dot1Q or QinQ", "azure-ports", "unknown encapsulation 'Dot1q'"),
    ("tags by the encapsulation", "azure-ports", "the encapsulation is QinQ and ce--msee2 has `kind: dot1q`"),
    ("with Dot1Q a VLAN once a port pair", "azure-ports", "with Dot1Q it is unique on the port pair"),
    ("both links bear a circuit's tags alike", "azure-switches", "both links of a port pair bear a circuit's tags"),
    ("a port takes IP packets of 1500 octets", "azure-ports", "a port of ExpressRoute Direct takes up to 1500"),
    ("a peering takes a /30 a link", "bgp", "a peering takes a /30 a link"),
    ("the customer has the first host", "bgp", "the customer takes the first host"),
    ("Microsoft has the second", "bgp", "Microsoft takes the second host"),
    ("Microsoft is AS 12076", "bgp", "the Microsoft edge's ASN is 12076 on every peering"),
    ("an MD5 key has up to 25 characters", "bgp", "an MD5 key of a peering has 1 to 25 printable characters"),
    # tunnels over private peering
    ("a size with zones", "azure-beside", "a Basic has no private address for tunnels"),
    ("sizes without zones are closed", "azure-networks", "no VpnGw2 can be made any more; take VpnGw2AZ"),
    ("the gateway's private address", "azure-switches", "vpn has no private address to use; write `private_ip: true`"),
    ("the connection uses it", "azure-beside", "without `use_local_azure_ip_address: true`"),
    ("there is a private peering", "azure-beside", "its network has no ExpressRoute gateway, so there is no"),
    ("the local network gateway has the outer address", "azure-tunnels", "wrong has address 172.20.0.9, and tunnel"),
    # two gateways beside each other
    ("a GatewaySubnet of a /27", "azure-networks", "a GatewaySubnet for both is a /27 or larger"),
    ("GatewaySubnet, spelt so", "azure-networks", "gateways go into a subnet that is called GatewaySubnet"),
    ("route-based", "azure-beside", "a PolicyBased VPN gateway cannot be beside er; write RouteBased"),
    ("not Basic", "azure-beside", "a Basic VPN gateway cannot be beside er"),
    ("the ASN stays 65515", "bgp", "then its ASN stays 65515"),
    ("no route table by VirtualNetworkGateway", "azure-networks", "next hop VirtualNetworkGateway does nothing"),
    ("no default route at the GatewaySubnet", "azure-networks", "the GatewaySubnet takes no route for 0.0.0.0/0"),
    ("no security group at the GatewaySubnet", "azure-networks", "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet"),
    # BGP
    ("ASNs of Azure's", "bgp", "ASN 65515 is reserved by Azure"),
    ("ASNs of IANA's", "bgp-numbers", "ASN 65551 is reserved by IANA"),
    ("ASNs of IANA's at a gateway alone", "bgp-numbers", "ASN 64500 is reserved by IANA"),
    ("on-premises has another ASN", "bgp-numbers", "are both AS 65010; on-premises differs from Azure"),
    ("also by the local network gateway", "azure-beside", "lng and vpn are both AS 65515"),
    ("custom BGP addresses are APIPA", "bgp-numbers", "a custom BGP address of a VPN gateway is of 169.254.21.0"),
    ("Azure chooses the others itself", "azure-beside", "Azure takes one of its GatewaySubnet, 10.0.1.0/27, itself"),
    ("the /32 of the BGP peer", "azure-beside", "add 192.168.1.1/32"),
    ("the BGP peer is not the outer address", "azure-networks", "203.0.113.1 is the device's tunnel address, too"),
    ("BGP needs ASN and address", "azure-networks", "BGP needs both, `asn:` and `bgp_peering_address:`, or neither"),
    ("Basic speaks no BGP", "azure-beside", "vpn is a Basic, which speaks no BGP"),
    ("no exact prefix of the network back", "bgp", "Azure takes no exact prefix of a virtual network from on-premises"),
    ("no prefix of the network on-premises", "azure-networks", "overlaps with the address space of vnet-hub; what"),
    # policies
    ("all eight fields", "ipsec-policies", "a custom policy has all of its eight fields, or there is none"),
    ("GCM checks integrity itself", "ipsec-policies", "GCMAES256 checks integrity itself: write `ipsecIntegrity: GCM"),
    ("GCM's integrity for GCM alone", "ipsec-policies", "GCMAES256 is the integrity of ipsecEncryption GCMAES256 alo"),
    ("no encryption only if it is meant", "ipsec-policies", "ipsecEncryption None is insecure"),
    ("seconds of an SA", "ipsec-policies", "'saLifeTimeSeconds' goes from 300 to"),
    ("kilobytes of an SA", "ipsec-policies", "'saDataSizeKilobytes' goes from 1024 to"),
    ("group 1", "ipsec-policies", "DHGroup1 is the group of 768 bits"),
    ("seconds of DPD", "connections", "'dpd_timeout_seconds' goes from 9 to 3600"),
    ("selectors are pairs of prefixes", "connections", "selectors by policy are pairs of prefixes"),
    ("outer addresses are IPv4", "tunnel-addresses", "tunnels of Azure's gateways go over IPv4"),
    ("tunnels by the size", "azure-tunnels-too-many", "vpn is a Basic, which takes 10 tunnels, and"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "file", "words"), RULES, ids=[rule for rule, _, _ in RULES])
def test_a_breach_is_refused(rule: str, file: str, words: str) -> None:
    assert words in (HERE / "errors" / f"{file}.expected").read_text(), f"nothing refuses a breach of: {rule}"
