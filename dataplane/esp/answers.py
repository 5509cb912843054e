"""ICMP errors for packets that are too big: made here, sent by the caller to the protected side (RFC 4301 8.2)."""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Address, IPv6Address
from typing import Final, final

from dataplane.esp.flow import Flow
from dataplane.ipsec.selectors import ICMP, ICMPV6
from dataplane.wire.icmp import fragmentation_needed, is_icmp_error, is_icmpv6_error, packet_too_big

# RFC 1812 4.3.2.8, RFC 4443 2.4 (f): a token bucket.
_PER_SECOND: Final = 100.0
_BURST: Final = 50.0
_GREATEST_BACKLOG: Final = 64


@final
class Answers:
    """Errors that wait to be sent, not too many and not too often.

    They come from `ipv4` and `ipv6`, addresses of this gateway on its protected side; without one of a version, packets
    of that version are not answered.
    """

    __slots__ = ("_ipv4", "_ipv6", "_refilled", "_tokens", "_waiting")

    def __init__(self, ipv4: IPv4Address | None, ipv6: IPv6Address | None) -> None:
        self._ipv4: Final = ipv4
        self._ipv6: Final = ipv6
        self._waiting: Final[deque[bytes]] = deque()
        self._tokens = _BURST
        self._refilled: float | None = None

    def too_big(self, packet: memoryview, flow: Flow, mtu: int, now: float) -> bool:
        """Tell the sender of a packet the greatest length that goes through; whether it is told."""
        if not _may_be_answered(packet, flow) or len(self._waiting) >= _GREATEST_BACKLOG or not self._allowed(now):
            return False
        if isinstance(flow.source, IPv4Address):
            if self._ipv4 is None:
                return False
            answer = fragmentation_needed(packet, to=flow.source, source=self._ipv4, mtu=mtu)
        else:
            if self._ipv6 is None:
                return False
            answer = packet_too_big(packet, to=flow.source, source=self._ipv6, mtu=mtu)
        self._waiting.append(answer)
        return True

    def next(self) -> bytes | None:
        """The next error, a whole IP packet; None when none waits."""
        return self._waiting.popleft() if self._waiting else None

    def _allowed(self, now: float) -> bool:
        if self._refilled is not None:
            self._tokens = min(_BURST, self._tokens + (now - self._refilled) * _PER_SECOND)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _may_be_answered(packet: memoryview, flow: Flow) -> bool:
    """RFC 1122 3.2.2, RFC 4443 2.4 (e): no error answers an error, a later fragment, or what no single host sent."""
    source = flow.source
    if flow.transport is None or source.is_unspecified or source.is_multicast or source.is_loopback:
        return False
    kind = packet[flow.transport] if flow.transport < flow.total_length else 0
    if flow.protocol == ICMP:
        return not (is_icmp_error(kind) or flow.destination.is_multicast)
    if flow.protocol == ICMPV6:  # a packet to a group may be answered with "too big" (RFC 4443 2.4 (e.3))
        return not is_icmpv6_error(kind)
    return source.version == 6 or not flow.destination.is_multicast
