"""What probes say of a change: how many were lost, and for how long nothing passed."""

from __future__ import annotations

from lab.canary.probes import PACE, Lane, ProbeEnd

END = ProbeEnd(node="a", device="tap0", mac=bytes(6))


def lane(arrived: str) -> Lane:
    """A probe a second; `x` for each that arrived, `.` for each that did not."""
    sent = [float(number) for number in range(len(arrived))]
    return Lane(source=END, target=END, sent=sent, arrived={i for i, mark in enumerate(arrived) if mark == "x"})


def test_losses_and_gaps() -> None:
    assert [lane(said).lost for said in ("", "xxx", ".x.", "...")] == [0, 0, 2, 3]
    gaps = {
        "": 0.0,
        "xxxx": 0.0,
        "x.xx": PACE,
        "x..x": 1 + PACE,
        "x..x...x": 2 + PACE,
        "x...": 2 + PACE,
        "....": 3 + PACE,
    }
    assert {said: lane(said).longest_gap for said in gaps} == gaps
