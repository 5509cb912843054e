"""The MACsec of a lab that runs: each protected link with both of its ends, by what their drivers tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.unsecured import trouble
from lab.model.link import Interface, Link
from lab.model.macsec import MkaKeys, seconds_at_line_rate
from lab.model.topology import Topology

Document = dict[str, Any]

_PN_BITS, _XPN_BITS = 32, 64
# Counters of frames that went as they should (802.1AE-2018 10.7); the others are worth a look when they are not 0.
_SENT = ("OutPktsProtected", "OutPktsEncrypted")
_ACCEPTED = ("InPktsOK",)


def links(client: Client, topology: Topology, segment: str | None = None) -> list[Document]:
    """Every link with MACsec, or that one, with how each end is.

    Raises:
        InputError: there is no such link, or it has no MACsec.
    """
    chosen = [protected(topology, segment)] if segment else [link for link in topology.links if link.macsec]
    drivers = {node["node"]: node.get("driver") for node in client.ask("status")["nodes"]}
    return [_link(link, drivers) for link in chosen]


def protected(topology: Topology, segment: str) -> Link:
    """The link of that name.

    Raises:
        InputError: there is none, or it has no MACsec.
    """
    names = [link.segment for link in topology.links if link.macsec]
    for link in topology.links:
        if link.segment == segment and link.macsec is not None:
            return link
    known = f"those that have it are {', '.join(names)}" if names else "no link of this lab has it"
    if segment in [link.segment for link in topology.links]:
        raise InputError(f"{segment} has no MACsec; {known}")
    raise InputError(f"there is no link {segment!r} with MACsec; {known}")


def _link(link: Link, drivers: Mapping[str, Mapping[str, Any] | None]) -> Document:
    policy = link.macsec
    assert policy is not None
    keys = policy.keys
    by_mka = isinstance(keys, MkaKeys)
    ends = [_end(link, end, drivers.get(end.node)) for end in link.ends]
    return {
        "segment": link.segment,
        "cipher_suite": policy.cipher_suite,
        "bandwidth_gbps": link.bandwidth_gbps,
        "keys": "mka" if by_mka else "static",
        "change": str(keys.change) if isinstance(keys, MkaKeys) else None,
        "secured": all(end["secured"] for end in ends),
        "ends": ends,
    }


def _end(link: Link, end: Interface, driver: Mapping[str, Any] | None) -> Document:
    edge = ((driver or {}).get("segments") or {}).get(link.segment)
    if edge is None:
        return {
            "node": end.node,
            "secured": False,
            "state": "dead",
            "trouble": "driver",
            "why": "its driver is gone, or has no time",
        }
    mka, secy = edge.get("mka"), edge["secy"]
    transmit = secy["transmit"]
    sa = next((sa for sa in transmit["sas"] if sa["an"] == transmit["encoding_an"]), None)
    document: Document = {
        "node": end.node,
        "sci": transmit["sci"],
        "secured": sa is not None and sa["in_use"] if mka is None else mka["secured"],
        "state": "static" if mka is None else mka["state"],
        "trouble": None if mka is None else mka["trouble"],
        "why": None if mka is None or mka["secured"] else trouble(mka),
        "an": transmit["encoding_an"],
        "next_pn": None if sa is None else sa["next_pn"],
        **_headroom(link, secy["cipher_suite"], sa),
        "counters": _counters(secy),
        "shut_out": edge["shut_out"],
    }
    return document if mka is None else document | _agreement(link, mka)


def _headroom(link: Link, suite: str, sa: Mapping[str, Any] | None) -> Document:
    """How many PNs are left, and how long they last when the port sends full frames and nothing else."""
    if sa is None:
        return {"pns_left": None, "seconds_at_line_rate": None}
    left = (1 << (_XPN_BITS if "XPN" in suite else _PN_BITS)) - sa["next_pn"]
    if link.bandwidth_gbps is None:
        return {"pns_left": left, "seconds_at_line_rate": None}
    return {"pns_left": left, "seconds_at_line_rate": seconds_at_line_rate(left, link.bandwidth_gbps)}


def _agreement(link: Link, mka: Mapping[str, Any]) -> Document:
    """What the KaY has agreed on, in names instead of SCIs."""
    principal = next((each for each in mka["participants"] if each["principal"]), None)
    sak = next((sak for sak in mka["saks"] if sak["transmits"]), None)
    return {
        "key_server": None if principal is None else _name(link, principal["key_server"]),
        "members": [] if principal is None else [_name(link, sci) for sci in (mka["sci"], *principal["live"])],
        "ckns": [each["ckn"] for each in mka["participants"]],
        "ckn": None if sak is None else sak["ckn"],
        "key_number": None if sak is None else sak["key_number"],
        "sak_age": None if sak is None else sak["age"],
        "mkpdus": mka["counters"],
    }


def _name(link: Link, sci: str | None) -> str | None:
    """Whose SCI it is, else itself."""
    if sci is None:
        return None
    return next((end.node for end in link.ends if bytes(end.mac.packed).hex() == sci[:12]), sci)


def _counters(secy: Mapping[str, Any]) -> Document:
    """Frames protected and accepted, and all other counters that are not 0."""
    total: dict[str, int] = dict(secy["counters"])
    for channel in (secy["transmit"], *secy["receive"]):
        for name, count in channel["counters"].items():
            total[name] = total.get(name, 0) + count
    others = {name: count for name, count in total.items() if count and name not in (*_SENT, *_ACCEPTED)}
    return {
        "protected": _sum(total, _SENT),
        "accepted": _sum(total, _ACCEPTED),
        "others": {name: count for name, count in others.items() if "Octets" not in name},
    }


def _sum(total: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(total.get(name, 0) for name in names)
