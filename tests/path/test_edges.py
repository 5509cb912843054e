"""What enters a link at one controlled port leaves it at the other, protected in between; nothing else gets in."""

from __future__ import annotations

import itertools
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.macsec.counters import ReceiveChannelCounters
from dataplane.macsec.suites import CIPHER_SUITES
from dataplane.wire.sectag import SecTag
from lab.model.macsec import SciEncoding
from lab.ports.faulty import Faults, FaultyPort
from lab.ports.memory import MemoryPort
from tests.lab.pair import pair_topology, reference
from tests.path.path import LinkPath, receive, send

ADDRESSES = bytes.fromhex("020000000002020000000001")
MARK = b"a mark that is easily found"


def frame(number: int, octets: int) -> bytes:
    """A frame of so many octets, which says which one it is."""
    return (ADDRESSES + b"\x08\x00" + number.to_bytes(4, "big") + MARK * 60)[:octets].ljust(14, b"\0")


LENGTHS = [14, 15, 18, 42, 54, 60, 61, 62, 63, 64, 100, *[1514] * 20, 1513, *[66] * 5]
FRAMES = [frame(number, octets) for number, octets in enumerate(LENGTHS)]


@pytest.mark.parametrize("suite", [suite.name for suite in CIPHER_SUITES])
@pytest.mark.parametrize("sci_encoding", SciEncoding)
@pytest.mark.parametrize("vids", [(), (100,), (10, 100)])
def test_every_suite_and_every_way_to_say_the_sci_carries_both_directions(
    suite: str, sci_encoding: SciEncoding, vids: tuple[int, ...]
) -> None:
    path = LinkPath.make(pair_topology(suite=suite, sci_encoding=sci_encoding, vids=vids))
    assert path.across(FRAMES) == FRAMES
    # Without an SCI in the SecTAG, the source address says whose SC it is.
    back = [f[6:12] + f[:6] + f[12:] for f in FRAMES]
    assert path.across(back, sender="b") == back
    assert len(path.on_wire) == 2 * len(FRAMES)
    for octets in path.on_wire:
        tag = SecTag.parse(octets[12:])
        assert (tag.sci is not None) is (sci_encoding is SciEncoding.EXPLICIT)
        assert tag.encrypted
        assert tag.changed
        assert MARK not in octets
    # The first PN after `up` is 1, in both directions.
    assert [SecTag.parse(path.on_wire[index][12:]).pn for index in (0, len(FRAMES))] == [1, 1]


@pytest.mark.parametrize(("vids", "octets"), [((100,), "81000064"), ((10, 100), "8100000a81000064")])
def test_tags_travel_inside_the_sectag(vids: tuple[int, ...], octets: str) -> None:
    path = LinkPath.make(pair_topology(vids=vids, confidentiality=False))
    assert path.across(FRAMES) == FRAMES
    for wire, clear in zip(path.on_wire, FRAMES, strict=True):
        assert wire[12:14] == b"\x88\xe5"
        assert wire[28:-16] == bytes.fromhex(octets) + clear[12:]


@pytest.mark.parametrize("offset", [0, 30, 50])
def test_a_confidentiality_offset_leaves_so_many_octets_readable(offset: int) -> None:
    path = LinkPath.make(pair_topology(confidentiality_offset=offset))
    assert path.across(FRAMES) == FRAMES
    for wire, clear in zip(path.on_wire, FRAMES, strict=True):
        assert wire[28 : 28 + offset][: len(clear) - 12] == clear[12 : 12 + offset]
        assert (
            wire[28 + offset : 28 + offset + 20] != clear[12 + offset : 12 + offset + 20] or len(clear) <= 12 + offset
        )


def test_a_link_without_macsec_only_tags() -> None:
    path = LinkPath.make(pair_topology(suite=None, vids=(10, 100)))
    assert path.across(FRAMES) == FRAMES
    assert path.on_wire == [f[:12] + bytes.fromhex("8100000a81000064") + f[12:] for f in FRAMES]
    send(path.common["a"], FRAMES[:3])  # untagged
    path.run()
    assert receive(path.host["b"]) == []
    assert path.edges["b"].status()["controlled"]["wrong_tag"] == 3  # type: ignore[index]


def test_a_chain_of_links_is_opened_and_sealed_at_every_node() -> None:
    first, second = (LinkPath.make(pair_topology(suite=suite)) for suite in ("GCM-AES-128", "GCM-AES-XPN-256"))
    assert second.across(first.across(FRAMES)) == FRAMES
    assert set(first.on_wire).isdisjoint(second.on_wire)


def test_clear_frames_on_the_wire_stay_out_and_are_counted() -> None:
    path = LinkPath.make(pair_topology())
    good = protected(FRAMES)
    send(path.common["a"], itertools.chain.from_iterable(zip(good, FRAMES, strict=True)))
    path.run()
    assert receive(path.host["b"]) == FRAMES
    assert path.secy("b").counters.InPktsNoTag == len(FRAMES)


def protected(frames: list[bytes]) -> list[bytes]:
    """What node a makes of these frames, from its first PN on."""
    path = LinkPath.make(pair_topology())
    path.across(frames)
    return path.on_wire


EAPOL = bytes.fromhex("0180c2000003 020000000001 888e 0305 0000")


def test_eapol_passes_beside_the_secy_and_never_reaches_the_controlled_port() -> None:
    path = LinkPath.make(pair_topology())
    send(path.common["a"], [EAPOL, *protected(FRAMES[:2]), EAPOL + b"more", b"\x01" * 12])
    path.run()
    assert receive(path.host["b"]) == FRAMES[:2]
    assert path.eapol["b"] == [EAPOL, EAPOL + b"more"]
    status = path.edges["b"].status()
    assert status["eapol"] == 2
    assert path.secy("b").counters.InPktsNoTag == 0


def test_octets_left_of_an_earlier_frame_do_not_make_a_short_one_eapol() -> None:
    path = LinkPath.make(pair_topology())
    send(path.common["a"], [EAPOL])
    path.run()
    send(path.common["a"], [b"\x01" * 12])
    path.run()
    assert path.eapol["b"] == [EAPOL]
    assert path.secy("b").counters.ifInErrors == 1


def test_a_frame_that_is_too_long_for_the_wire_is_counted_and_the_others_pass() -> None:
    path = LinkPath.make(pair_topology(mtu=1500))
    assert path.across([FRAMES[0], frame(1, 1515), FRAMES[2]]) == [FRAMES[0], FRAMES[2]]
    assert path.secy("a").counters.OutPktsTooLong == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("window", [0, 8, 100])
def test_on_a_bad_wire_nothing_wrong_arrives_and_every_frame_is_accounted_for(seed: int, window: int) -> None:
    a, b = MemoryPort.pair()
    faults = Faults(loss=0.1, corrupt=0.1, duplicate=0.1, reorder=0.1)
    path = LinkPath.make(pair_topology(replay_window=window), a=FaultyPort(a, seed=seed, sending=faults), b=b)
    sent = [frame(number, 100 + number % 3) for number in range(200)]
    arrived = path.across(sent)
    assert set(arrived) <= set(sent)
    assert len(arrived) > 100
    if window == 0:
        assert arrived == [f for f in sent if f in arrived]  # in order, none twice
    secy = path.secy("b")
    channel = secy.receive_channels()[0].counters
    secys, channels = asdict(secy.counters), asdict(channel)
    outcomes = ["InPktsOK", "InPktsLate", "InPktsNotValid", "InPktsNotUsingSA"]
    discarded = sum(secys[name] for name in ("InPktsNoTag", "InPktsBadTag", "InPktsNoSCI"))
    eapol = len(path.eapol["b"])
    assert sum(channels[name] for name in outcomes) + discarded + eapol == b.counters.received
    assert channels["InPktsOK"] == len(arrived)


@settings(max_examples=60, deadline=None)
@given(
    noise=st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.binary(max_size=150).map(lambda tail: ADDRESSES + b"\x88\xe5" + tail),
            st.binary(max_size=50).map(lambda tail: ADDRESSES + b"\x88\xe5\x2c\x00\x00\x00\x00\x01" + tail),
        ),
        max_size=20,
    )
)
def test_whatever_octets_are_on_the_wire_the_frames_beside_them_arrive(noise: list[bytes]) -> None:
    path = LinkPath.make(pair_topology())
    good = protected(FRAMES[:10])
    mixed = [octets for pair in itertools.zip_longest(noise, good) for octets in pair if octets is not None]
    send(path.common["a"], mixed)
    path.run()
    assert receive(path.host["b"]) == FRAMES[:10]


def test_a_replayed_frame_is_late() -> None:
    path = LinkPath.make(pair_topology())
    good = protected(FRAMES[:3])
    send(path.common["a"], [*good, *good])
    path.run()
    assert receive(path.host["b"]) == FRAMES[:3]
    assert path.secy("b").receive_channels()[0].counters.InPktsLate == 3


def test_the_status_names_every_counter_and_no_key() -> None:
    path = LinkPath.make(pair_topology(suite="GCM-AES-XPN-256"))
    path.across(FRAMES)
    status = path.edges["b"].status()
    secy = status["secy"]
    assert isinstance(secy, dict)
    assert secy["cipher_suite"] == "GCM-AES-XPN-256"
    assert secy["transmit"]["sas"][0]["next_pn"] == 1
    receiving = secy["receive"][0]
    assert receiving["sci"] == "0200000000010001"
    assert receiving["counters"].keys() == asdict(ReceiveChannelCounters()).keys()
    assert receiving["sas"][0] | {"counters": None} == {
        "an": 0, "in_use": True, "next_pn": len(FRAMES) + 1, "lowest_pn": len(FRAMES) + 1, "counters": None,
    }  # fmt: skip
    shown = repr(status)
    for node in "ab":
        assert (node.encode() * 32).hex() not in shown
        assert str(reference(node)) not in shown


def test_frames_lost_before_the_secy_are_its_overruns() -> None:
    path = LinkPath.make(pair_topology())
    path.common["b"].counters.receive_dropped = 7
    status = path.edges["b"].status()
    assert status["secy"]["counters"]["InPktsOverrun"] == 7  # type: ignore[index]
