"""Every state against every input: which pairs there are, and the answers of RFC 7296 2.25, written a second time."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError
from dataplane.ike.machine import (
    CHILD_TRANSITIONS,
    IKE_TRANSITIONS,
    ChildInput,
    ChildState,
    IkeInput,
    IkeState,
    Verdict,
    child_transition,
    ike_transition,
)

DO, SKIP, WAIT = Verdict.DO, Verdict.SKIP, Verdict.TEMPORARY_FAILURE
UP = (IkeState.ESTABLISHED, IkeState.REKEYING, IkeState.COLLIDED, IkeState.REKEYED, IkeState.DELETING)
CAUSED_BY_THE_PEER = [event for event in IkeInput if event.name.startswith("PEER_")]

# What is answered to a request, by the state of the IKE SA: in the order of UP.
FIGURE = {
    IkeInput.PEER_INIT: (SKIP, SKIP, SKIP, SKIP, SKIP),
    IkeInput.PEER_AUTH: (SKIP, SKIP, SKIP, SKIP, SKIP),
    IkeInput.PEER_CREATE_CHILD: (DO, WAIT, WAIT, WAIT, WAIT),  # 2.25.2
    IkeInput.PEER_REKEY_CHILD: (DO, WAIT, WAIT, WAIT, WAIT),
    IkeInput.PEER_REKEY: (DO, DO, WAIT, WAIT, WAIT),
    IkeInput.PEER_REKEY_WHILE_BUSY: (WAIT, WAIT, WAIT, WAIT, WAIT),  # 2.25.1
    IkeInput.PEER_INFORM: (DO, DO, DO, DO, DO),
    IkeInput.PEER_DELETE: (DO, DO, DO, DO, DO),
}


@pytest.mark.parametrize("event", CAUSED_BY_THE_PEER, ids=lambda event: event.name)
@pytest.mark.parametrize("state", IkeState, ids=lambda state: state.name)
def test_every_request_has_an_answer_in_every_state(state: IkeState, event: IkeInput) -> None:
    verdict, following = ike_transition(state, event)
    if state in UP:
        assert verdict is FIGURE[event][UP.index(state)]
    elif event in (IkeInput.PEER_INIT, IkeInput.PEER_AUTH):
        awaited = {IkeInput.PEER_INIT: IkeState.NEW, IkeInput.PEER_AUTH: IkeState.HALF_OPEN}[event]
        assert verdict is (DO if state is awaited else SKIP)
    else:
        assert verdict is SKIP  # before it is up and after its end, nobody has a say
    if verdict is not DO:
        assert following is state


@pytest.mark.parametrize("event", IkeInput, ids=lambda event: event.name)
@pytest.mark.parametrize("state", IkeState, ids=lambda state: state.name)
def test_pairs_that_cannot_happen_are_misuse(state: IkeState, event: IkeInput) -> None:
    if (state, event) in IKE_TRANSITIONS:
        assert ike_transition(state, event) == IKE_TRANSITIONS[state, event]
    else:
        with pytest.raises(LocalError, match=f"an IKE SA that is {state.value} cannot meet: {event.value}"):
            ike_transition(state, event)


@pytest.mark.parametrize("event", ChildInput, ids=lambda event: event.name)
@pytest.mark.parametrize("state", ChildState, ids=lambda state: state.name)
def test_pairs_of_children_that_cannot_happen_are_misuse(state: ChildState, event: ChildInput) -> None:
    if (state, event) in CHILD_TRANSITIONS:
        assert child_transition(state, event) == CHILD_TRANSITIONS[state, event]
    else:
        with pytest.raises(LocalError, match=f"a child SA that is {state.value} cannot meet: {event.value}"):
            child_transition(state, event)


def test_what_the_peer_does_to_a_child_has_an_answer_in_every_state() -> None:
    rekey = {state: child_transition(state, ChildInput.PEER_REKEY)[0] for state in ChildState}
    assert rekey == {
        ChildState.INSTALLED: DO, ChildState.REKEYING: DO, ChildState.COLLIDED: WAIT, ChildState.REKEYED: WAIT,
        ChildState.DELETING: WAIT, ChildState.DELETED: SKIP,
    }  # fmt: skip
    delete = {state: child_transition(state, ChildInput.PEER_DELETE)[0] for state in ChildState}
    assert {state for state, verdict in delete.items() if verdict is SKIP} == {ChildState.DELETING, ChildState.DELETED}


def test_the_end_is_reached_from_everywhere_and_is_the_end() -> None:
    for state in IkeState:
        assert ike_transition(state, IkeInput.FAIL)[1] is IkeState.DELETED
    for event in IkeInput:
        if (IkeState.DELETED, event) in IKE_TRANSITIONS:
            assert ike_transition(IkeState.DELETED, event) == (SKIP, IkeState.DELETED)
    for child_event in ChildInput:
        assert child_transition(ChildState.DELETED, child_event) == (SKIP, ChildState.DELETED)


def test_every_state_is_reached() -> None:
    assert {following for _, following in IKE_TRANSITIONS.values()} | {IkeState.NEW} == set(IkeState)
    assert {following for _, following in CHILD_TRANSITIONS.values()} == set(ChildState)
