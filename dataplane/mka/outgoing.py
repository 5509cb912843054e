"""What a KaY sends: the MKPDU of a participant, with what the principal one has to say of SAKs, and when the next."""

from __future__ import annotations

from typing import Final, final

from dataplane.mka.agreed import distribute
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.cp import Cp
from dataplane.mka.machine import State
from dataplane.mka.mkpdu import seal
from dataplane.mka.paramsets.registry import ParameterSet
from dataplane.mka.participant import Participant
from dataplane.mka.report import KeyReport
from dataplane.mka.server import KeyServer
from dataplane.mka.status import Evidence, Trouble
from dataplane.mka.times import BOUNDED_HELLO, HELLO, LIFE

_UNDER_WAY: Final = frozenset({State.RECEIVE, State.RECEIVING, State.READY, State.ABANDON})


@final
class Outgoing:
    """Writes frames."""

    def __init__(
        self, configuration: KayConfiguration, cp: Cp, server: KeyServer, report: KeyReport, evidence: Evidence
    ) -> None:
        self._configuration: Final = configuration
        self._cp: Final = cp
        self._server: Final = server
        self._report: Final = report
        self._evidence: Final = evidence

    def write(self, participant: Participant, *, principal: bool, now: float) -> bytes:
        """The next frame of a participant; sets when one is due again."""
        configuration = self._configuration
        server_ssci, keys = self._keys(participant, now) if principal else (0, ())
        mkpdu = participant.write(
            version=configuration.version,
            key_server_ssci=server_ssci,
            keys=keys,
            icv_indicator=configuration.icv_indicator,
            now=now,
        )
        participant.next_hello = now + self._interval(participant, principal=principal, now=now)
        return seal(mkpdu, participant.cak.ick.reveal(), configuration.source, configuration.group_address)

    def _keys(self, participant: Participant, now: float) -> tuple[int, tuple[ParameterSet, ...]]:
        """Our SSCI where we distribute an XPN SAK, and the sets of the principal participant (802.1X-2020 11.11.3)."""
        keys: list[ParameterSet] = []
        server_ssci = 0
        sak_use = self._report.sak_use()
        if sak_use is not None:
            keys.append(sak_use)
        waiting = self._server.to_distribute(participant) if participant.elected_self else None
        if waiting is not None:
            keys.append(distribute(waiting, participant.cak, self._configuration.policy))
            server_ssci = waiting.members[participant.mi] & 0xFF
            if now >= waiting.since + LIFE:
                self._evidence.note(Trouble.SAK_NOT_TAKEN, now, waiting.sak.suite.name)
        if sak_use is not None and self._configuration.policy.suite.xpn:
            keys.append(self._report.xpn())
        return server_ssci, tuple(keys)

    def _interval(self, participant: Participant, *, principal: bool, now: float) -> float:
        """How long until the next MKPDU, unless there is news before."""
        if self._configuration.delay_protect and participant.peers.live:  # 802.1X-2020 9.10.1
            return BOUNDED_HELLO
        unsettled = participant.peers.potential or (principal and self._under_way(participant))
        return BOUNDED_HELLO if unsettled and now < participant.hurried_until else HELLO

    def _under_way(self, participant: Participant) -> bool:
        """Whether a SAK is not yet known to be in use at every member."""
        agreed = self._cp.in_use
        if agreed is None or self._cp.state in _UNDER_WAY:
            return True
        uses = (peer.use_of(agreed.identifier) for peer in participant.peers.live.values())
        return any(use is None or not use.transmits for use in uses)
