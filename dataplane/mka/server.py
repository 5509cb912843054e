"""The key server's part: when a fresh SAK is due, what it is, and to whom it still has to get (802.1X-2020 9.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from dataplane.mka.agreed import AgreedSak, SakPolicy, generate
from dataplane.mka.cp import Cp
from dataplane.mka.machine import State
from dataplane.mka.participant import Participant
from dataplane.mka.times import LIFE

_SETTLED: Final = frozenset({State.SECURED, State.RETIRE})
_OPEN_FOR_ANOTHER: Final = _SETTLED | {State.RECEIVE, State.RECEIVING, State.READY, State.ABANDON}


@final
class KeyServer:
    """What we do while we are elected. `rekey_wanted` asks for a fresh SAK as soon as the last one is in use."""

    def __init__(self, policy: SakPolicy, cp: Cp, random: Callable[[int], bytes]) -> None:
        self.rekey_wanted = False
        self._policy: Final = policy
        self._cp: Final = cp
        self._random: Final = random
        self._kn = 0
        self._last: AgreedSak | None = None
        self._strangers_since: float | None = None
        self._made_among_strangers = False

    def is_current(self, agreed: AgreedSak | None) -> bool:
        """Whether this is the SAK that we made last."""
        return agreed is not None and agreed is self._last

    def due(self, principal: Participant, now: float) -> bool:
        """Whether a fresh SAK is to be made now, we being the key server of the principal participant."""
        self._look_round(principal, now)
        if self._cp.new_sak is not None or self._cp.state not in _OPEN_FOR_ANOTHER:
            return False
        if not self._is_for_all(principal):
            return now >= self._straggler_time(principal)
        return self.rekey_wanted and self._cp.state in _SETTLED

    def next_timeout(self, principal: Participant) -> float | None:
        """When a fresh SAK that waits for stragglers is due."""
        if not principal.elected_self or self._is_for_all(principal):
            return None
        when = self._straggler_time(principal)
        return None if when == float("-inf") else when

    def make(self, principal: Participant, now: float) -> AgreedSak:
        """A fresh SAK for all live members."""
        cp = self._cp
        recent = cp.latest or cp.old or self._last
        self._kn += 1
        self.rekey_wanted = False
        self._made_among_strangers = not principal.acquainted
        own_sci = principal.sci_of(principal.mi)
        assert own_sci is not None
        self._last = generate(
            principal.cak,
            self._policy,
            own=(principal.mi, own_sci),
            peers=principal.live_scis,
            kn=self._kn,
            an=0 if recent is None else (recent.an + 1) % 4,
            random=self._random,
            now=now,
        )
        return self._last

    def to_distribute(self, principal: Participant) -> AgreedSak | None:
        """The SAK that some member does not receive with yet. It goes to those alone that it was made for."""
        last = self._last
        if last is None or not self._is_for_all(principal) or principal.all_receiving(last.identifier):
            return None
        return last

    def _look_round(self, principal: Participant, now: float) -> None:
        """See whether the others know each other.

        There are members that make no receive SA for a peer that they hear of after the SAK, and say that they receive.
        """
        if not principal.acquainted:
            self._strangers_since = now if self._strangers_since is None else self._strangers_since
            return
        self._strangers_since = None
        self.rekey_wanted |= self._made_among_strangers
        self._made_among_strangers = False

    def _is_current_in(self, principal: Participant) -> bool:
        """Whether the SAK that we made last is in use, and of this CA."""
        last = self._last
        return last is not None and last in (self._cp.latest, self._cp.old) and _made_in(last, principal)

    def _is_for_all(self, principal: Participant) -> bool:
        """Whether it is for the members that there are now."""
        last = self._last
        return last is not None and self._is_current_in(principal) and last.members.keys() == _membership(principal)

    def _straggler_time(self, principal: Participant) -> float:
        """Until when the SAK for a new membership waits.

        While a potential peer may yet become live, SAKs are a life time apart (802.1X-2020 9.8, Table 9-3). As long at
        most one waits for members to get to know each other.
        """
        times = [float("-inf")]
        if self._last is not None and self._is_current_in(principal) and principal.peers.any_potential:
            times.append(self._last.since + LIFE)
        if self._strangers_since is not None:
            times.append(self._strangers_since + LIFE)
        return max(times)


def _made_in(agreed: AgreedSak, principal: Participant) -> bool:
    return agreed.ckn == principal.cak.ckn and agreed.identifier.mi == principal.mi


def _membership(principal: Participant) -> set[bytes]:
    return {principal.mi, *principal.peers.live}
