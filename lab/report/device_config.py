"""The on-premises side of a connection as a device's configuration, as Azure's device scripts have it.

What the topology says of the connection is put into each vendor's own words; what a vendor has no word for is refused.
The shared key stands in it only when it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from netaddr import IPAddress, IPNetwork

from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.transforms import TransformType
from lab.errors import InputError
from lab.model.connection import Connection, ConnectionEnd, Encapsulation, Initiative
from lab.model.topology import Topology

VENDORS: Final = {
    "strongswan": "strongSwan 5.9, swanctl.conf",
    "cisco-ios-xe": "Cisco IOS-XE, IKEv2 with a tunnel interface",
    "juniper": "Juniper SRX, Junos set commands",
}
_TEMPLATES: Final = Path(__file__).parent / "device_templates"

Words = Mapping[str, str]
_STRONGSWAN_GROUPS: Final = {
    2: "modp1024", 5: "modp1536", 14: "modp2048", 15: "modp3072", 16: "modp4096", 19: "ecp256", 20: "ecp384",
    21: "ecp521", 24: "modp2048s256", 31: "curve25519",
}  # fmt: skip
# By IANA's names, with the key length behind them where there is one.
_STRONGSWAN: Final = {
    "ENCR_AES_CBC_128": "aes128", "ENCR_AES_CBC_192": "aes192", "ENCR_AES_CBC_256": "aes256",
    "ENCR_AES_GCM_16_128": "aes128gcm16", "ENCR_AES_GCM_16_192": "aes192gcm16", "ENCR_AES_GCM_16_256": "aes256gcm16",
    "ENCR_CHACHA20_POLY1305": "chacha20poly1305", "ENCR_3DES": "3des",
    "AUTH_HMAC_SHA1_96": "sha1", "AUTH_HMAC_SHA2_256_128": "sha256", "AUTH_HMAC_SHA2_384_192": "sha384",
    "AUTH_HMAC_SHA2_512_256": "sha512",
    "PRF_HMAC_SHA1": "prfsha1", "PRF_HMAC_SHA2_256": "prfsha256", "PRF_HMAC_SHA2_384": "prfsha384",
    "PRF_HMAC_SHA2_512": "prfsha512",
}  # fmt: skip
_CISCO: Final = {
    "ENCR_AES_CBC_128": "aes-cbc-128", "ENCR_AES_CBC_192": "aes-cbc-192", "ENCR_AES_CBC_256": "aes-cbc-256",
    "ENCR_AES_GCM_16_128": "aes-gcm-128", "ENCR_AES_GCM_16_256": "aes-gcm-256", "ENCR_3DES": "3des",
    "AUTH_HMAC_SHA1_96": "sha1", "AUTH_HMAC_SHA2_256_128": "sha256", "AUTH_HMAC_SHA2_384_192": "sha384",
    "AUTH_HMAC_SHA2_512_256": "sha512",
    "PRF_HMAC_SHA1": "sha1", "PRF_HMAC_SHA2_256": "sha256", "PRF_HMAC_SHA2_384": "sha384",
    "PRF_HMAC_SHA2_512": "sha512",
}  # fmt: skip
_CISCO_ESP: Final = {
    "ENCR_AES_CBC_128": "esp-aes", "ENCR_AES_CBC_192": "esp-aes 192", "ENCR_AES_CBC_256": "esp-aes 256",
    "ENCR_AES_GCM_16_128": "esp-gcm", "ENCR_AES_GCM_16_192": "esp-gcm 192", "ENCR_AES_GCM_16_256": "esp-gcm 256",
    "ENCR_3DES": "esp-3des",
    "AUTH_HMAC_SHA1_96": "esp-sha-hmac", "AUTH_HMAC_SHA2_256_128": "esp-sha256-hmac",
    "AUTH_HMAC_SHA2_384_192": "esp-sha384-hmac", "AUTH_HMAC_SHA2_512_256": "esp-sha512-hmac",
}  # fmt: skip
_JUNIPER: Final = {
    "ENCR_AES_CBC_128": "aes-128-cbc", "ENCR_AES_CBC_192": "aes-192-cbc", "ENCR_AES_CBC_256": "aes-256-cbc",
    "ENCR_AES_GCM_16_128": "aes-128-gcm", "ENCR_AES_GCM_16_192": "aes-192-gcm", "ENCR_AES_GCM_16_256": "aes-256-gcm",
    "ENCR_3DES": "3des-cbc",
    "AUTH_HMAC_SHA1_96": "sha1", "AUTH_HMAC_SHA2_256_128": "sha-256", "AUTH_HMAC_SHA2_384_192": "sha-384",
    "AUTH_HMAC_SHA2_512_256": "sha-512",
}  # fmt: skip
_JUNIPER_HMAC: Final = {
    "AUTH_HMAC_SHA1_96": "hmac-sha1-96", "AUTH_HMAC_SHA2_256_128": "hmac-sha-256-128",
    "AUTH_HMAC_SHA2_384_192": "hmac-sha-384", "AUTH_HMAC_SHA2_512_256": "hmac-sha-512",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One combination of algorithms, by IANA's names; an AEAD cipher has no integrity, ESP no PRF, `group` may be 0."""

    encryption: str
    integrity: str
    prf: str
    group: int

    @classmethod
    def first_of(cls, proposal: Proposal) -> Suite:
        """What a proposal prefers of each kind."""
        names = {kind: [str(each) for each in proposal.of(kind) if each.id] for kind in TransformType}
        groups = [each.id for each in proposal.of(TransformType.KE)]
        return cls(
            encryption=names[TransformType.ENCR][0],
            integrity=next(iter(names[TransformType.INTEG]), ""),
            prf=next(iter(names[TransformType.PRF]), ""),
            group=groups[0] if groups else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """BGP in the tunnel."""

    asn: int
    router_id: IPAddress
    local: IPAddress
    peer: IPAddress
    peer_asn: int
    multihop: bool
    advertise: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """All that templates are given."""

    name: str
    number: int
    node: str
    peer_node: str
    device: str
    address: IPAddress
    peer_address: IPAddress
    tunnel_addresses: tuple[IPNetwork, ...]
    peer_prefixes: tuple[IPNetwork, ...]
    selectors: tuple[tuple[str, str], ...]
    is_route_based: bool
    encapsulates: bool
    begins: bool
    ike: tuple[Suite, ...]
    esp: tuple[Suite, ...]
    ike_seconds: int
    seconds: int
    kilobytes: int
    dpd_seconds: int
    mtu: int
    mss: int | None
    psk: str
    bgp: Session | None


def device_config(topology: Topology, name: str, vendor: str, psk: str | None = None) -> str:
    """The configuration of the on-premises end of a connection; without `psk` it says where that is kept.

    Raises:
        InputError: there is no such connection or vendor, or the vendor cannot do what the connection asks for.
    """
    names = [connection.name for connection in topology.connections]
    if name not in names:
        raise InputError(f"there is no connection {name!r}; there are {', '.join(names) or 'none'}")
    if vendor not in VENDORS:
        raise InputError(f"there is no template for {vendor!r}; there are {', '.join(VENDORS)}")
    connection = topology.connections[names.index(name)]
    device = _device(topology, connection, names.index(name), psk)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; what is put in was checked when the topology was read
    )
    environment.filters.update({word: functools.partial(said, vendor) for word, said in _FILTERS.items()})
    return environment.get_template(f"{vendor}.j2").render(c=device)


def _device(topology: Topology, connection: Connection, number: int, psk: str | None) -> Device:
    end = connection.on_premises
    other = connection.other_end(end.node)
    policy = end.policy
    return Device(
        name=connection.name,
        number=number + 1,
        node=end.node,
        peer_node=other.node,
        device=end.device,
        address=end.address,
        peer_address=other.address,
        tunnel_addresses=end.tunnel_addresses,
        peer_prefixes=tuple(prefix for prefix in end.peer_prefixes if prefix.version == 4),
        selectors=_selectors(connection, end),
        is_route_based=not connection.policy_based,
        encapsulates=connection.encapsulation is Encapsulation.UDP,
        begins=end.initiative is not Initiative.RESPONDER,
        ike=tuple(map(Suite.first_of, policy.ike)),
        esp=tuple(map(Suite.first_of, policy.esp)),
        ike_seconds=policy.ike_seconds,
        seconds=policy.seconds,
        kilobytes=policy.kilobytes,
        dpd_seconds=end.dpd_seconds,
        mtu=connection.mtu,
        mss=connection.mss,
        psk=psk if psk is not None else f"SHARED-KEY of {end.psk}",
        bgp=_session(topology, connection, end),
    )


def _selectors(connection: Connection, end: ConnectionEnd) -> tuple[tuple[str, str], ...]:
    if not connection.policy_based:
        return (("0.0.0.0/0", "0.0.0.0/0"),)
    return tuple((str(ours), str(theirs)) for ours in end.prefixes for theirs in end.peer_prefixes)


def _session(topology: Topology, connection: Connection, end: ConnectionEnd) -> Session | None:
    bgp, other = topology.node(end.node).bgp, connection.other_end(end.node).node
    if bgp is None:
        return None
    routed = {route.destination for route in bgp.host_routes if route.device == end.device}
    for neighbor in bgp.neighbors:
        through = neighbor.tunnel == connection.name or neighbor.address in routed
        if neighbor.node == other and through:
            return Session(
                asn=bgp.asn,
                router_id=bgp.router_id,
                local=neighbor.local_address,
                peer=neighbor.address,
                peer_asn=neighbor.asn,
                multihop=neighbor.multihop,
                advertise=bgp.advertise if neighbor.advertise is None else neighbor.advertise,
            )
    return None


def _word(vendor: str, words: Words, name: str) -> str:
    if name not in words:
        raise InputError(f"{VENDORS[vendor]}, has no {name}; there are {', '.join(words)}")
    return words[name]


def _strongswan(vendor: str, suite: Suite) -> str:
    parts = [_word(vendor, _STRONGSWAN, suite.encryption)]
    if suite.integrity:
        parts.append(_word(vendor, _STRONGSWAN, suite.integrity))
    # Without one, strongSwan takes the PRF that goes with the integrity algorithm.
    if suite.prf and (not suite.integrity or suite.prf.split("_")[-1] != suite.integrity.split("_")[3]):
        parts.append(_word(vendor, _STRONGSWAN, suite.prf))
    if suite.group:
        parts.append(_word(vendor, {str(n): word for n, word in _STRONGSWAN_GROUPS.items()}, str(suite.group)))
    return "-".join(parts)


def _cisco_transforms(vendor: str, suite: Suite) -> str:
    parts = [_word(vendor, _CISCO_ESP, suite.encryption)]
    return " ".join([*parts, *([_word(vendor, _CISCO_ESP, suite.integrity)] if suite.integrity else [])])


def _juniper_prf(vendor: str, suite: Suite) -> str:
    """Junos has no PRF of its own beside an AEAD cipher, but one that it ties to the cipher."""
    if suite.encryption == "ENCR_AES_GCM_16_256" and suite.prf != "PRF_HMAC_SHA2_384":
        raise InputError(f"{VENDORS[vendor]}, has PRF_HMAC_SHA2_384 with aes-256-gcm and no other; not {suite.prf}")
    return f"the PRF is the one that Junos ties to {_word(vendor, _JUNIPER, suite.encryption)}; Azure's is {suite.prf}"


def _group(vendor: str, suite: Suite) -> str:
    if suite.group == 31:
        raise InputError(f"{VENDORS[vendor]}, has no group 31 (Curve25519); there are 2, 5, 14, 15, 16, 19, 20, 21, 24")
    return str(suite.group)


_FILTERS: Final[dict[str, Callable[[str, Suite], str]]] = {
    "strongswan_ike": _strongswan,
    "strongswan_esp": _strongswan,
    "group": _group,
    "cisco_encryption": lambda vendor, suite: _word(vendor, _CISCO, suite.encryption),
    "cisco_integrity": lambda vendor, suite: _word(vendor, _CISCO, suite.integrity),
    "cisco_prf": lambda vendor, suite: _word(vendor, _CISCO, suite.prf),
    "cisco_transforms": _cisco_transforms,
    "juniper_encryption": lambda vendor, suite: _word(vendor, _JUNIPER, suite.encryption),
    "juniper_integrity": lambda vendor, suite: _word(vendor, _JUNIPER, suite.integrity),
    "juniper_prf": _juniper_prf,
    "juniper_hmac": lambda vendor, suite: _word(vendor, _JUNIPER_HMAC, suite.integrity),
}
