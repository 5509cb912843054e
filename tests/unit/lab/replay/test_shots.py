"""Which frames are sent again, and as whose; and paces."""

from __future__ import annotations

import pytest

from lab.capture.frame import ETHERNET, RAW_IP, Direction, Frame
from lab.errors import InputError
from lab.replay.pace import Pace
from lab.replay.shots import End, Shot, parse_ranges, shots

A, B, OTHER = (bytes([2, 0, 0, 0, 0, i]) for i in range(3))
ENDS = (End(node="a", mac=A), End(node="b", mac=B))


def frame(
    number: int, source: bytes, direction: Direction | None = None, *, cut: int = 0, link_type: int = ETHERNET
) -> Frame:
    octets = bytes(6) + source + b"\x08\x00" + bytes(50)
    return Frame(number, octets, len(octets) + cut, number * 1_000_000, link_type, direction, 0)


def chosen(frames: list[Frame], sender: str | None = None, wanted: str | None = None) -> list[tuple[int, str | None]]:
    return [
        (shot.number, shot.sender if shot.why is None else shot.why)
        for shot in shots(frames, ENDS, sender, None if wanted is None else parse_ranges(wanted))
    ]


def test_who_sent_a_frame_is_told_by_its_address_else_by_its_direction() -> None:
    frames = [
        frame(1, A),
        frame(2, B),
        frame(3, A, Direction.INBOUND),  # whoever captured it stood elsewhere
        frame(4, OTHER, Direction.OUTBOUND),
        frame(5, OTHER, Direction.INBOUND),
    ]
    assert chosen(frames) == [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "b")]
    assert chosen(frames, "a") == [
        (1, "a"),
        (2, "sent by the other end"),
        (3, "a"),
        (4, "a"),
        (5, "sent by the other end"),
    ]


def test_who_sent_a_frame_has_to_be_known() -> None:
    frames = [frame(1, A), frame(2, OTHER)]
    with pytest.raises(InputError, match=r"^frame 2: the capture does not tell .* say --from a or --from b$"):
        chosen(frames)
    assert chosen(frames, "b") == [(1, "sent by the other end"), (2, "b")]


def test_what_cannot_be_put_on_a_wire() -> None:
    assert chosen([frame(1, A, cut=1)]) == [(1, "cut by the snap length")]
    with pytest.raises(InputError, match="frame 1 is of raw IP: only Ethernet frames"):
        chosen([frame(1, A, link_type=RAW_IP)])


def test_ranges_choose_frames_by_number() -> None:
    frames = [frame(i, A) for i in range(1, 30)]
    assert [number for number, _ in chosen(frames, wanted="3,10-12, 7")] == [3, 7, 10, 11, 12]
    assert chosen(frames, wanted="40-50") == []
    # What comes behind the last one is not looked at.
    assert chosen([*frames, frame(30, OTHER)], wanted="1-2") == [(1, "a"), (2, "a")]


@pytest.mark.parametrize("text", ["", "0", "0-3", "5-4", "a", "1-", "-3", "1,,2", "1:3"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InputError, match="names no frames; write as in 10-20"):
        parse_ranges(text)


@pytest.mark.parametrize(
    ("text", "gap"),
    [("original", 0.5), ("multiply=2", 0.25), ("multiply=0.5", 1.0), ("rate=100", 0.01), ("topspeed", 0.0)],
)
def test_paces(text: str, gap: float) -> None:
    pace = Pace.parse(text)
    assert pace.gap(1_000_000_000, 1_500_000_000) == gap
    assert pace.is_topspeed == (text == "topspeed")
    assert Pace.parse("original").gap(5, 3) == 0  # the capture's clock went back


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "original=1",
        "topspeed=1",
        "multiply",
        "multiply=",
        "rate=0",
        "rate=-1",
        "rate=x",
        "rate=nan",
        "rate=inf",
    ],
)
def test_what_is_no_pace(text: str) -> None:
    with pytest.raises(InputError):
        Pace.parse(text)


def test_a_shot_knows_what_its_frame_is() -> None:
    (shot,) = shots([frame(7, A)], ENDS, None, None)
    assert isinstance(shot, Shot)
    assert (shot.number, shot.timestamp_ns, str(shot.kind)) == (7, 7_000_000, "clear")
