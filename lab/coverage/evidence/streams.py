"""TCP octets around the seams between segments: a token that was cut in two by segmentation is found all the same.

Only the ends of payloads are kept, for the last few thousand seams, so that neither the length of a stream nor the
order of its segments matters.
"""

from __future__ import annotations

from typing import Final, final

from lab.coverage.tokens import Sighting, Tokens

_MOST_SEAMS: Final = 4096
_TCP: Final = 6
_WHOLE: Final = 1 << 32


@final
class Seams:
    """The seams of all TCP streams seen in one place: on the wire, or under the same layers of protection."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens: Final = tokens
        self._tails: Final[dict[tuple[bytes, int], bytes]] = {}
        self._heads: Final[dict[tuple[bytes, int], bytes]] = {}

    def packet(self, octets: bytes, start: int) -> frozenset[Sighting]:
        """The tokens that this IP packet completes together with its neighbours in its TCP stream."""
        segment = _segment(octets, start)
        if segment is None:
            return frozenset()
        flow, sequence, payload = segment
        reach = Tokens.MOST_OCTETS - 1
        before = self._tails.pop((flow, sequence), b"")
        end = (sequence + len(payload)) % _WHOLE
        behind = self._heads.pop((flow, end), b"")
        found = self._across(before, payload[:reach]) | self._across(payload[-reach:], behind)
        if len(payload) < reach:  # a short one may lie in the middle of a token
            found |= self._across(before + payload, behind)
        self._keep(self._tails, (flow, end), (before + payload)[-reach:])
        self._keep(self._heads, (flow, sequence), (payload + behind)[:reach])
        return found

    def _across(self, left: bytes, right: bytes) -> frozenset[Sighting]:
        if not left or not right:
            return frozenset()
        found = self._tokens.found_in(left + right)
        return found - self._tokens.found_in(left) - self._tokens.found_in(right) if found else found

    def _keep(self, ends: dict[tuple[bytes, int], bytes], key: tuple[bytes, int], octets: bytes) -> None:
        ends[key] = octets
        if len(ends) > _MOST_SEAMS:
            del ends[next(iter(ends))]


def _segment(octets: bytes, start: int) -> tuple[bytes, int, bytes] | None:
    """Addresses and ports, sequence number and payload of a whole TCP segment in IPv4 or plain IPv6."""
    version = octets[start] >> 4 if start < len(octets) else 0
    if version == 4 and octets[start + 9 : start + 10] == bytes([_TCP]):
        header = start + (octets[start] & 15) * 4
        end = start + int.from_bytes(octets[start + 2 : start + 4], "big")
        addresses = octets[start + 12 : start + 20]
        if int.from_bytes(octets[start + 6 : start + 8], "big") & 0x3FFF:
            return None
    elif version == 6 and octets[start + 6 : start + 7] == bytes([_TCP]):
        header, addresses = start + 40, octets[start + 8 : start + 40]
        end = header + int.from_bytes(octets[start + 4 : start + 6], "big")
    else:
        return None
    if len(octets) < header + 20:
        return None
    payload = octets[header + (octets[header + 12] >> 4) * 4 : end]
    sequence = int.from_bytes(octets[header + 4 : header + 8], "big")
    return (addresses + octets[header : header + 4], sequence, payload) if payload else None
