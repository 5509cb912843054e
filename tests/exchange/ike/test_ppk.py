"""Post-quantum preshared keys: wanted, needed, unknown (RFC 8784 3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.crypto.secret import Secret
from dataplane.ike.events import Cause, IkeKeysDerived, IkeSaEstablished, IkeSaFailed
from dataplane.ike.payloads.notify import NotifyType
from dataplane.ike.policy import Ppk
from tests.exchange.ike.pair import LEFT_PEER, Pair, mirrored

SAME = Ppk(identity=b"lab", secret=Secret(b"a key that quantum computers do not help against"))
OPTIONAL = replace(SAME, required=False)
OTHER = Ppk(identity=b"other", secret=Secret(b"quite another key"))
WRONG = replace(SAME, secret=Secret(b"the same name, another key"))

UP, DOWN = True, False


@pytest.mark.parametrize(
    ("left", "right", "up", "used"),
    [
        (None, None, UP, False),
        (SAME, SAME, UP, True),
        (OPTIONAL, SAME, UP, True),
        (SAME, OPTIONAL, UP, True),
        (OPTIONAL, OPTIONAL, UP, True),
        (OPTIONAL, None, UP, False),
        (None, OPTIONAL, UP, False),
        (replace(OTHER, required=False), OPTIONAL, UP, False),
        (SAME, None, DOWN, False),
        (None, SAME, DOWN, False),
        (OTHER, OPTIONAL, DOWN, False),
        (replace(OTHER, required=False), SAME, DOWN, False),
        (SAME, OTHER, DOWN, False),
    ],
)
def test_wishes_meet(left: Ppk | None, right: Ppk | None, up: bool, used: bool) -> None:
    pair = Pair(replace(LEFT_PEER, ppk=left), replace(mirrored(LEFT_PEER), ppk=right))
    pair.a.initiate()
    pair.run()
    if not up:
        assert not pair.a.sas
        assert {Cause.PPK_MISMATCH} & {event.cause for node in (pair.a, pair.b) for event in node.told(IkeSaFailed)}
        return
    for node in (pair.a, pair.b):
        assert node.last(IkeSaEstablished).uses_ppk is used
        assert len(node.told(IkeKeysDerived)) == 1
    assert pair.a.told(IkeKeysDerived)[0].keys == pair.b.told(IkeKeysDerived)[0].keys
    assert pair.a.child.keys_in == pair.b.child.keys_out
    pair.b.rekey_ike()
    pair.run()
    pair.a.rekey_child()
    pair.run()
    assert pair.a.child.keys_in == pair.b.child.keys_out


@pytest.mark.parametrize("required", [True, False])
def test_the_same_name_with_another_key(required: bool) -> None:
    pair = Pair(replace(LEFT_PEER, ppk=replace(SAME, required=required)), replace(mirrored(LEFT_PEER), ppk=WRONG))
    pair.a.initiate()
    pair.run()
    assert pair.b.last(IkeSaFailed).cause is Cause.AUTHENTICATION_FAILED
    assert not pair.a.sas + pair.b.sas


def test_messages() -> None:
    pair = Pair(replace(LEFT_PEER, ppk=OPTIONAL))
    pair.a.initiate()
    assert pair.flow("--> IKE_SA_INIT ...").notify(NotifyType.USE_PPK) is not None
    assert pair.flow("<-- IKE_SA_INIT ...").notify(NotifyType.USE_PPK) is not None
    pair.b.receive(pair.a.outbox.popleft())  # its keys are not told before the answer is there
    auth = pair.flow("<-- IKE_AUTH { IDr, AUTH, SA, TSi, TSr, N(PPK_IDENTITY) }")
    identity = auth.notify(NotifyType.PPK_IDENTITY)
    assert identity is not None
    assert identity.data == b""
