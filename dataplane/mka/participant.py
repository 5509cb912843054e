"""One participant: this KaY in the CA of one CKN. It knows its peers and what they tell, and writes its MKPDUs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, final

from dataplane.mka.election import Candidate, elect
from dataplane.mka.keys import Cak
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.paramsets.basic import BasicParameterSet, MacsecCapability
from dataplane.mka.paramsets.header import MI_OCTETS
from dataplane.mka.paramsets.peerlists import LivePeerList, PeerId, PotentialPeerList
from dataplane.mka.paramsets.registry import ParameterSet
from dataplane.mka.paramsets.sakuse import KeyIdentifier
from dataplane.mka.peers import Peer, PeerTable
from dataplane.mka.times import HELLO, LIFE

_LAST_MN: Final = (1 << 32) - 1
_RECENT_MNS: Final = 2
"""A peer proves that it is live by listing us with one of our last so many MNs (802.1X-2020 9.4.3).

One of the last hello time is no older, however many have followed it: news of several members crosses on its way.
"""

_ROUND_TRIP: Final = 0.25
"""In so many seconds an answer is here. A live peer that lists an older MN then has not received the last one."""


@final
class Participant:
    """`own` is how we stand for key server; `serial` grows with each participant of a KaY.

    `next_hello` is when its next MKPDU is due, `hurried_until` the end of the time in which MKPDUs follow each other
    faster, as something is under way.
    """

    def __init__(self, cak: Cak, own: Candidate, *, serial: int, random: Callable[[int], bytes], now: float) -> None:
        self.cak: Final = cak
        self.serial: Final = serial
        self.peers: Final = PeerTable()
        self.mi = b""
        self.next_hello = now
        self.hurried_until = now + LIFE
        self._own: Final = own
        self._random: Final = random
        self._sent: Final[deque[tuple[int, float]]] = deque()
        self._mn = 0
        self.renew_mi(now)

    def renew_mi(self, now: float) -> None:
        """Become somebody new: to the others, we never agreed to any SAK (802.1X-2020 9.4.2)."""
        self.mi = self._random(MI_OCTETS)
        self._mn = 0
        self._sent.clear()
        self.hurry(now)

    def hurry(self, now: float) -> None:
        """Something changed: tell it at once, and again soon, for a life time."""
        self.next_hello = now
        self.hurried_until = now + LIFE

    # --- what arrives ------------------------------------------------------------------------------------------------

    def hear(self, mkpdu: Mkpdu, now: float) -> bool:
        """Take in who sent a fresh MKPDU and whom it lists; say whether our lists changed."""
        live, potential = mkpdu.find(LivePeerList), mkpdu.find(PotentialPeerList)
        listed = (() if live is None else live.peers) + (() if potential is None else potential.peers)
        mns = [peer.mn for peer in listed if peer.mi == self.mi]
        if any(mn > self._mn for mn in mns):  # 802.1X-2020 9.4.2: our MI is in use by somebody else
            self.renew_mi(now)
            mns = []
        sent = max((when for mn, when in self._sent if mn in mns), default=float("-inf"))
        recent = sent > now - HELLO or any(mn > max(0, self._mn - _RECENT_MNS) for mn in mns)
        changed = self.peers.hear(
            mkpdu.basic,
            proved_until=sent + LIFE + HELLO,  # 802.1X-2020 9.4.3: a life time, at most a hello time more
            proves_now=recent,
            now=now,
        )
        answered = not self._sent or self._mn in mns or self._sent[-1][1] >= now - _ROUND_TRIP
        if mkpdu.basic.mi in self.peers.live and not answered:
            self.hurry(now)  # our last MKPDU did not reach it; before it gives us up, here is another
        peer = self.peers.live.get(mkpdu.basic.mi)
        if peer is not None:
            others = () if live is None else live.peers
            peer.knows = frozenset(other.mi for other in others)
            self.peers.hear_of(others, own_mi=self.mi, now=now)
        return changed

    # --- what follows from it ----------------------------------------------------------------------------------------

    def key_server(self) -> Candidate | None:
        """The key server among us and the live peers; None while nobody is live, or nobody wants to be it."""
        if not self.peers.live:
            return None
        return elect([self._own, *(peer.candidate for peer in self.peers.live.values())])

    @property
    def elected_self(self) -> bool:
        """Whether we are the key server."""
        return self.key_server() == self._own

    def key_server_peer(self) -> Peer | None:
        """The live peer that is the key server; None: there is none, or we are it."""
        server = self.key_server()
        return next((peer for peer in self.peers.live.values() if peer.candidate == server), None)

    def key_server_mi(self) -> bytes | None:
        """The key server's MI, which may be our own."""
        peer = self.key_server_peer()
        return self.mi if self.elected_self else None if peer is None else peer.basic.mi

    @property
    def wants_macsec(self) -> bool:
        """Whether every live peer can and will use MACsec."""
        basics = [peer.basic for peer in self.peers.live.values()]
        return all(basic.macsec_desired and basic.macsec_capability != MacsecCapability.NONE for basic in basics)

    @property
    def acquainted(self) -> bool:
        """Whether the live peers list each other as live, as far as they have told."""
        live = self.peers.live
        return all(peer.knows >= live.keys() - {mi} for mi, peer in live.items())

    def receivers(self, identifier: KeyIdentifier) -> int:
        """How many live peers say that they receive with a SAK."""
        uses = [peer.use_of(identifier) for peer in self.peers.live.values()]
        return sum(use is not None and use.receives for use in uses)

    def all_receiving(self, identifier: KeyIdentifier) -> bool:
        """Whether all live peers say that they receive with a SAK."""
        return self.receivers(identifier) == len(self.peers.live)

    def server_transmitting(self, identifier: KeyIdentifier) -> bool:
        """Whether the key server, a peer, says that it transmits with a SAK."""
        server = self.key_server_peer()
        use = None if server is None else server.use_of(identifier)
        return use is not None and use.transmits

    def sci_of(self, mi: bytes) -> bytes | None:
        """The SCI of a member, us included."""
        return self._own.sci if mi == self.mi else self.peers.sci_of(mi)

    @property
    def live_scis(self) -> dict[bytes, bytes]:
        """The live peers' SCIs by MI."""
        return {mi: peer.basic.sci for mi, peer in self.peers.live.items()}

    @property
    def heard_scis(self) -> dict[bytes, bytes]:
        """The SCIs by MI of all peers that were heard, live or not."""
        return {mi: peer.basic.sci for mi, peer in self.peers.potential.items()} | self.live_scis

    # --- what is sent ------------------------------------------------------------------------------------------------

    def write(
        self, *, version: int, key_server_ssci: int, keys: tuple[ParameterSet, ...], icv_indicator: bool, now: float
    ) -> Mkpdu:
        """The next MKPDU: who we are, whom we hear, and the sets that tell of keys."""
        if self._mn == _LAST_MN:  # 802.1X-2020 9.4.2
            self.renew_mi(now)
        self._mn += 1
        self._sent.append((self._mn, now))
        while self._sent[0][1] < now - LIFE - HELLO:
            self._sent.popleft()
        sets: list[ParameterSet] = []
        live: tuple[PeerId, ...] = self.peers.live_ids()
        potential = self.peers.potential_ids()
        if live:
            sets.append(LivePeerList(key_server_ssci=key_server_ssci, peers=live))
        if potential:
            sets.append(PotentialPeerList(peers=potential))
        return Mkpdu(
            basic=BasicParameterSet(
                version=version,
                key_server_priority=self._own.priority,
                key_server=self.elected_self or (not live and elect([self._own]) is not None),
                macsec_desired=True,
                macsec_capability=MacsecCapability.CONFIDENTIALITY_OFFSETS,
                sci=self._own.sci,
                mi=self.mi,
                mn=self._mn,
                ckn=self.cak.ckn,
            ),
            sets=(*sets, *keys),
            icv_indicator=icv_indicator,
        )
