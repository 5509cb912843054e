"""The small collectors, each by itself; and that those of parts make those of the whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lab.capture.frame import ETHERNET, Frame
from lab.capture.source import open_capture
from lab.coverage import census
from lab.coverage.evidence.collected import Collected
from lab.coverage.evidence.messages import MOST_MESSAGES, Message, Messages
from lab.coverage.evidence.randomness import Randomness, are_sampled, is_sampled
from lab.coverage.evidence.residual import MOST_ITEMS, Residue, speakers
from lab.coverage.evidence.sightings import Sightings
from lab.coverage.evidence.specimens import Specimens
from lab.coverage.evidence.timeline import MOST_BINS, Timeline
from lab.coverage.tokens import Sighting
from tests.captures.cases import NAMES, frames_of, keys_of, observe, write_pcap
from tests.property.test_capture_bulk_twin import collected
from tests.unit.lab.coverage.packets import A, esp_gcm, ethernet, frames, ipv4, ipv6, macsec, ping, udp

START = 1_700_000_000_000_000_000


@pytest.mark.parametrize("name", NAMES[::4])
def test_parts_of_a_capture_make_the_whole(name: str) -> None:
    frames = frames_of(name)
    whole = observe(frames, keys_of(name)).collected
    middle = len(frames) // 2
    first, second = (observe(part, keys_of(name)).collected for part in (frames[:middle], frames[middle:]))
    first.merge(second)
    told, expected = collected(first), collected(whole)
    for field in ("timeline", "residue", "randomness", "sightings", "messages"):
        assert told[field] == expected[field], field
    assert {key: each.frame.number for key, each in first.specimens.kept.items()}.keys() == whole.specimens.kept.keys()


def test_a_timeline_has_few_bins_whatever_it_spans() -> None:
    line = Timeline()
    for step in range(2000):
        line.frame(census.ESP, START + step**3 * 1_000_000)
    first, classes = line.counts()
    assert sum(classes[census.ESP]) == 2000
    assert MOST_BINS // 2 <= len(classes[census.ESP]) <= MOST_BINS
    assert first << line.shift <= START < first + 1 << line.shift


def test_a_timeline_does_not_depend_on_order_or_on_who_counts() -> None:
    times = [START + int(each) for each in np.random.default_rng(1).integers(1, 10**10, 300)]
    forward, backward, many = Timeline(), Timeline(), Timeline()
    for one, other in zip(times, reversed(times), strict=True):
        forward.frame(3, one)
        backward.frame(3, other)
    many.run(np.full(300, 3, np.uint8), np.array(times))
    assert forward.counts() == backward.counts() == many.counts()
    halves = Timeline(), Timeline()
    for place, each in enumerate(times):
        halves[place % 2].frame(3, each)
    halves[0].merge(halves[1])
    assert halves[0].counts() == forward.counts()


def test_frames_without_a_time_are_on_no_timeline() -> None:
    line = Timeline()
    line.frame(1, 0)
    line.run(np.array([1], np.uint8), np.array([0]))
    assert line.counts() == (0, {})


def test_what_is_readable_of_each_kind_of_frame() -> None:
    residue = Residue()
    tagged = ethernet(ipv4(50, esp_gcm(ping())), tags=b"\x81\0\0\x64\x81\0\0\5")
    ike = udp(500, 500, bytes(range(1, 17)) + b"\x21\x20\x22\x08" + bytes(8))
    natt = udp(4500, 4500, esp_gcm(ping()))
    for frame in (
        macsec(ethernet(ping())),
        tagged,
        ethernet(ipv4(17, ike)),
        ethernet(ipv4(17, natt)),
        ethernet(ping()),
    ):
        residue.frame(frame, len(frame), ETHERNET)
        residue.frame(frame, len(frame), ETHERNET)
    assert residue.fields["secure channels"] == {f"SCI {(A + bytes((0, 1))).hex()} AN 0"}
    assert residue.fields["vlan tags"] == {"5 in 100"}
    assert residue.fields["esp spis"] == {"c0000001 to 10.0.0.2"}
    assert residue.fields["ike spis"] == {"0102030405060708 090a0b0c0d0e0f10"}
    assert residue.fields["ike exchanges"] == {"IKE_SA_INIT"}
    assert residue.fields["ports"] == {"UDP 500 to 500", "UDP 4500 to 4500"}
    assert residue.fields["ip addresses"] == {"10.0.0.1 to 10.0.0.2"}
    assert residue.fields["ip protocols"] == {"ESP", "UDP", "ICMP"}
    assert sum(residue.lengths.values()) == 10


def test_all_of_ike_is_told_by_frame_and_by_run(tmp_path: Path) -> None:
    octets = []
    for number in (34, 35, 36, 37, 35, 36):
        spis = b"\1" * 8 + bytes([number]) * 8
        told = spis + bytes([46, 0x20, number, 8]) + bytes(40)
        for message in (udp(500, 500, told), udp(4500, 4500, bytes(4) + told)):
            octets += [ethernet(ipv4(17, message)), ethernet(ipv6(17, message), 0x86DD)]
        octets += [ethernet(ping())] * 20
    one, many = Residue(), Residue()
    for frame in octets:
        one.frame(frame, len(frame), ETHERNET)
    with open_capture(write_pcap(tmp_path / "ike.pcap", frames(octets))) as capture:
        for burst in capture.bursts():
            rows = np.arange(len(burst))
            many.run(burst, rows, speakers(burst, rows))
    assert many.fields == one.fields
    assert one.fields["ike exchanges"] == {"IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA", "INFORMATIONAL"}
    assert len(one.fields["ike spis"]) == 4


def test_very_many_values_are_cut_short_the_same_way_in_any_order() -> None:
    frames = [ethernet(ping(source=bytes((10, 1, place, 7)))) for place in range(200)]
    one, other = Residue(), Residue()
    for forward, backward in zip(frames, reversed(frames), strict=True):
        one.frame(forward, len(forward), ETHERNET)
        other.frame(backward, len(backward), ETHERNET)
    assert one.fields == other.fields
    assert len(one.fields["ip addresses"]) == MOST_ITEMS
    assert one.overflowing == {"ip addresses"}


@pytest.mark.parametrize("octets", [b"", b"\0" * 13, b"\0" * 14, bytes(12) + b"\x88\xe5", bytes(12) + b"\x08\0\x45"])
def test_frames_that_end_early_are_no_trouble(octets: bytes) -> None:
    for link_type in (ETHERNET, 101, 113, 276):
        Residue().frame(octets, len(octets), link_type)


def test_randomness_tells_noise_from_text() -> None:
    spread = Randomness()
    assert spread.of(census.ESP) is None
    spread.sample(census.ESP, bytes(100))
    assert spread.of(census.ESP) is None
    for _ in range(10):
        spread.sample(census.MACSEC_ENCRYPTED, os.urandom(2000))
        spread.sample(census.CLEARTEXT, b"The quick brown fox jumps over the lazy dog. " * 40)
    noise, text = spread.of(census.MACSEC_ENCRYPTED), spread.of(census.CLEARTEXT)
    assert noise is not None
    assert text is not None
    assert noise[1] > 7.9
    assert noise[2] < 400
    assert text[1] < 5
    assert text[2] > 10_000


def test_the_sample_is_told_alike_of_one_and_of_many() -> None:
    numbers = np.arange(1, 5000)
    assert are_sampled(numbers).tolist() == [is_sampled(int(each)) for each in numbers]


def test_the_telling_specimen_is_kept_then_the_earlier_one() -> None:
    kept = Specimens()
    frames = {number: Frame(number, b"", 0, 0, ETHERNET, None, 0) for number in range(9)}
    for number, telling in ((5, False), (7, True), (6, True), (1, False), (8, True)):
        kept.offer("esp", frames[number], telling=telling)
    assert kept.kept["esp"].frame.number == 6


def test_sightings_count_frames_by_form_and_direction() -> None:
    seen = Sightings()
    raw, coded = Sighting(0, "as sent"), Sighting(0, "in base64")
    seen.add({raw, coded}, 0, "in", 5, 50)
    seen.add({raw}, 0, "in", 3, 30)
    seen.add({raw, Sighting(1, "as sent")}, 1, "out", 4, 40)
    assert {key: (each.frames, each.first_frame) for key, each in seen.seen.items()} == {
        (0, 0, "in"): (2, 3), (0, 1, "out"): (1, 4), (1, 1, "out"): (1, 4)
    }  # fmt: skip
    assert seen.seen[0, 0, "in"].encodings == {"as sent", "in base64"}


def test_messages_are_bounded() -> None:
    messages = Messages()
    for number in range(MOST_MESSAGES + 5):
        messages.add(Message(number, 0, bytes(28), False))
    assert (len(messages.kept), messages.left_out) == (MOST_MESSAGES, 5)


def test_a_collector_of_nothing_says_nothing() -> None:
    nothing = Collected()
    nothing.merge(Collected())
    assert nothing.timeline.counts() == (0, {})
    assert not nothing.ledger.uses
    assert not nothing.specimens.kept
    assert not nothing.residue.fields
