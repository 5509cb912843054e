"""What may be written in a topology file, and nothing about what it means: keys, and the kind of each value.

Names, addresses and words stay text here; `resolve` gives them a meaning, or says why they have none. Every field
bears an example, which is what an error message shows as right.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from lab.topology.raw_azure import RawAzure
from lab.topology.raw_bgp import RawBgp
from lab.topology.written import Texts, Written


def _shown(value: object) -> object:
    """`a--b: macsec` is short for `a--b: {show: macsec}`."""
    return {"show": value} if isinstance(value, str) else value


class RawRoute(Written):
    """A static route."""

    to: str = Field(examples=["to: 10.0.0.0/16"])
    via: Texts = Field(examples=["via: [172.16.0.2]"])


class RawNode(Written):
    """A node."""

    role: str = Field(examples=["role: ce"])
    addresses: Texts = Field(default=[], examples=["addresses: [192.168.1.1/32]"])
    routes: list[RawRoute | None] = Field(default=[], examples=["routes: [{to: 10.0.0.0/16, via: [172.16.0.2]}]"])
    bgp: RawBgp | None = Field(default=None, examples=["bgp: {asn: 65001, neighbors: [{node: msee1}]}"])


class RawTag(Written):
    """The VLAN tags of a link."""

    kind: str = Field(examples=["kind: dot1q"])
    s_vid: int | None = Field(default=None, examples=["s_vid: 10"])
    c_vid: int | None = Field(default=None, examples=["c_vid: 100"])


class RawMistake(Written):
    """What one end of a link was told instead of what the link says."""

    cipher: str | None = Field(default=None, examples=["cipher: GcmAes256"])
    sci_state: str | None = Field(default=None, examples=["sci_state: Disabled"])
    ckn: str | None = Field(default=None, examples=["ckn: https://VAULT.vault.azure.net/secrets/SECRET"])
    cak: str | None = Field(default=None, examples=["cak: https://VAULT.vault.azure.net/secrets/SECRET"])


class RawMacsec(Written):
    """MACsec on a link, in Azure's words where Azure has one."""

    cipher: str = Field(examples=["cipher: GcmAesXpn256"])
    sci_state: str = Field(default="Disabled", examples=["sci_state: Enabled"])
    encrypt: bool = Field(default=True, examples=["encrypt: true"])
    confidentiality_offset: int = Field(default=0, examples=["confidentiality_offset: 0"])
    replay_window: int = Field(default=0, examples=["replay_window: 0"])
    # Keyed by MKA ...
    ckn: str | None = Field(default=None, examples=["ckn: https://VAULT.vault.azure.net/secrets/SECRET"])
    cak: str | None = Field(default=None, examples=["cak: https://VAULT.vault.azure.net/secrets/SECRET"])
    change: str | None = Field(default=None, examples=["change: hitless"])
    delay_protection: bool = Field(default=False, examples=["delay_protection: true"])
    mistakes: dict[str, RawMistake | None] = Field(
        default={}, examples=["mistakes: {ce: {cak: https://VAULT.vault.azure.net/secrets/SECRET}}"]
    )
    # ... or by a static SAK for each direction.
    keys: dict[str, str] | None = Field(
        default=None, examples=["keys: {ce: https://VAULT.vault.azure.net/secrets/SECRET}"]
    )


class RawImpairment(Written):
    """What frames suffer in one direction, in netem's words."""

    delay: str | None = Field(default=None, examples=["delay: 20ms"])
    jitter: str | None = Field(default=None, examples=["jitter: 5ms"])
    loss: str | None = Field(default=None, examples=["loss: 1%"])
    rate: str | None = Field(default=None, examples=["rate: 10mbit"])
    corrupt: str | None = Field(default=None, examples=["corrupt: 0.1%"])
    duplicate: str | None = Field(default=None, examples=["duplicate: 1%"])
    reorder: str | None = Field(default=None, examples=["reorder: 5%"])


class RawImpairments(Written):
    """What frames suffer on a link, each direction by itself."""

    a_to_b: RawImpairment | None = Field(default=None, examples=["a_to_b: {delay: 20ms, loss: 1%}"])
    b_to_a: RawImpairment | None = Field(default=None, examples=["b_to_a: {delay: 20ms, loss: 1%}"])
    seed: int = Field(default=0, examples=["seed: 7"])


class RawLink(Written):
    """A wire between two nodes."""

    name: str | None = Field(default=None, examples=["name: link1"])
    ends: list[str | None] = Field(examples=["ends: [ce:link1, msee1:link1]"])
    addresses: list[Texts | None] = Field(default=[], examples=["addresses: [172.16.0.1/30, 172.16.0.2/30]"])
    mtu: int = Field(default=1500, examples=["mtu: 1500"])
    tag: RawTag | None = Field(default=None, examples=["tag: {kind: dot1q, c_vid: 100}"])
    bandwidth: int | None = Field(default=None, examples=["bandwidth: 100"])
    macsec: RawMacsec | None = Field(
        default=None, examples=["macsec: {cipher: GcmAesXpn256, sci_state: Enabled, keys: {...}}"]
    )
    impairments: RawImpairments | None = Field(
        default=None, examples=["impairments: {a_to_b: {delay: 20ms}, b_to_a: {delay: 20ms}}"]
    )


class RawIpsecPolicy(Written):
    """A custom policy, in Azure's words: its eight fields, all or none of them."""

    saLifeTimeSeconds: int | None = Field(default=None, examples=["saLifeTimeSeconds: 3600"])
    saDataSizeKilobytes: int | None = Field(default=None, examples=["saDataSizeKilobytes: 102400000"])
    ipsecEncryption: str | None = Field(default=None, examples=["ipsecEncryption: GCMAES256"])
    ipsecIntegrity: str | None = Field(default=None, examples=["ipsecIntegrity: GCMAES256"])
    ikeEncryption: str | None = Field(default=None, examples=["ikeEncryption: GCMAES256"])
    ikeIntegrity: str | None = Field(default=None, examples=["ikeIntegrity: SHA384"])
    dhGroup: str | None = Field(default=None, examples=["dhGroup: ECP384"])
    pfsGroup: str | None = Field(default=None, examples=["pfsGroup: ECP384"])


_PSK = "psk: https://VAULT.vault.azure.net/secrets/SECRET"
_POLICY = "policy: {ipsecEncryption: GCMAES256, ...}"


class RawConnectionEnd(Written):
    """One end of a connection; what it does not say for itself is what the connection says for both."""

    address: str = Field(examples=["address: 10.0.1.4"])
    device: str | None = Field(default=None, examples=["device: ipsec0"])
    tunnel_addresses: Texts = Field(default=[], examples=["tunnel_addresses: 169.254.21.1/30"])
    prefixes: Texts = Field(default=[], examples=["prefixes: [10.0.0.0/16]"])
    peer_prefixes: Texts | None = Field(default=None, examples=["peer_prefixes: [192.168.0.0/16]"])
    psk: str | None = Field(default=None, examples=[_PSK])
    policy: RawIpsecPolicy | None = Field(default=None, examples=[_POLICY])
    mode: str | None = Field(default=None, examples=["mode: InitiatorOnly"])
    dpd_timeout_seconds: int | None = Field(default=None, examples=["dpd_timeout_seconds: 45"])


class RawConnection(Written):
    """An IPsec tunnel between two gateways, in Azure's words where Azure has one."""

    name: str = Field(examples=["name: tunnel1"])
    ends: dict[str, RawConnectionEnd | None] = Field(
        examples=["ends: {vpn-device: {address: 172.20.0.1}, vnet-gateway: {address: 10.0.1.4}}"]
    )
    psk: str | None = Field(default=None, examples=[_PSK])
    policy: RawIpsecPolicy | None = Field(default=None, examples=[_POLICY])
    mode: str = Field(default="Default", examples=["mode: Default"])
    dpd_timeout_seconds: int = Field(default=45, examples=["dpd_timeout_seconds: 45"])
    use_policy_based_traffic_selectors: bool = Field(
        default=False, examples=["use_policy_based_traffic_selectors: false"]
    )
    encapsulation: str = Field(default="auto", examples=["encapsulation: udp"])
    mtu: int = Field(default=1400, examples=["mtu: 1400"])
    mss: int = Field(default=1350, examples=["mss: 1350"])
    path_mtu: int | None = Field(default=None, examples=["path_mtu: 1500"])
    replay_window: int = Field(default=1024, examples=["replay_window: 1024"])
    allow_insecure: bool = Field(default=False, examples=["allow_insecure: false"])


class RawSecret(Written):
    """How a secret of the lab's own vault is made."""

    random: int = Field(examples=["random: 44"])


class RawExpect(Written):
    """What a segment must show."""

    show: str = Field(examples=["show: macsec"])
    integrity_only: bool = Field(default=False, examples=["integrity_only: true"])
    clear_routing: bool = Field(default=False, examples=["clear_routing: true"])


class RawTopology(Written):
    """A topology file."""

    name: str = Field(examples=["name: my-path"])
    description: str = Field(default="", examples=["description: what it shows"])
    identity: str = Field(default="lab", examples=["identity: lab"])
    vaults: dict[str, dict[str, RawSecret | None] | None] = Field(
        default={}, examples=["vaults: {kv-lab: {link1-sak-ce: {random: 44}}}"]
    )
    nodes: dict[str, RawNode | None] = Field(examples=["nodes: {ce: {role: ce}}"])
    links: list[RawLink | None] = Field(examples=["links: [{ends: [ce:link1, msee1:link1]}]"])
    connections: list[RawConnection | None] = Field(
        default=[], examples=["connections: [{name: tunnel1, ends: {...}}]"]
    )
    expect: dict[str, Annotated[RawExpect, BeforeValidator(_shown)] | None] = Field(
        default={}, examples=["expect: {ce--msee1: macsec}"]
    )
    azure: RawAzure | None = Field(default=None, examples=["azure: {ports: {...}, circuits: {...}}"])
    traffic: list[list[str | None] | None] | None = Field(default=None, examples=["traffic: [[onprem, workload]]"])
