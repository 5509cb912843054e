"""What a link's frames bear and how they are protected: tags, bandwidth, MTU, MACsec, keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netaddr import IPNetwork

from lab.azure.macsec import CIPHERS, SCI_STATES, Cipher
from lab.azure.port import BANDWIDTHS_GBPS, XPN_FROM_GBPS
from lab.model.link import Tag, TagKind
from lab.model.macsec import MACSEC_OCTETS, MacsecPolicy, SciEncoding, seconds_at_line_rate
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw import RawMacsec, RawTag
from lab.topology.secrets import read_keys
from lab.topology.wires import Wire

_MTUS = (576, 9216)
_MTU_FLOOR = {4: (576, "RFC 791 3.2: every host takes a datagram of 576 octets"), 6: (1280, "RFC 8200 5")}


def read_tag(raw: RawTag | None, path: Path, problems: Problems) -> Tag:
    """The tags of a link."""
    if raw is None:
        return Tag()
    path = (*path, "tag")
    if raw.kind not in tuple(TagKind):
        problems.add((*path, "kind"), f"unknown kind of tag {raw.kind!r}; {near(raw.kind, TagKind)}")
        return Tag()
    kind = TagKind(raw.kind)
    wanted = {TagKind.NONE: (), TagKind.DOT1Q: ("c_vid",), TagKind.QINQ: ("s_vid", "c_vid")}[kind]
    for name, vid in (("s_vid", raw.s_vid), ("c_vid", raw.c_vid)):
        if name in wanted and vid is None:
            problems.add(path, f"{kind} needs {name!r}, a VLAN identifier from 1 to 4094")
        elif name not in wanted and vid is not None:
            has = f"only {wanted[0]!r}" if wanted else "no VLAN identifier"
            problems.add((*path, name), f"{kind} has {has}; take {name!r} away or write `kind: qinq`")
        elif vid is not None and not 1 <= vid <= 4094:
            # 802.1Q-2018 9.6: 0 means no VLAN, 4095 is reserved.
            problems.add((*path, name), f"{vid} is not a VLAN identifier; they go from 1 to 4094")
    return Tag(kind=kind, s_vid=raw.s_vid, c_vid=raw.c_vid)


def read_bandwidth(bandwidth: int | None, path: Path, problems: Problems) -> int | None:
    """The bandwidth of a port in Gb/s."""
    if bandwidth is not None and bandwidth not in BANDWIDTHS_GBPS:
        known = " or ".join(map(str, BANDWIDTHS_GBPS))
        problems.add((*path, "bandwidth"), f"{bandwidth} Gb/s is not a port of ExpressRoute Direct; write {known}")
        return None
    return bandwidth


def inner_mtu(wire: Wire, tag: Tag, addresses: Sequence[IPNetwork], problems: Problems) -> int:
    """The MTU of what bears the addresses: the wire's, less what is added below."""
    path = (*wire.path, "mtu")
    low, high = _MTUS
    added = tag.octets + (MACSEC_OCTETS if wire.raw.macsec else 0)
    if not low <= wire.raw.mtu <= high:
        problems.add(path, f"'mtu' goes from {low} to {high}, not {wire.raw.mtu}")
        return wire.raw.mtu - added
    for version in sorted({address.version for address in addresses}):
        floor, why = _MTU_FLOOR[version]
        if wire.raw.mtu - added < floor:
            text = (
                f"'mtu' leaves {wire.raw.mtu - added} octets for IPv{version}; write at least {floor + added} ({why})"
            )
            problems.add(path, text)
    return wire.raw.mtu - added


def read_macsec(wire: Wire, roles: Mapping[str, Role | None], problems: Problems) -> MacsecPolicy | None:
    """The MACsec policy of a link, None when it has none or when it could not be read."""
    raw = wire.raw.macsec
    if raw is None:
        return None
    path = (*wire.path, "macsec")
    _check_place(wire, roles, path, problems)
    keys = read_keys(wire, raw, roles, path, problems)
    sci_encoding = read_sci_state(raw.sci_state, path, problems)
    _check_options(raw, path, problems)
    cipher = read_cipher(raw.cipher, path, problems)
    if cipher is None:
        return None
    _check_packet_numbers(wire, raw, cipher, path, problems)
    if keys is None:
        return None
    return MacsecPolicy(
        cipher_suite=cipher.suite,
        sci_encoding=sci_encoding,
        confidentiality=raw.encrypt,
        confidentiality_offset=raw.confidentiality_offset,
        replay_window=raw.replay_window,
        keys=keys,
    )


def read_cipher(name: str, path: Path, problems: Problems) -> Cipher | None:
    """The cipher of this name, None where there is none."""
    if name not in CIPHERS:
        problems.add((*path, "cipher"), f"unknown cipher {name!r}; {near(name, CIPHERS)}")
    return CIPHERS.get(name)


def read_sci_state(state: str, path: Path, problems: Problems) -> SciEncoding:
    """How SecTAGs name their SC.

    Without an SCI the link is point to point, and ES says that the SCI is the source's MAC (802.1AE-2018 9.5).
    """
    if state not in SCI_STATES:
        problems.add((*path, "sci_state"), f"unknown sci_state {state!r}; {near(state, SCI_STATES)}")
    return SciEncoding.EXPLICIT if state == "Enabled" else SciEncoding.END_STATION


def _check_place(wire: Wire, roles: Mapping[str, Role | None], path: Path, problems: Problems) -> None:
    """MACsec ends at the next box; Azure offers it on the ports of ExpressRoute Direct alone."""
    ends = {end.node: roles.get(end.node) for end in wire.ends}
    if Role.PROVIDER in ends.values():
        provider = next(node for node, role in ends.items() if role is Role.PROVIDER)
        text = (
            f"{provider} is a provider: MACsec protects one wire between two boxes that share a key, and a provider "
            "circuit offers none; encrypt end to end with IPsec, or take MACsec away"
        )
        problems.add(path, text)
    elif Role.MSEE in ends.values() and not {Role.MSEE, Role.CE} >= set(ends.values()) - {None}:
        other = next(f"{node} ({role})" for node, role in ends.items() if role not in (None, Role.MSEE))
        text = (
            f"{other} is not the other end of a port of ExpressRoute Direct; the Microsoft edge does MACsec with a "
            "node of role ce alone"
        )
        problems.add(path, text)


def check_circuits(wires: Sequence[Wire], roles: Mapping[str, Role | None], problems: Problems) -> None:
    """A Microsoft edge behind a provider is a provider circuit's: a direct wire to it cannot bear MACsec."""
    behind = {
        end.node: other.node
        for wire in wires
        for end, other in (wire.ends, wire.ends[::-1])
        if roles.get(end.node) is Role.MSEE and roles.get(other.node) is Role.PROVIDER
    }
    for wire in wires:
        for end in wire.ends:
            direct = all(roles.get(other.node) is not Role.PROVIDER for other in wire.ends)
            if wire.raw.macsec and direct and end.node in behind:
                text = (
                    f"{end.node} is reached through provider {behind[end.node]}: MACsec is not available on a provider "
                    "circuit; use another msee for the port of ExpressRoute Direct"
                )
                problems.add((*wire.path, "macsec"), text)


def _check_options(raw: RawMacsec, path: Path, problems: Problems) -> None:
    if raw.confidentiality_offset not in (0, 30, 50):
        text = f"'confidentiality_offset' is 0, 30 or 50, not {raw.confidentiality_offset}"
        problems.add((*path, "confidentiality_offset"), text)
    elif raw.confidentiality_offset and not raw.encrypt:
        text = "'confidentiality_offset' has no meaning without encryption; take it away or write `encrypt: true`"
        problems.add((*path, "confidentiality_offset"), text)
    # 802.1AE-2018 10.7.8: 2^30 - 1 with extended packet numbering.
    most = (1 << 30) - 1 if "xpn" in raw.cipher.lower() else (1 << 32) - 1
    if not 0 <= raw.replay_window <= most:
        problems.add((*path, "replay_window"), f"'replay_window' goes from 0 to {most}, not {raw.replay_window}")


def _check_packet_numbers(wire: Wire, raw: RawMacsec, cipher: Cipher, path: Path, problems: Problems) -> None:
    bandwidth = wire.raw.bandwidth
    if cipher.is_xpn or bandwidth is None or bandwidth < XPN_FROM_GBPS:
        return
    seconds = seconds_at_line_rate(1 << 32, bandwidth)
    text = (
        f"{raw.cipher} counts packets with 32 bits: at {bandwidth} Gb/s, 2^32 frames of 1518 octets last "
        f"{seconds:.0f} s, and then the key is used up; GcmAesXpn{cipher.key_octets * 8} counts with 64"
    )
    problems.warn((*path, "cipher"), text)
