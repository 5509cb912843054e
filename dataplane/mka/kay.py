"""The KaY's door: the engine verbs, the participants, and the order in which the parts do their work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.mka.admission import Refused, admit
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.cp import Cp
from dataplane.mka.election import Candidate
from dataplane.mka.events import KayEvent, KeyServerElected, MemberJoined, MemberLeft
from dataplane.mka.installed import Installed
from dataplane.mka.intake import Intake
from dataplane.mka.keys import Cak
from dataplane.mka.machine import State
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.outgoing import Outgoing
from dataplane.mka.participant import Participant
from dataplane.mka.principal import choose, is_led
from dataplane.mka.report import KeyReport
from dataplane.mka.server import KeyServer
from dataplane.mka.status import Evidence, KayStatus, Trouble, describe
from dataplane.mka.verdict import Accepted, Discarded, DiscardReason, KayCounters, Outcome

_TELLING: Final = {
    DiscardReason.UNKNOWN_CKN: Trouble.CKN,
    DiscardReason.INVALID_ICV: Trouble.CAK,
    DiscardReason.UNKNOWN_ALGORITHM: Trouble.ALGORITHM,
}


@final
class KaY:
    """A MAC Security Key Agreement Entity (802.1X-2020 9): one port, any number of CAKs.

    After each verb the driver applies all events in their order, then sends what `to_send` gives, then waits until
    `next_timeout`. No octets make a verb raise. `random` gives so many octets of entropy.
    """

    def __init__(self, configuration: KayConfiguration, *, random: Callable[[int], bytes]) -> None:
        self.configuration: Final = configuration
        self.counters: Final = KayCounters()
        self._random: Final = random
        self._own: Final = Candidate(configuration.key_server_priority, configuration.sci)
        self._events: Final[deque[KayEvent]] = deque()
        self._installed: Final = Installed(configuration.sci, self._events)
        self._cp: Final = Cp(self._installed, self._events)
        self._server: Final = KeyServer(configuration.policy, self._cp, random)
        self._report: Final = KeyReport(self._cp, delay_protect=configuration.delay_protect)
        self._evidence: Final = Evidence()
        self._intake: Final = Intake(configuration, self._cp, self._server, self._installed, self._evidence)
        self._outgoing: Final = Outgoing(configuration, self._cp, self._server, self._report, self._evidence)
        self._participants: Final[dict[bytes, Participant]] = {}
        self._members: Final[dict[bytes, dict[bytes, bytes]]] = {}
        self._serial = 0
        self._now = float("-inf")
        self._principal: Participant | None = None
        self._followed: Participant | None = None
        self._elected: bytes | None = None
        self._distrusted: frozenset[bytes] = frozenset()

    # --- participants ------------------------------------------------------------------------------------------------

    def add_participant(self, cak: Cak, now: float) -> None:
        """Take part in the CA of one more CAK, beside those that there are.

        Raises:
            LocalError: there is a participant with this CKN.
        """
        if cak.ckn in self._participants:
            raise LocalError(f"there is a participant with CKN {cak.ckn.hex()} already")
        self._serial += 1
        self._participants[cak.ckn] = Participant(cak, self._own, serial=self._serial, random=self._random, now=now)
        self._members[cak.ckn] = {}
        self._settle(now)

    def remove_participant(self, ckn: bytes, now: float) -> None:
        """Leave a CA. SAs stay while another participant has live peers, until its key server has replaced them.

        Raises:
            LocalError: there is no participant with this CKN.
        """
        if ckn not in self._participants:
            raise LocalError(f"there is no participant with CKN {ckn.hex()}")
        participant = self._participants.pop(ckn)
        for sci in self._members.pop(ckn).values():
            self._events.append(MemberLeft(ckn=ckn, sci=sci))
        if self._followed is participant:
            self._followed = None
        self._settle(now)

    # --- engine verbs ------------------------------------------------------------------------------------------------

    def receive(self, octets: bytes | bytearray | memoryview, now: float) -> Outcome:
        """Take in one frame with the EtherType of EAPOL, from its destination address on."""
        caks = {ckn: participant.cak for ckn, participant in self._participants.items()}
        admitted = admit(bytes(octets), caks, self.configuration.group_address)
        if isinstance(admitted, Refused):
            trouble = _TELLING.get(admitted.reason)
            if trouble is not None:
                self._evidence.note(trouble, now, f"CKN {admitted.ckn.hex()}")
            return self._discard(admitted.reason)
        participant = self._participants[admitted.basic.ckn]
        reason = self._objection(participant, admitted, now)
        if reason is not None:
            return self._discard(reason)
        self.counters.mkpdus_accepted += 1
        self._evidence.clear(Trouble.CAK)
        if participant.hear(admitted, now):
            participant.hurry(now)
        may_lead = not self._distrusted and is_led(participant, self._participants.values())
        if may_lead and self._intake.take_sak(participant, admitted, now):
            self._followed = participant
            self.counters.saks_accepted += 1
        self._intake.read(participant, admitted)
        self._settle(now)
        return Accepted(admitted.basic.sci)

    def to_send(self, now: float) -> tuple[bytes, ...]:
        """The frames that are due, one a participant at most.

        Raises:
            LocalError: events are waiting. They come first: what is sent says that they have been applied.
        """
        if self._events:
            raise LocalError(f"apply the {len(self._events)} events before sending")
        due = [participant for participant in self._participants.values() if participant.next_hello <= now]
        frames = tuple(
            self._outgoing.write(participant, principal=participant is self._principal, now=now) for participant in due
        )
        self.counters.mkpdus_sent += len(frames)
        return frames

    def next_timeout(self) -> float | None:
        """When `handle_timer` has something to do; a time gone by: now. None: never, without participants."""
        times = [self._cp.retire_when, self._cp.transmit_when]
        stragglers = self._server.next_timeout(self._principal) if self._principal is not None else None
        if stragglers is not None and stragglers > self._now:
            times.append(stragglers)
        for participant in self._participants.values():
            times += [participant.next_hello, participant.peers.next_expiry()]
        return min((when for when in times if when is not None), default=None)

    def handle_timer(self, now: float, next_pn: Mapping[int, int] | None = None) -> None:
        """Do what is due. `next_pn`: the next PN of each of our transmit SAs, by AN, as the SecY has it now.

        Without readings at least every hello time neither PN exhaustion nor delay protection can work.
        """
        for agreed, pn in self._report.note(next_pn or {}, now):
            self._intake.watch_pn(agreed.identifier, pn)
        self._settle(now)

    def next_event(self) -> KayEvent | None:
        """The oldest event not yet told, or None."""
        return self._events.popleft() if self._events else None

    def port_up(self, now: float) -> None:
        """The wire works again, or for the first time: tell the others at once, and not only when a hello is due."""
        for participant in self._participants.values():
            participant.hurry(now)
        self._now = now

    # --- management --------------------------------------------------------------------------------------------------

    def rekey(self, now: float) -> bool:
        """Replace the SAK; only the key server can. Says whether it will."""
        if self._principal is None or not self._principal.elected_self:
            return False
        self._server.rekey_wanted = True
        self._settle(now)
        return True

    def refuse_sci_state(self, now: float) -> None:
        """The driver saw a SecTAG with an SCI where our policy is to have none, or the other way round.

        The port closes, and stays closed until a peer comes back as somebody new.
        """
        self._distrusted = frozenset(mi for members in self._members.values() for mi in members)
        self._settle(now)

    def status(self, now: float) -> KayStatus:
        """How things stand. While a link is down the reason is in `trouble`."""
        return describe(
            self.configuration.sci,
            tuple(self._participants.values()),
            self._principal,
            self._cp,
            self._evidence,
            now,
        )

    # --- how it works ------------------------------------------------------------------------------------------------

    def _discard(self, reason: DiscardReason) -> Discarded:
        self.counters.discarded[reason] += 1
        return Discarded(reason)

    def _objection(self, participant: Participant, mkpdu: Mkpdu, now: float) -> DiscardReason | None:
        """What is against an authentic MKPDU."""
        basic = mkpdu.basic
        if basic.sci == self.configuration.sci:
            return DiscardReason.OWN_FRAME
        if basic.mi == participant.mi:  # 802.1X-2020 9.4.2: somebody else has our MI
            participant.renew_mi(now)
            return DiscardReason.MI_COLLISION
        if basic.mn <= participant.peers.latest_mn(basic.mi):
            return DiscardReason.REPLAYED_MN
        if not participant.peers.has_room_for(basic.mi):
            return DiscardReason.TOO_MANY_PEERS
        return None

    def _settle(self, now: float) -> None:
        """Bring everything in line with what is known now."""
        self._now = now
        for participant in self._participants.values():
            if participant.peers.expire(now):
                participant.hurry(now)
            self._tell_members(participant)
        self._choose_principal(now)
        principal = self._principal
        for agreed in (self._cp.latest, self._cp.old):
            if agreed is not None and principal is not None and agreed.ckn == principal.cak.ckn:
                self._installed.receive_from(agreed, principal.heard_scis)
        had_keys = self._cp.latest is not None or self._cp.old is not None
        self._run_cp(now)
        if had_keys and self._cp.state is State.CHANGE and not self._distrusted:
            # Our SAs are gone; the others must see that, and give us a fresh SAK instead of one that we used.
            for participant in self._participants.values():
                participant.renew_mi(now)
        heard = [participant.heard_scis.values() for participant in self._participants.values()]
        self._installed.keep_only({sci for scis in heard for sci in scis})

    def _run_cp(self, now: float) -> None:
        principal = self._principal
        news = self._cp.run(principal, now)
        if principal is not None and principal.elected_self and self._server.due(principal, now):
            self._cp.new_sak = self._server.make(principal, now)
            self.counters.saks_distributed += 1
            news |= self._cp.run(principal, now)
        if news and principal is not None:
            principal.hurry(now)

    def _choose_principal(self, now: float) -> None:
        if any(members.keys() - self._distrusted for members in self._members.values()):
            self._distrusted = frozenset()
        if self._distrusted:
            self._evidence.note(Trouble.SCI_STATE, now)
        for participant in self._participants.values():
            if participant.peers.live and participant.key_server() is None:
                self._evidence.note(Trouble.NO_KEY_SERVER, now)
            if not participant.wants_macsec:
                self._evidence.note(Trouble.NO_MACSEC, now)
        self._principal = None if self._distrusted else choose(self._participants.values(), self._followed)
        server = None if self._principal is None else self._principal.key_server()
        elected = None if server is None else server.sci
        if elected != self._elected:
            self._elected = elected
            self._events.append(KeyServerElected(sci=elected))

    def _tell_members(self, participant: Participant) -> None:
        ckn, live = participant.cak.ckn, participant.live_scis
        known = self._members[ckn]
        self._events.extend(MemberLeft(ckn=ckn, sci=sci) for mi, sci in known.items() if mi not in live)
        self._events.extend(MemberJoined(ckn=ckn, sci=sci) for mi, sci in live.items() if mi not in known)
        self._members[ckn] = live
