"""Which of several participants the port follows: the principal actor (802.1X-2020 9.16, 12.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dataplane.mka.election import Candidate
from dataplane.mka.participant import Participant


class _Rank(NamedTuple):
    """The key server of the highest priority first, then the CA with the most members."""

    key_server: Candidate
    missing: int


def choose(participants: Iterable[Participant], followed: Participant | None) -> Participant | None:
    """The principal participant among those with live peers, a key server and members that all want MACsec.

    Of equals, a key server leads with the newest: a CAK that both ends were given takes over at once. The others
    follow it: `followed` is the participant in which they last took a SAK.
    """
    ranks = {participant: rank for participant in participants if (rank := _rank(participant)) is not None}
    if not ranks:
        return None
    best = min(ranks.values())
    equals = [participant for participant, rank in ranks.items() if rank == best]
    if followed in equals and not any(participant.elected_self for participant in equals):
        return followed
    return max(equals, key=lambda participant: participant.serial)


def is_led(participant: Participant, participants: Iterable[Participant]) -> bool:
    """Whether a key server may lead the port into this participant's CA: none ranks before it."""
    rank = _rank(participant)
    others = (_rank(other) for other in participants)
    return rank is not None and all(other is None or rank <= other for other in others)


def _rank(participant: Participant) -> _Rank | None:
    key_server = participant.key_server()
    if key_server is None or not participant.wants_macsec:
        return None
    return _Rank(key_server, -len(participant.peers.live))
