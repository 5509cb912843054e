"""What a KaY takes from the MKPDUs of live peers: SAKs, and how far packet numbers have come."""

from __future__ import annotations

from typing import Final, final

from dataplane.mka.agreed import Refusal, take
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.cp import Cp
from dataplane.mka.installed import Installed
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.paramsets.distributed import DistributedSak
from dataplane.mka.paramsets.peerlists import LivePeerList
from dataplane.mka.paramsets.sakuse import KeyIdentifier, SakUse
from dataplane.mka.participant import Participant
from dataplane.mka.report import lowest_pns
from dataplane.mka.server import KeyServer
from dataplane.mka.status import Evidence


@final
class Intake:
    """Reads the sets about keys. What it decides goes to the CP machine, the key server's part and the SecY."""

    def __init__(
        self, configuration: KayConfiguration, cp: Cp, server: KeyServer, installed: Installed, evidence: Evidence
    ) -> None:
        self._configuration: Final = configuration
        self._cp: Final = cp
        self._server: Final = server
        self._installed: Final = installed
        self._evidence: Final = evidence
        self._known_kns: Final[dict[bytes, int]] = {}

    def read(self, participant: Participant, mkpdu: Mkpdu) -> None:
        """Take in how the sender uses SAKs, if it is live."""
        peer = participant.peers.live.get(mkpdu.basic.mi)
        if peer is None:
            return
        peer.sak_use = mkpdu.find(SakUse) or peer.sak_use
        protect = self._configuration.delay_protect and peer.sak_use is not None and peer.sak_use.delay_protect
        for identifier, lowest_pn in lowest_pns(mkpdu, xpn=self._configuration.policy.suite.xpn):
            self.watch_pn(identifier, lowest_pn)
            for agreed in (self._cp.latest, self._cp.old):
                if protect and agreed is not None and agreed.identifier == identifier:
                    self._installed.raise_pn(agreed, mkpdu.basic.sci, lowest_pn)

    def watch_pn(self, identifier: KeyIdentifier, pn: int) -> None:
        """As key server, want a fresh SAK when any member comes near the end of its PNs (802.1X-2020 9.8)."""
        for agreed in (self._cp.latest, self._cp.old):
            if agreed is not None and agreed.identifier == identifier and self._server.is_current(agreed):
                self._server.rekey_wanted |= pn >= agreed.sak.suite.pending_pn_exhaustion

    def take_sak(self, participant: Participant, mkpdu: Mkpdu, now: float) -> bool:
        """Take the SAK that an MKPDU of the participant's key server distributes; say whether there was one to take."""
        distributed, server = mkpdu.find(DistributedSak), participant.key_server_peer()
        if distributed is None or server is None or server.basic is not mkpdu.basic or not mkpdu.basic.key_server:
            return False
        live_list = mkpdu.find(LivePeerList)
        name = KeyIdentifier(mkpdu.basic.mi, distributed.kn)
        held = [agreed for agreed in (self._cp.new_sak, self._cp.latest, self._cp.old) if agreed is not None]
        if distributed.wrapped and name.kn <= self._known_kns.get(name.mi, 0):
            # No SAK is ever installed twice: its PNs would start again. Where we have dropped one that the key server
            # still gives out, only somebody new can ask for another.
            listed = live_list is not None and any(peer.mi == participant.mi for peer in live_list.peers)
            if listed and all(agreed.identifier != name for agreed in held):
                participant.renew_mi(now)
            return False
        taken = take(
            distributed,
            live_list,
            participant.cak,
            self._configuration.policy,
            own_mi=participant.mi,
            server_mi=name.mi,
            sci_of=participant.sci_of,
            now=now,
        )
        if isinstance(taken, Refusal):
            self._evidence.note_refusal(taken, now, f"key server {mkpdu.basic.sci.hex()}")
            return False
        if any(agreed.sak.key == taken.sak.key for agreed in held):
            return False  # a key server that gives an old SAK a new name would have its nonces used twice
        self._known_kns[name.mi] = name.kn
        self._cp.new_sak = taken
        return True
