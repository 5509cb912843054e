"""A connection as others see it at one of its ends: its state, its SAs, its counters, and never a key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dataplane.esp.sa import InboundSa, OutboundSa
from dataplane.ike.events import ChildSaEstablished
from dataplane.ike.machine import IkeState
from dataplane.ike.sa import IkeSa
from dataplane.ipsec.proposals import Proposal
from dataplane.ipsec.transforms import TransformType
from lab.nodes.keying import Keying
from lab.nodes.tunnel import TunnelEnd

Status = dict[str, object]


def connection_status(keying: Keying, name: str, now: float) -> Status:
    """Everything about one connection."""
    tunnel, standing, peer = keying.tunnels[name], keying.standings[name], keying.peers[name]
    policy = tunnel.end.policy
    offered = [each for proposal in (*policy.ike, *policy.esp) for each in proposal.objections]
    sas = [sa for sa in keying.ike.sas if sa.peer is peer and sa.state is not IkeState.DELETED]
    counters = tunnel.esp.counters
    return {
        "state": str(standing.state),
        "seconds": round(now - standing.since, 1),
        "why": standing.why,
        "cause": None if standing.cause is None else standing.cause.name.lower().replace("_", "-"),
        "is_down": standing.is_down,
        "retry_in": None if standing.retry_at is None else round(max(0.0, standing.retry_at - now), 1),
        "last_connected": _utc(standing.connected_at, now),
        "connects": standing.connects,
        "failures": standing.failures,
        "local": str(tunnel.end.address),
        "remote": str(tunnel.connection.other_end(tunnel.end.node).address),
        "device": tunnel.end.device,
        "has_carrier": tunnel.has_carrier,
        "mode": peer.mode.value,
        "policy": "custom" if policy.is_custom else "default",
        "pfs": _groups(policy.esp),
        "ike": [_ike(sa, now) for sa in sas],
        "children": [_child(child, tunnel, now) for child in tunnel.installed.values()],
        "weak": sorted({*offered} if policy.is_custom else {each for sa in sas for each in _objections(sa)}),
        "egress_octets": counters.out_octets,
        "egress_packets": counters.out_packets,
        "ingress_octets": counters.in_octets,
        "ingress_packets": counters.in_packets,
        "discarded": {str(reason): count for reason, count in sorted(counters.discarded.items())},
        "errors_sent": counters.errors_sent,
        "unsent": tunnel.unsent,
        "over_limit": tunnel.over_limit,
        "device_counters": tunnel.tun.counters.as_dict(),
    }


def _ike(sa: IkeSa, now: float) -> Status:
    return {
        "spi_i": sa.id.spi_i.hex(),
        "spi_r": sa.id.spi_r.hex(),
        "state": sa.state.value,
        "is_initiator": sa.is_initiator,
        "suite": None if sa.suite is None else str(sa.suite),
        "local": str(sa.local),
        "remote": str(sa.remote),
        "remote_id": None if sa.remote_id is None else str(sa.remote_id),
        "nat": {"local": sa.nat.local, "remote": sa.nat.remote},
        "age": None if sa.established_at is None else round(now - sa.established_at, 1),
        "rekey_in": None if sa.rekey_at is None else round(sa.rekey_at - now, 1),
        "silent": round(now - sa.heard_at, 1),
        "uses_ppk": sa.uses_ppk,
    }


def _objections(sa: IkeSa) -> tuple[str, ...]:
    found = () if sa.suite is None else sa.suite.proposal.objections
    return (*found, *(each for child in sa.children for each in child.proposal.objections))


def _child(child: ChildSaEstablished, tunnel: TunnelEnd, now: float) -> Status:
    spi_in, spi_out = (int.from_bytes(spi, "big") for spi in (child.spi_in, child.spi_out))
    status: Status = {
        "child": child.child,
        "suite": str(child.suite),
        "pfs": None if child.ke is None else str(child.ke),
        "encapsulation": "udp" if child.encapsulated else "esp",
        "local": [str(each) for each in child.local_selectors],
        "remote": [str(each) for each in child.remote_selectors],
        "spi_in": child.spi_in.hex(),
        "spi_out": child.spi_out.hex(),
        "rekey_at_octets": child.limits.soft_octets,
    }
    inbound = tunnel.esp.sad.inbound(spi_in)
    outbound = [sa for sa in tunnel.esp.sad if isinstance(sa, OutboundSa) and sa.parameters.spi == spi_out]
    if isinstance(inbound, InboundSa):
        status |= {
            "age": round(now - inbound.age.born, 1),
            "in": {"packets": inbound.age.packets, "octets": inbound.age.octets, "next": inbound.window.next,
                   "discarded": {str(reason): count for reason, count in inbound.discarded.items()}},
        }  # fmt: skip
    if outbound:
        sa = outbound[0]
        status["out"] = {"packets": sa.age.packets, "octets": sa.age.octets, "next": sa.next_sequence,
                         "sends": sa in tunnel.esp.sad.outbound(tunnel.name)[:1]}  # fmt: skip
    return status


def _groups(proposals: tuple[Proposal, ...]) -> list[str]:
    """The groups that proposals for children ask for."""
    groups = (str(each) for proposal in proposals for each in proposal.of(TransformType.KE) if each.id)
    return list(dict.fromkeys(groups))


def _utc(then: float | None, now: float) -> str | None:
    """A reading of the loop's clock as a time of day."""
    if then is None:
        return None
    return (datetime.now(UTC) - timedelta(seconds=now - then)).isoformat(timespec="seconds")
