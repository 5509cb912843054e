"""The Controlled Port machine, CP (802.1X-2020 Figure 12-2): what may follow what. Nothing else is in this file.

This KaY secures or stays closed, so of the figure's states ALLOWED and AUTHENTICATED are left out; INIT is CHANGE.
Some transitions are stricter than the figure's: RECEIVE lasts until every member has been heard that the SAK is for,
and can be given up; a port that is still closed waits for the receivers like an open one; and a change of the key
server costs a SAK that is on its way, not the one in use.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, final


@final
class State(enum.Enum):
    """Where the Controlled Port stands."""

    CHANGE = "change"
    SECURED = "secured"
    RECEIVE = "receive"
    RECEIVING = "receiving"
    READY = "ready"
    TRANSMIT = "transmit"
    TRANSMITTING = "transmitting"
    RETIRE = "retire"
    ABANDON = "abandon"


@final
class Condition(enum.Enum):
    """What a transition waits for."""

    SECURE = "connect is SECURE: live peers, a key server, nothing against it"
    NOT_SECURE = "connect is not SECURE any more"
    NEW_SAK = "a SAK was agreed that is not yet the latest key"
    SERVER_CHANGED = "the latest key's key server is not the key server any more"
    USING_RECEIVE_SAS = "the SecY receives with the latest key, from every member that it is for"
    NOT_ELECTED = "another member is the key server"
    ALL_RECEIVING = "we are the key server and all live members receive with the latest key"
    WAITED = "we are the key server, a life time has passed, and some live member receives with the latest key"
    SERVER_TRANSMITTING = "the key server transmits with the latest key"
    USING_TRANSMIT_SA = "the SecY transmits with the latest key"
    RETIRE_TIME = "the old key's time is over, or there is none"


# State -> what may happen, the first that holds. What is not listed does not move the machine.
TRANSITIONS: Final[Mapping[State, tuple[tuple[Condition, State], ...]]] = {
    State.CHANGE: ((Condition.SECURE, State.SECURED),),
    State.SECURED: ((Condition.NOT_SECURE, State.CHANGE), (Condition.NEW_SAK, State.RECEIVE)),
    State.RECEIVE: (
        (Condition.NOT_SECURE, State.ABANDON),
        (Condition.NEW_SAK, State.ABANDON),
        (Condition.SERVER_CHANGED, State.ABANDON),
        (Condition.USING_RECEIVE_SAS, State.RECEIVING),
    ),
    State.RECEIVING: (
        (Condition.NOT_SECURE, State.ABANDON),
        (Condition.NEW_SAK, State.ABANDON),
        (Condition.SERVER_CHANGED, State.ABANDON),
        (Condition.NOT_ELECTED, State.READY),
        (Condition.ALL_RECEIVING, State.TRANSMIT),
        (Condition.WAITED, State.TRANSMIT),
    ),
    State.READY: (
        (Condition.NOT_SECURE, State.ABANDON),
        (Condition.NEW_SAK, State.ABANDON),
        (Condition.SERVER_CHANGED, State.ABANDON),
        (Condition.SERVER_TRANSMITTING, State.TRANSMIT),
    ),
    State.TRANSMIT: ((Condition.USING_TRANSMIT_SA, State.TRANSMITTING),),
    State.TRANSMITTING: ((Condition.NOT_SECURE, State.RETIRE), (Condition.RETIRE_TIME, State.RETIRE)),
    State.RETIRE: ((Condition.NOT_SECURE, State.CHANGE), (Condition.NEW_SAK, State.RECEIVE)),
    State.ABANDON: ((Condition.NOT_SECURE, State.CHANGE), (Condition.NEW_SAK, State.RECEIVE)),
}
