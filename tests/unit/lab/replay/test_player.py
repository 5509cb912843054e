"""What became of frames, by counters that may count others' frames as well: what is certain, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.replay.look import Kind
from lab.replay.outcome import alike, attribution, document, findings, ranges_text
from lab.replay.pace import Pace
from lab.replay.player import BY_THE_KERNEL, NO_ANSWER, Played, Stage, judge, play
from lab.replay.receivers import ARRIVED, TO_THE_PAE, difference, gateway_counts, link_counts
from lab.replay.shots import Shot

MACSEC = bytes(12) + b"\x88\xe5" + bytes(100)
EAPOL = bytes(12) + b"\x88\x8e" + bytes(100)


def shot(
    number: int, sender: str = "a", *, kind: Kind = Kind.MACSEC, octets: bytes = MACSEC, why: str | None = None
) -> Shot:
    return Shot(number=number, octets=octets, timestamp_ns=number * 100_000_000, kind=kind, sender=sender, why=why)


@dataclass
class Lab:
    """Two receivers with drivers, a clock, and two wires; `fate` says what a receiver counts of a frame."""

    fate: Callable[[bytes], str] = lambda octets: "InPktsLate"
    drivers: bool = True
    answers: bool = True
    refuses: str | None = None
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {"a": Counter(), "b": Counter()})
    now: float = 0.0
    readings: int = 0
    sent_at: list[float] = field(default_factory=list)

    def stage(self) -> Stage:
        return Stage(
            wires={node: _Wire(self, other) for node, other in (("a", "b"), ("b", "a"))},
            receiver_of=lambda shot: {"a": "b", "b": "a"}[shot.sender or ""],
            read=self.read,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def read(self) -> dict[str, dict[str, Any]]:
        self.readings += 1
        return {
            node: {"driver": self.drivers, "answers": self.answers, "counters": dict(counts)}
            for node, counts in self.counts.items()
        }

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class _Wire:
    lab: Lab
    receiver: str

    def send(self, frame: bytes) -> str | None:
        if self.lab.refuses is None:
            self.lab.sent_at.append(round(self.lab.now, 6))
            self.lab.counts[self.receiver].update({ARRIVED: 1, self.lab.fate(frame): 1})
        return self.lab.refuses


def test_frame_by_frame_where_the_pace_leaves_time() -> None:
    fates = iter(["InPktsLate", "InPktsOK", "InPktsNotValid", "InPktsLate"])
    lab = Lab(fate=lambda octets: next(fates))
    played = play([shot(1), shot(2, "b"), shot(3), shot(4)], Pace.parse("original"), lab.stage())
    assert [(fate.number, fate.sender, fate.what, fate.accepted, fate.exact) for fate in played.fates] == [
        (1, "a", "InPktsLate", False, True),
        (2, "b", "InPktsOK", True, True),
        (3, "a", "InPktsNotValid", False, True),
        (4, "a", "InPktsLate", False, True),
    ]
    assert lab.sent_at == [0.0, 0.1, 0.2, 0.3]
    assert attribution(played) == "frame by frame"
    assert played.totals == {"a": {ARRIVED: 1, "InPktsOK": 1}, "b": {ARRIVED: 3, "InPktsLate": 2, "InPktsNotValid": 1}}
    (finding,) = findings(played)
    assert (finding.code, finding.frames) == ("replay-accepted", (2,))
    assert "1 macsec frame from a recording accepted (InPktsOK)" in finding.text


def test_by_totals_at_topspeed() -> None:
    lab = Lab()
    played = play([shot(i) for i in range(1, 200)], Pace.parse("topspeed"), lab.stage())
    assert {(fate.what, fate.accepted, fate.exact) for fate in played.fates} == {("InPktsLate", False, True)}
    assert attribution(played) == "by totals"
    assert lab.readings <= 3
    assert findings(played) == ()
    (group,) = alike(played.fates)
    assert group.numbers == tuple(range(1, 200))


def test_frames_that_are_alike_are_shown_together() -> None:
    fates = iter(["InPktsLate", "InPktsOK", "InPktsLate", "InPktsLate"])
    played = play([shot(i) for i in range(1, 5)], Pace.parse("original"), Lab(fate=lambda octets: next(fates)).stage())
    assert [(group.what, ranges_text(group.numbers)) for group in alike(played.fates)] == [
        ("InPktsLate", "1, 3-4"), ("InPktsOK", "2"),
    ]  # fmt: skip
    assert ranges_text(range(1, 20, 2), 3) == "1, 3, 5, ..."
    assert ranges_text([]) == ""


def test_by_groups_where_frames_come_close_together() -> None:
    lab = Lab()
    close = [shot(number) for number in (1, 2, 3, 4)]
    played = play(close, Pace.parse("multiply=10"), lab.stage())
    assert attribution(played) == "by totals"  # 10 ms between two frames: one group
    late = Shot(number=5, octets=MACSEC, timestamp_ns=90_000_000_000, kind=Kind.MACSEC, sender="a")
    played = play([*close, late], Pace.parse("multiply=10"), Lab().stage())
    assert attribution(played) == "by groups"
    assert (played.groups, len(played.fates)) == (2, 5)


def test_of_a_group_with_several_fates_nobody_knows_which_is_whose() -> None:
    fates = iter(["InPktsLate", "InPktsOK", "InPktsLate"])
    played = play([shot(1), shot(2), shot(3)], Pace(), Lab(fate=lambda octets: next(fates)).stage())
    seen = {(fate.what, fate.accepted, fate.exact) for fate in played.fates}
    assert seen == {("InPktsLate or InPktsOK", None, False)}
    assert played.mixed == [(1, 3, 1, 3)]
    (finding,) = findings(played)
    assert "of 3 protected frames from a recording, 1 to 3, 1 or more were accepted" in finding.text


def test_what_is_not_sent_is_said() -> None:
    played = play([shot(1, why="cut by the snap length"), shot(2)], Pace(), Lab(refuses="longer than the MTU").stage())
    assert played.skipped == {"cut by the snap length": 1}
    assert [(fate.number, fate.what) for fate in played.fates] == [(2, "not sent: longer than the MTU")]
    assert (played.sent, played.groups) == (0, 0)


def test_receivers_that_do_not_tell() -> None:
    by_kernel = play([shot(1)], Pace(), Lab(drivers=False).stage())
    assert [(fate.what, fate.accepted, fate.exact) for fate in by_kernel.fates] == [(BY_THE_KERNEL, None, False)]
    silent = play([shot(1)], Pace(), Lab(answers=False).stage())
    assert [fate.what for fate in silent.fates] == [NO_ANSWER]
    assert findings(by_kernel) == findings(silent) == ()


def test_an_interrupt_ends_it_and_what_was_sent_is_told() -> None:
    lab = Lab()

    def interrupted(octets: bytes) -> str:
        if len(lab.sent_at) == 2:
            raise KeyboardInterrupt
        return "InPktsLate"

    lab.fate = interrupted
    played = play([shot(i) for i in range(1, 9)], Pace(), lab.stage())
    assert played.interrupted
    assert [fate.number for fate in played.fates] == [1]


def judged(shots: list[Shot], counted: dict[str, int]) -> list[tuple[str, bool | None, bool]]:
    fates, _ = judge(shots, counted)
    return [(fate.what, fate.accepted, fate.exact) for fate in fates]


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({ARRIVED: 1, "InPktsLate": 1}, ("InPktsLate", False, True)),
        ({ARRIVED: 1, "InPktsOK": 1}, ("InPktsOK", True, True)),
        ({ARRIVED: 1, "InPktsDelayed": 1}, ("InPktsDelayed", True, True)),
        ({}, ("not received", False, True)),
        # Others' frames came as well: that none was refused is certain, that ours was is not.
        ({ARRIVED: 5, "InPktsOK": 5}, ("InPktsOK", True, True)),
        ({ARRIVED: 5, "InPktsOK": 4, "InPktsLate": 1}, ("InPktsLate", False, False)),
        ({ARRIVED: 5, "InPktsOK": 3, "InPktsLate": 2}, ("InPktsLate", False, False)),
        ({ARRIVED: 3, "InPktsLate": 1, "InPktsNotValid": 2}, ("InPktsLate or InPktsNotValid", False, False)),
    ],
)
def test_one_frame(counted: dict[str, int], expected: tuple[str, bool | None, bool]) -> None:
    assert judged([shot(1)], counted) == [expected]


def test_several_frames() -> None:
    three = [shot(1), shot(2), shot(3)]
    assert judged(three, {ARRIVED: 2, "InPktsLate": 2}) == [("InPktsLate or not received", False, False)] * 3
    assert judged(three, {ARRIVED: 3, "InPktsLate": 3}) == [("InPktsLate", False, True)] * 3
    assert judged(three, {ARRIVED: 9, "InPktsLate": 2, "InPktsOK": 7}) == [("InPktsLate or InPktsOK", None, False)] * 3
    assert judge(three, {ARRIVED: 9, "InPktsLate": 2, "InPktsOK": 7})[1] == 1


def test_eapol_is_the_port_access_entitys() -> None:
    mixed = [shot(1), shot(2, kind=Kind.MKA, octets=EAPOL)]
    fates, accepted = judge(mixed, {ARRIVED: 2, TO_THE_PAE: 1, "InPktsLate": 1})
    assert {fate.number: fate.what for fate in fates} == {1: "InPktsLate", 2: TO_THE_PAE}
    assert accepted == 0
    assert judged([shot(1, kind=Kind.MKA, octets=EAPOL)], {ARRIVED: 1, TO_THE_PAE: 1}) == [(TO_THE_PAE, False, True)]


def test_mkpdus_are_the_kays_where_there_is_one() -> None:
    mkpdus = [shot(1, kind=Kind.MKA, octets=EAPOL), shot(2, kind=Kind.MKA, octets=EAPOL)]
    late = {ARRIVED: 3, TO_THE_PAE: 3, "MKPDU replayed-mn": 2, "MKPDU accepted": 1}  # one of the peer's own, too
    assert judged(mkpdus, late) == [("MKPDU replayed-mn", False, False)] * 2
    taken = {ARRIVED: 2, TO_THE_PAE: 2, "MKPDU accepted": 2}
    assert judged(mkpdus, taken) == [("MKPDU accepted", True, True)] * 2


def test_ike_messages_are_nobodys_to_judge_and_esp_is_a_gateways() -> None:
    shots = [shot(1, kind=Kind.IKE), shot(2, kind=Kind.ESP), shot(3, kind=Kind.ESP)]
    fates, accepted = judge(shots, {ARRIVED: 2, "InReplayed": 2, "IKE unknown-spi": 1})
    assert {fate.number: (fate.what, fate.exact) for fate in fates} == {
        1: ("IKE", True), 2: ("InReplayed", True), 3: ("InReplayed", True),
    }  # fmt: skip
    assert accepted == 0


def test_a_link_that_only_bears_tags_passes_frames_on() -> None:
    assert judged([shot(1, kind=Kind.CLEAR)], {ARRIVED: 1}) == [("passed on", True, True)]
    assert judged([shot(1, kind=Kind.CLEAR)], {ARRIVED: 1, "wrong_tag": 1}) == [("wrong_tag", False, True)]


def test_the_document_holds_everything() -> None:
    played = play([shot(1), shot(2, "b")], Pace.parse("rate=10"), Lab().stage())
    found = document(played, capture="x.pcapng", segment="a--b", pace="rate=10")
    assert found["schema"] == "wireproof.replay/1"
    assert found["fates"] == {"InPktsLate": 2}
    assert found["attribution"] == "frame by frame"
    assert found["frames"] == [
        {"number": number, "from": sender, "kind": "macsec", "octets": 114}
        | {"fate": "InPktsLate", "accepted": False, "exact": True}
        for number, sender in ((1, "a"), (2, "b"))
    ]
    assert document(Played(), capture="x", segment="a--b", pace="topspeed")["sent"] == 0


def test_a_drivers_status_gives_the_counters_of_received_frames_once() -> None:
    status = {
        "controlled": {"received": 9, "wrong_tag": 0},
        "common": {"received": 7},
        "eapol": 2,
        "secy": {
            "counters": {"InPktsNoTag": 1, "InPktsNoSA": 3, "OutPktsUntagged": 5, "ifInErrors": 1},
            "transmit": {"counters": {"OutPktsProtected": 9}},
            "receive": [
                {"counters": {"InPktsOK": 3, "InOctetsDecrypted": 99}, "sas": [{"counters": {"InPktsOK": 3}}]},
                {"counters": {"InPktsOK": 1}, "sas": []},
            ],
        },
    }
    found = {ARRIVED: 7, "wrong_tag": 0, TO_THE_PAE: 2, "InPktsNoTag": 1, "ifInErrors": 1, "InPktsOK": 4}
    assert link_counts(status) == found
    mka = {"counters": {"mkpdus_accepted": 5, "mkpdus_sent": 9, "discarded": {"replayed-mn": 2, "invalid-icv": 0}}}
    of_kay = {"MKPDU accepted": 5, "MKPDU replayed-mn": 2, "MKPDU invalid-icv": 0}
    assert link_counts(status | {"mka": mka}) == found | of_kay


def test_a_gateways_status_gives_what_it_let_in_and_what_not() -> None:
    status = {
        "connections": {
            "one": {"ingress_packets": 3, "discarded": {"InReplayed": 2, "OutNoSa": 9}},
            "two": {"ingress_packets": 4, "discarded": {"InReplayed": 1}},
        },
        "ports": {"10.0.0.1:500": {"received": 2}, "10.0.0.1:0": {"received": 11}},
        "strays": {"InNoSa": 1, "keepalive": 5},
        "ike_discarded": {"unknown-spi": 1},
    }
    assert gateway_counts(status) == {
        ARRIVED: 11, "ingress_packets": 7, "InReplayed": 3, "InNoSa": 1, "IKE unknown-spi": 1,
    }  # fmt: skip
    assert difference({"a": 1, "b": 2}, {"a": 1, "b": 5, "c": 1}) == {"b": 3, "c": 1}
