"""The Controlled Port machine at work: its variables, and what the SecY is told on entering a state.

The transitions are in machine.py. Names are those of 802.1X-2020 12.4: the latest key and the old key, each with an AN
and flags for receiving and transmitting.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from dataplane.mka.agreed import AgreedSak
from dataplane.mka.events import KayEvent, SetControlledPort
from dataplane.mka.installed import Installed
from dataplane.mka.machine import TRANSITIONS, Condition, State
from dataplane.mka.participant import Participant
from dataplane.mka.times import LIFE, SAK_RETIRE


@final
class Cp:
    """One Controlled Port. `new_sak` is a SAK that was agreed and is not yet the latest key."""

    def __init__(self, installed: Installed, events: deque[KayEvent]) -> None:
        self.state = State.CHANGE
        self.new_sak: AgreedSak | None = None
        self.latest: AgreedSak | None = None
        self.latest_receives = False
        self.latest_transmits = False
        self.old: AgreedSak | None = None
        self.old_transmits = False
        self.transmit_when: float | None = None
        self.retire_when: float | None = None
        self.controlled_port_enabled = False
        self._waited = False
        self._installed: Final = installed
        self._events: Final = events

    @property
    def in_use(self) -> AgreedSak | None:
        """The SAK that we transmit with."""
        if self.latest_transmits:
            return self.latest
        return self.old if self.old_transmits else None

    def run(self, principal: Participant | None, now: float) -> bool:
        """Move until nothing moves any more; say whether there is news for the other members.

        `principal` is the participant whose CA the port is in, None while connect is not SECURE.
        """
        news = False
        if self.transmit_when is not None and now >= self.transmit_when:
            self.transmit_when, self._waited = None, True
        while (state := self._next(principal, now)) is not None:
            self.state = state
            news |= self._enter(state, principal, now)
        return news

    def _next(self, principal: Participant | None, now: float) -> State | None:
        holding = self._holding(principal, now)
        return next((state for condition, state in TRANSITIONS[self.state] if condition in holding), None)

    def _holding(self, principal: Participant | None, now: float) -> set[Condition]:
        holds = {
            Condition.SECURE: principal is not None,
            Condition.NOT_SECURE: principal is None,
            Condition.NEW_SAK: self.new_sak is not None,
            Condition.USING_TRANSMIT_SA: True,  # the driver carries out every order before it sends what we say
            Condition.RETIRE_TIME: self.retire_when is None or now >= self.retire_when,
        }
        if principal is not None and self.latest is not None:
            name, elected_self = self.latest.identifier, principal.elected_self
            other_ca = self.latest.ckn != principal.cak.ckn
            holds |= {
                Condition.SERVER_CHANGED: other_ca or name.mi != principal.key_server_mi(),
                Condition.USING_RECEIVE_SAS: self._installed.receives_from_all(self.latest, principal.mi),
                Condition.NOT_ELECTED: not elected_self,
                Condition.ALL_RECEIVING: elected_self and principal.all_receiving(name),
                Condition.WAITED: elected_self and self._waited and principal.receivers(name) > 0,
                Condition.SERVER_TRANSMITTING: principal.server_transmitting(name),
            }
        return {condition for condition, held in holds.items() if held}

    def _enter(self, state: State, principal: Participant | None, now: float) -> bool:
        """Do what a state does on entry; say whether it sets newInfo (802.1X-2020 Figure 12-2)."""
        match state:
            case State.CHANGE:
                self._close()
            case State.RECEIVE:
                self._receive(principal)
            case State.RECEIVING:
                self.latest_receives = True
                self.transmit_when, self._waited = now + LIFE, False
                return True
            case State.TRANSMIT:
                self._transmit()
            case State.TRANSMITTING:
                self.latest_transmits = True
                self.old_transmits = False
                self.retire_when = None if self.old is None else now + SAK_RETIRE
                return True
            case State.RETIRE:
                self._retire()
            case State.ABANDON:
                self._forget_latest()
            case _:
                pass
        return False

    def _receive(self, principal: Participant | None) -> None:
        self.latest, self.new_sak = self.new_sak, None
        assert self.latest is not None
        assert principal is not None
        if self.old is not None and self.old.an == self.latest.an:  # a key server that reuses the AN: no overlap then
            self._installed.delete(self.old)
            self.old, self.old_transmits = None, False
        self._installed.receive_from(self.latest, principal.heard_scis)
        self._installed.create(self.latest, principal.mi)

    def _transmit(self) -> None:
        assert self.latest is not None
        self._installed.enable_transmit(self.latest)
        self._set_port(enabled=True)

    def _retire(self) -> None:
        if self.old is not None:
            self._installed.delete(self.old)
        self.old, self.old_transmits = self.latest, self.latest_transmits
        self.latest, self.latest_receives, self.latest_transmits = None, False, False
        self.transmit_when = self.retire_when = None

    def _forget_latest(self) -> None:
        if self.latest is not None:
            self._installed.delete(self.latest)
        self.latest, self.latest_receives, self.latest_transmits = None, False, False
        self.transmit_when = None

    def _close(self) -> None:
        self._set_port(enabled=False)
        self._forget_latest()
        if self.old is not None:
            self._installed.delete(self.old)
        self.old, self.old_transmits, self.new_sak = None, False, None

    def _set_port(self, *, enabled: bool) -> None:
        if enabled != self.controlled_port_enabled:
            self.controlled_port_enabled = enabled
            self._events.append(SetControlledPort(enabled=enabled))
