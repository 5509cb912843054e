"""Every state of the CP machine against every condition, the figure written down a second time."""

from __future__ import annotations

import pytest

from dataplane.mka.machine import TRANSITIONS, Condition, State

# (state, the one condition that holds) -> the next state; everything else stays where it is.
FIGURE = {
    (State.CHANGE, Condition.SECURE): State.SECURED,
    (State.SECURED, Condition.NOT_SECURE): State.CHANGE,
    (State.SECURED, Condition.NEW_SAK): State.RECEIVE,
    (State.RECEIVE, Condition.USING_RECEIVE_SAS): State.RECEIVING,
    (State.RECEIVE, Condition.NOT_SECURE): State.ABANDON,
    (State.RECEIVE, Condition.NEW_SAK): State.ABANDON,
    (State.RECEIVE, Condition.SERVER_CHANGED): State.ABANDON,
    (State.RECEIVING, Condition.NOT_SECURE): State.ABANDON,
    (State.RECEIVING, Condition.NEW_SAK): State.ABANDON,
    (State.RECEIVING, Condition.SERVER_CHANGED): State.ABANDON,
    (State.RECEIVING, Condition.NOT_ELECTED): State.READY,
    (State.RECEIVING, Condition.ALL_RECEIVING): State.TRANSMIT,
    (State.RECEIVING, Condition.WAITED): State.TRANSMIT,
    (State.READY, Condition.NOT_SECURE): State.ABANDON,
    (State.READY, Condition.NEW_SAK): State.ABANDON,
    (State.READY, Condition.SERVER_CHANGED): State.ABANDON,
    (State.READY, Condition.SERVER_TRANSMITTING): State.TRANSMIT,
    (State.TRANSMIT, Condition.USING_TRANSMIT_SA): State.TRANSMITTING,
    (State.TRANSMITTING, Condition.NOT_SECURE): State.RETIRE,
    (State.TRANSMITTING, Condition.RETIRE_TIME): State.RETIRE,
    (State.RETIRE, Condition.NOT_SECURE): State.CHANGE,
    (State.RETIRE, Condition.NEW_SAK): State.RECEIVE,
    (State.ABANDON, Condition.NOT_SECURE): State.CHANGE,
    (State.ABANDON, Condition.NEW_SAK): State.RECEIVE,
}


@pytest.mark.parametrize("condition", Condition, ids=lambda condition: condition.name)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_each_pair(state: State, condition: Condition) -> None:
    following = dict(TRANSITIONS[state]).get(condition, state)
    assert following is FIGURE.get((state, condition), state)


def test_losing_the_connection_goes_before_everything_else() -> None:
    for rules in TRANSITIONS.values():
        conditions = [condition for condition, _ in rules]
        if Condition.NOT_SECURE in conditions:
            assert conditions[0] is Condition.NOT_SECURE


def test_every_state_is_reached_and_every_state_can_be_left_for_change() -> None:
    def reachable(start: State) -> set[State]:
        seen, waiting = set(), [start]
        while waiting:
            state = waiting.pop()
            if state not in seen:
                seen.add(state)
                waiting += [following for _, following in TRANSITIONS[state]]
        return seen

    assert reachable(State.CHANGE) == set(State)
    assert all(State.CHANGE in reachable(state) for state in State)
