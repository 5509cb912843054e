"""The two peer lists: how a member tells whom it hears, and so proves to each of them that it is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.mka.paramsets.header import MI_OCTETS, SetHeader, SetType
from dataplane.wire.fields import check_fields


class PeerId(NamedTuple):
    """A peer's MI and the latest MN that was heard from it."""

    mi: bytes
    mn: int


_PEER_OCTETS: Final = 16


def _emit_peers(peers: tuple[PeerId, ...]) -> bytes:
    return b"".join(peer.mi + peer.mn.to_bytes(4, "big") for peer in peers)


def _parse_peers(body: bytes) -> tuple[PeerId, ...]:
    if len(body) % _PEER_OCTETS:
        raise WireError(f"a peer list is a multiple of {_PEER_OCTETS} octets, not {len(body)}")
    starts = range(0, len(body), _PEER_OCTETS)
    return tuple(PeerId(body[at : at + 12], int.from_bytes(body[at + 12 : at + 16], "big")) for at in starts)


def _check_peers(peers: tuple[PeerId, ...]) -> None:
    if any(len(peer.mi) != MI_OCTETS or not 0 <= peer.mn < 1 << 32 for peer in peers):
        raise LocalError("a listed peer has an MI of 12 octets and an MN below 2^32")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LivePeerList:
    """Peers that have proved to be live, 16 octets each: MI, MN (802.1X-2020 Figure 11-9).

    `key_server_ssci` is the low octet of the key server's SSCI where it distributes an XPN SAK, else 0.
    """

    kind: ClassVar[SetType] = SetType.LIVE_PEER_LIST
    key_server_ssci: int = 0
    peers: tuple[PeerId, ...]

    def __post_init__(self) -> None:
        check_fields(key_server_ssci=(self.key_server_ssci, 8))
        _check_peers(self.peers)

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The list in a body.

        Raises:
            WireError: not a multiple of 16 octets.
        """
        return cls(key_server_ssci=header.second, peers=_parse_peers(body))

    def emit(self) -> bytes:
        """The set's octets."""
        return SetHeader(self.kind, self.key_server_ssci).around(_emit_peers(self.peers))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PotentialPeerList:
    """Peers that have yet to prove that they are live, 16 octets each: MI, MN (802.1X-2020 Figure 11-9)."""

    kind: ClassVar[SetType] = SetType.POTENTIAL_PEER_LIST
    peers: tuple[PeerId, ...]

    def __post_init__(self) -> None:
        _check_peers(self.peers)

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The list in a body.

        Raises:
            WireError: not a multiple of 16 octets.
        """
        return cls(peers=_parse_peers(body))

    def emit(self) -> bytes:
        """The set's octets."""
        return SetHeader(self.kind).around(_emit_peers(self.peers))
