"""Our end of a guest's cable with a KaY: what an edge driver does, in its shortest form, under the real clock."""

from __future__ import annotations

import os
import time

from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import GCM_AES_128
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.events import (
    EnableTransmitSa,
    KayEvent,
    KeyServerElected,
    MemberJoined,
    MemberLeft,
    SetControlledPort,
)
from dataplane.mka.kay import KaY
from dataplane.mka.keys import Cak
from dataplane.mka.orders import carry_out, next_pns
from dataplane.mka.verdict import Discarded
from tests.interop.kernel.echo import EchoHost
from tests.interop.kernel.link import SecuredHost, Wire


class KeyedHost(SecuredHost):
    """A `SecuredHost` whose SAs come from MKA."""

    def __init__(self, wire: Wire, host: EchoHost, *, priority: int, policy: SakPolicy | None = None) -> None:
        sci = host.mac + b"\x00\x01"
        secy = SecY(
            sci,
            generation=Generation(sci_encoding=SciEncoding.EXPLICIT),
            verification=Verification(replay_window=32),
        )
        super().__init__(wire, secy, host)
        self.kay = KaY(
            KayConfiguration(sci=sci, policy=policy or SakPolicy(suite=GCM_AES_128), key_server_priority=priority),
            random=os.urandom,
        )
        self.open = False
        self.events: list[KayEvent] = []
        self.refused: list[Discarded] = []

    def join(self, cak: Cak) -> None:
        """Take part with this CAK."""
        self.kay.add_participant(cak, time.monotonic())
        self._work()

    def receive_eapol(self, frame: bytes) -> None:
        """To the KaY."""
        outcome = self.kay.receive(frame, time.monotonic())
        if isinstance(outcome, Discarded):
            self.refused.append(outcome)
        self._work()

    def tick(self) -> None:
        """Let the KaY's timers run."""
        due = self.kay.next_timeout()
        if due is not None and due <= time.monotonic():
            self.kay.handle_timer(time.monotonic(), next_pns(self.secy))
            self._work()

    def rekey(self) -> None:
        """Ask for a fresh SAK, as the key server that we are."""
        assert self.kay.rekey(time.monotonic())
        self._work()

    def used_ans(self) -> list[int]:
        """The ANs that we have transmitted with, in their order."""
        return [event.an for event in self.events if isinstance(event, EnableTransmitSa)]

    def secured_with(self, members: int) -> bool:
        """Whether the port is open and so many other members are live."""
        status = self.kay.status(time.monotonic())
        return status.secured and [len(participant.live) for participant in status.participants] == [members]

    def _work(self) -> None:
        while (event := self.kay.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, SetControlledPort):
                self.open = event.enabled
            elif not isinstance(event, MemberJoined | MemberLeft | KeyServerElected):
                carry_out(event, self.secy)
        for frame in self.kay.to_send(time.monotonic()):
            self.wire.send(frame)
