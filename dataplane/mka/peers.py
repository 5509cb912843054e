"""Who is heard, and who has proved to hear us: the potential and live peers of one participant (802.1X-2020 9.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from dataplane.mka.election import Candidate
from dataplane.mka.paramsets.basic import BasicParameterSet
from dataplane.mka.paramsets.peerlists import PeerId
from dataplane.mka.paramsets.sakuse import KeyIdentifier, KeyUse, SakUse
from dataplane.mka.times import LIFE

GREATEST_PEERS: Final = 100
_GREATEST_FORMER: Final = 256


@final
@dataclass(slots=True, kw_only=True)
class Peer:
    """A peer that was heard itself. `expires` is when it is forgotten; `sak_use` is the latest that it told.

    `knows` are the MIs that it lists as live.
    """

    basic: BasicParameterSet
    expires: float
    knows: frozenset[bytes] = frozenset()
    sak_use: SakUse | None = None

    @property
    def candidate(self) -> Candidate:
        """The peer, standing for key server."""
        return Candidate(self.basic.key_server_priority, self.basic.sci)

    def use_of(self, identifier: KeyIdentifier) -> KeyUse | None:
        """How it uses a SAK, which it may call its latest or already its old key; None: not at all."""
        uses = () if self.sak_use is None else (self.sak_use.latest, self.sak_use.old)
        return next((use for use in uses if use is not None and use.identifier == identifier), None)


@final
class PeerTable:
    """Live peers and potential peers, by MI. An SCI is live at most once: the one that proved it last."""

    def __init__(self) -> None:
        self.live: Final[dict[bytes, Peer]] = {}
        self.potential: Final[dict[bytes, Peer]] = {}
        self._hearsay: Final[dict[bytes, tuple[int, float]]] = {}
        self._former: Final[dict[bytes, int]] = {}

    def latest_mn(self, mi: bytes) -> int:
        """The greatest MN heard from a peer, also from one that is gone; 0 from a stranger."""
        peer = self.live.get(mi) or self.potential.get(mi)
        return self._former.get(mi, 0) if peer is None else peer.basic.mn

    def has_room_for(self, mi: bytes) -> bool:
        """Whether the peer is known, or another one may be."""
        return mi in self.live or mi in self.potential or len(self.live) + len(self.potential) < GREATEST_PEERS

    def hear(self, basic: BasicParameterSet, *, proved_until: float, proves_now: bool, now: float) -> bool:
        """Take in a fresh MKPDU's basic set; say whether the lists changed.

        `proves_now`: it lists us with one of our last two MNs, so that a potential peer becomes live. `proved_until`:
        how long the MN that it lists keeps a live peer live; a time gone by if it lists none.
        """
        mi = basic.mi
        self._hearsay.pop(mi, None)
        peer = self.live.get(mi)
        if peer is not None:
            peer.basic = basic
            peer.expires = max(peer.expires, proved_until)
            return False
        if proves_now:
            self.potential.pop(mi, None)
            for former in [other for other in self.live.values() if other.basic.sci == basic.sci]:
                self._forget(self.live, former.basic.mi)  # it has come back with a new MI
            self.live[mi] = Peer(basic=basic, expires=proved_until)
            return True
        is_new = mi not in self.potential
        self.potential[mi] = Peer(basic=basic, expires=now + LIFE)
        return is_new

    def hear_of(self, listed: tuple[PeerId, ...], *, own_mi: bytes, now: float) -> None:
        """Take in the live peer list of a live peer: whom it names is a potential peer, heard or not."""
        for mi, mn in listed:
            known = mi == own_mi or mi in self.live or mi in self.potential or mi in self._former
            if not known and (mi in self._hearsay or len(self._hearsay) < GREATEST_PEERS):
                self._hearsay[mi] = (mn, now + LIFE)

    def expire(self, now: float) -> bool:
        """Forget whose time is over; say whether the live list changed."""
        for mi in [mi for mi, peer in self.potential.items() if peer.expires <= now]:
            self._forget(self.potential, mi)
        for mi in [mi for mi, (_, expires) in self._hearsay.items() if expires <= now]:
            del self._hearsay[mi]
        dead = [mi for mi, peer in self.live.items() if peer.expires <= now]
        for mi in dead:
            self._forget(self.live, mi)
        return bool(dead)

    def next_expiry(self) -> float | None:
        """When the next peer will be forgotten."""
        times = [peer.expires for table in (self.live, self.potential) for peer in table.values()]
        times += [expires for _, expires in self._hearsay.values()]
        return min(times, default=None)

    @property
    def any_potential(self) -> bool:
        """Whether the potential peer list has anybody in it."""
        return bool(self.potential or self._hearsay)

    def live_ids(self) -> tuple[PeerId, ...]:
        """The live peer list to send, in the order of the SSCIs: greatest SCI first (802.1X-2020 9.10)."""
        peers = sorted(self.live.values(), key=lambda peer: peer.basic.sci, reverse=True)
        return tuple(PeerId(peer.basic.mi, peer.basic.mn) for peer in peers)

    def potential_ids(self) -> tuple[PeerId, ...]:
        """The potential peer list to send."""
        heard = [PeerId(mi, peer.basic.mn) for mi, peer in self.potential.items()]
        return tuple(heard + [PeerId(mi, mn) for mi, (mn, _) in self._hearsay.items()])

    def sci_of(self, mi: bytes) -> bytes | None:
        """The SCI of a peer that was heard itself."""
        peer = self.live.get(mi) or self.potential.get(mi)
        return None if peer is None else peer.basic.sci

    def _forget(self, table: dict[bytes, Peer], mi: bytes) -> None:
        """A forgotten MI stays known as such, so that its recorded MKPDUs do not bring it back."""
        self._former[mi] = table.pop(mi).basic.mn
        while len(self._former) > _GREATEST_FORMER:
            del self._former[next(iter(self._former))]
