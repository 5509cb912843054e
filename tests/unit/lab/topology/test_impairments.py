"""Impairments as texts: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.model.impairment import Impairment, Impairments, WireDirection
from lab.topology import quantities
from lab.topology.impairments import FIELDS, impairment_of
from lab.topology.load import loads

TEXT = """
name: two
nodes: {a: {role: host}, b: {role: host}}
links:
  - ends: [a:e0, b:e0]
    impairments: {b_to_a: {delay: 20ms, jitter: 5ms, loss: 1%}, seed: 7}
expect: {"*": clear}
traffic: [[a, b]]
"""


def test_a_file_says_what_each_direction_suffers() -> None:
    link = loads(TEXT).links[0]
    assert link.impairments == Impairments(b_to_a=Impairment(delay=0.02, jitter=0.005, loss=0.01), seed=7)
    assert link.impairments.towards(WireDirection.A_TO_B).is_none
    assert link.impairments.towards(WireDirection.B_TO_A).as_fields() == {"delay": 0.02, "jitter": 0.005, "loss": 0.01}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0ms", 0.0), ("1s", 1.0), ("20ms", 0.02), ("250us", 0.00025), ("1.5MS", 0.0015)]
)
def test_times(text: str, seconds: float) -> None:
    assert quantities.time(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "bits"), [("1kbit", 1e3), ("10mbit", 1e7), ("1.5gbit", 1.5e9), ("9600bit", 9600.0), ("10Mbit", 1e7)]
)
def test_rates(text: str, bits: float) -> None:
    assert quantities.rate(text) == pytest.approx(bits)


@pytest.mark.parametrize(("text", "share"), [("0%", 0.0), ("1%", 0.01), ("0.01%", 0.0001), ("100%", 1.0)])
def test_shares(text: str, share: float) -> None:
    assert quantities.share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["", "20", "ms", "-1ms", "20 ms", "20m", "1e3ms", "20msec", "1%", "nanms", "٣ms", "1ms\n"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(quantities.QuantityError, match="is not a time, as in 20ms: a number and us, ms or s"):
        quantities.time(text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        impairment_of({"latency": "1ms", "los": "1%", "delay": "1", "rate": "2"})
    assert str(caught.value).splitlines() == [
        "there is no impairment 'latency'; known are delay, jitter, loss, rate, corrupt, duplicate, reorder",
        "there is no impairment 'los'; did you mean 'loss'?",
        "'delay': '1' is not a time, as in 20ms: a number and us, ms or s",
        "'rate': '2' is not a rate, as in 10mbit: a number and bit, kbit, mbit or gbit, a second",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reorder": "1%"}, "'reorder' needs a 'delay'"),
        ({"delay": "1ms", "jitter": "2ms"}, "'jitter' is more or less of 'delay'"),
        ({"delay": "61s"}, "'delay' goes up to 60s, not 61s"),
        ({"rate": "10bit"}, "'rate' is 1kbit or more"),
    ],
)
def test_fields_that_do_not_go_together(given: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        impairment_of(given)


def test_an_impairment_reads_as_it_is_written() -> None:
    given = {
        "delay": "20ms", "jitter": "250us", "loss": "0.5%", "rate": "1.5mbit", "corrupt": "0.01%", "duplicate": "100%",
        "reorder": "25%",
    }  # fmt: skip
    assert set(given) == set(FIELDS)
    assert str(impairment_of(given)) == " ".join(f"{name} {text}" for name, text in given.items())
    assert str(Impairment()) == "nothing"
    assert str(Impairment(delay=1.0, rate=500.0)) == "delay 1s rate 500bit"
    assert Impairment(**impairment_of(given).as_fields()) == impairment_of(given)


@pytest.mark.parametrize(
    "fields", [{"latency": 1}, {"loss": -0.1}, {"loss": "1%"}, {"loss": True}, {"loss": float("nan")}]
)
def test_fields_that_are_no_impairment(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is no impairment"):
        Impairment.from_fields(fields)
    assert Impairment.from_fields({"delay": 1}) == Impairment(delay=1.0)
