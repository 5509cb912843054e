"""A connection's end as its engines want it: an IKE peer with its children, SPD entries, the way to the other end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from netaddr import IPNetwork

from dataplane.crypto.secret import Secret
from dataplane.esp.spd import Action, SpdEntry
from dataplane.esp.tunnel import Tunnel
from dataplane.ike.payloads.identification import Identity
from dataplane.ike.policy import ChildPolicy, IkePolicy, Lifetime, Mode, Peer
from dataplane.ike.window import Retransmission
from dataplane.ipsec.selectors import ANY_IPV4, ANY_IPV6, TrafficSelector
from lab.errors import InputError
from lab.model.connection import Connection, ConnectionEnd, Encapsulation, Initiative

_MODES: Final = {
    Initiative.BOTH: Mode.BOTH,
    Initiative.INITIATOR: Mode.INITIATOR,
    Initiative.RESPONDER: Mode.RESPONDER,
}
# The paths of a lab are short: a lost request is soon sent again. Without an answer the peer is dead in a minute.
_RETRANSMISSION: Final = Retransmission(first=0.5, tries=9)
_LEAST_ASKED: Final = 3  # a part of the time of silence that is allowed passes before the peer is asked

Pair = tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]]


def peer_of(connection: Connection, end: ConnectionEnd, secrets: Mapping[str, bytes]) -> Peer:
    """The peer at the other end, under the connection's name.

    Raises:
        InputError: its shared key is not among the secrets.
    """
    psk = secrets.get(str(end.psk))
    if psk is None:
        raise InputError(f"{connection.name}: there is no secret {end.psk}, the shared key of {end.node}")
    other, policy = connection.other_end(end.node), end.policy
    children = tuple(
        ChildPolicy(
            name=name,
            proposals=policy.esp,
            accepted=policy.esp_accepted,
            local=local,
            remote=remote,
            lifetime=Lifetime(seconds=policy.seconds, octets=policy.kilobytes * 1024),
            allow_insecure=policy.allow_insecure,
        )
        for name, (local, remote) in _pairs(connection, end).items()
    )
    return Peer(
        name=connection.name,
        local=str(end.address),
        remote=str(other.address),
        local_id=Identity.address(str(end.address)),
        remote_id=Identity.address(str(other.address)),
        psk=Secret(psk),
        ike=IkePolicy(
            proposals=policy.ike,
            lifetime=Lifetime(seconds=policy.ike_seconds),
            allow_insecure=policy.allow_insecure,
        ),
        children=children,
        mode=_MODES[end.initiative],
        dpd_seconds=max(end.dpd_seconds / _LEAST_ASKED, end.dpd_seconds - _RETRANSMISSION.patience),
        dead_seconds=end.dpd_seconds,
        retransmission=_RETRANSMISSION,
        encapsulate=connection.encapsulation is Encapsulation.UDP,
    )


def spd_of(connection: Connection, end: ConnectionEnd) -> tuple[SpdEntry, ...]:
    """What is protected: all that is routed into the tunnel or, by policy, what goes between a pair of prefixes.

    What matches no entry is discarded (RFC 4301 5.1), so nothing leaves in clear, whether the tunnel is up or not.
    """
    return tuple(
        SpdEntry(name=name, action=Action.PROTECT, local=local, remote=remote, tunnel=connection.name)
        for name, (local, remote) in _pairs(connection, end).items()
    )


def way_of(connection: Connection, *, encapsulated: bool) -> Tunnel:
    """The way to the other end."""
    return Tunnel(
        connection.name,
        udp_encapsulation=encapsulated,
        path_mtu=connection.path_mtu,
        greatest_mss=connection.mss,
    )


def _pairs(connection: Connection, end: ConnectionEnd) -> dict[str, Pair]:
    """The selectors of each child, by its name."""
    if not connection.policy_based:
        anything = _any_of((*end.prefixes, *end.peer_prefixes, *end.tunnel_addresses))
        return {"any": (anything, anything)}
    return {
        f"{local}={remote}": ((TrafficSelector.of(str(local)),), (TrafficSelector.of(str(remote)),))
        for local in end.prefixes
        for remote in end.peer_prefixes
        if local.version == remote.version
    }


def _any_of(prefixes: Iterable[IPNetwork]) -> tuple[TrafficSelector, ...]:
    return (ANY_IPV4, ANY_IPV6) if any(prefix.version == 6 for prefix in prefixes) else (ANY_IPV4,)
