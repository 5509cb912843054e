"""The engine's batches, its single frames and the slow twin do the same with the same frames, and count the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.batch import Batch
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding, ValidateFrames, Verification
from dataplane.macsec.counters import Accepted
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import CIPHER_SUITES, CipherSuite
from tests.property.macsec_oracle import OracleReceiver, OracleSa, OracleSender
from tests.unit.dataplane.macsec.pair import (
    A_SSCI,
    add_receive_sa,
    clear_frame,
    make_sak,
    receiver,
    sci_of,
    sender,
)

TCI = {SciEncoding.EXPLICIT: 0x20, SciEncoding.END_STATION: 0x40, SciEncoding.SCB: 0x10, SciEncoding.IMPLIED: 0}
SIZES = (13, 14, 15, 43, 59, 60, 61, 62, 100, 180)
SLOT = 240

# A burst is some frames of one length in a row: what the fast paths live on, with the slow ones in between.
bursts = st.lists(
    st.tuples(st.sampled_from(SIZES), st.integers(1, 12)).map(lambda burst: [burst[0]] * burst[1]), max_size=6
).map(lambda runs: [size for run in runs for size in run])


@dataclass(frozen=True)
class Setup:
    """What both ends agree on."""

    suite: CipherSuite
    encoding: SciEncoding
    confidentiality: bool
    offset: int
    first_pn: int

    def sak(self, an: int) -> Sak:
        return make_sak(
            self.suite, seed=an + 1, confidentiality=self.confidentiality, confidentiality_offset=self.offset
        )

    def oracle_sa(self, an: int) -> OracleSa:
        sak = self.sak(an)
        return OracleSa(
            key=sak.key.reveal(),
            sci=sci_of(self.encoding),
            ssci=A_SSCI if self.suite.xpn else None,
            salt=sak.salt,
            confidentiality=self.confidentiality,
            offset=self.offset,
            next_pn=self.first_pn,
        )


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    suite = draw(st.sampled_from(CIPHER_SUITES))
    last = suite.greatest_pn
    return Setup(
        suite=suite,
        encoding=draw(st.sampled_from(SciEncoding)),
        confidentiality=draw(st.booleans()),
        offset=draw(st.sampled_from((0, 30, 50))),
        first_pn=draw(st.sampled_from((1, 1000, 2**31 - 5, 2**32 - 12, last - 12, last) + ((2**32 + 5,) * suite.xpn))),
    )


def in_batches(verb: object, frames: list[bytes], cuts: list[int]) -> list[bytes]:
    """Frames through `protect` or `validate` in batches of these sizes, over and over; always the same two buffers."""
    assert callable(verb)
    given_, taken = Batch(slots=16, size=SLOT), Batch(slots=16, size=SLOT)
    out: list[bytes] = []
    at, turn = 0, 0
    while at < len(frames):
        count = cuts[turn % len(cuts)]
        given_.clear()
        for frame in frames[at : at + count]:
            given_.append(frame)
        verb(given_, taken)
        out += [bytes(frame) for frame in taken]
        at, turn = at + count, turn + 1
    return out


@pytest.fixture(autouse=True, scope="module")
def _every_run_gets_a_layout() -> Iterator[None]:
    """The bursts here are short: without this they would go singly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataplane.macsec.layout.WORTH_A_LAYOUT", 1)
        yield


cuts = st.lists(st.integers(1, 16), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(setups(), bursts, cuts, st.sampled_from((None, 100, 140)))
def test_protect(setup: Setup, sizes: list[int], cut: list[int], longest: int | None) -> None:
    frames = [clear_frame(size, fill=i) if size > 13 else bytes(size) for i, size in enumerate(sizes)]
    generation = Generation(sci_encoding=setup.encoding, max_frame_octets=longest)
    oracle = OracleSender(setup.oracle_sa(2), an=2, tci=TCI[setup.encoding], max_frame=longest or SLOT)
    wanted = [octets for frame in frames if (octets := oracle.protect(frame)) is not None]

    by_batch = sender(setup.sak(2), an=2, next_pn=setup.first_pn, generation=generation)
    assert in_batches(by_batch.protect, frames, cut) == wanted
    singly = sender(setup.sak(2), an=2, next_pn=setup.first_pn, generation=generation)
    outcomes = [singly.protect_frame(frame) for frame in frames]
    assert [outcome.octets for outcome in outcomes if isinstance(outcome, Accepted)] == wanted

    for secy in (by_batch, singly):
        sa = secy.transmit.sa(2)
        assert sa is not None
        assert sa.next_pn == oracle.sa.next_pn
        counted = asdict(secy.counters) | asdict(secy.transmit.counters)
        assert {name: count for name, count in counted.items() if count} == {**oracle.counters}
        assert asdict(sa.counters) == {name: counted[name] for name in asdict(sa.counters)}
    told = [[type(event) for event in iter(secy.next_event, None)] for secy in (by_batch, singly)]
    assert told[0] == told[1]


# What may happen to a frame between two SecYs, by name; each takes the frames so far and the one at hand.
def _flip(frame: bytes, where: int) -> bytes:
    octets = bytearray(frame)
    octets[where // 8 % len(octets)] ^= 1 << where % 8
    return bytes(octets)


FATES = ("pass", "pass", "pass", "pass", "drop", "twice", "hold", "flip", "cut", "pad", "untagged", "noise", "again")


@st.composite
def wires(draw: st.DrawFn, frames: list[bytes]) -> list[bytes]:
    """The frames as they arrive, after fate has had its say; often it has none."""
    wire: list[bytes] = []
    held: list[bytes] = []
    quiet = draw(st.booleans())
    for frame in frames:
        fate = "pass" if quiet else draw(st.sampled_from(FATES))
        if fate in ("pass", "twice"):
            wire.append(frame)
        if fate == "twice":
            wire.append(frame)
        elif fate == "hold":
            held.append(frame)
        elif fate == "flip":
            wire.append(_flip(frame, draw(st.integers(0, 8 * len(frame) - 1))))
        elif fate == "cut":
            wire.append(frame[: draw(st.integers(0, len(frame) - 1))])
        elif fate == "pad":
            wire.append(frame + bytes(draw(st.integers(1, 20))))
        elif fate == "untagged":
            wire.append(frame[:12] + b"\x08\x00" + frame[14:])
        elif fate == "noise":
            wire.append(frame[:14] + draw(st.binary(max_size=60)))
        elif fate == "again" and wire:
            wire.append(draw(st.sampled_from(wire)))
        if held and draw(st.integers(0, 3)) == 0:
            wire.append(held.pop())
    return wire + held


verifications = st.builds(
    Verification,
    validate_frames=st.sampled_from(ValidateFrames),
    replay_protect=st.booleans(),
    replay_window=st.sampled_from((0, 1, 5, 64)),
    strict_replay=st.booleans(),
    padding_allowed=st.booleans(),
)


def counted(secy: SecY) -> dict[str, int]:
    counters = asdict(secy.counters)
    no_sa, no_sa_error = counters.pop("InPktsNoSA"), counters.pop("InPktsNoSAError")
    channel = secy.receive_channels()[0]
    counters |= asdict(channel.counters)
    assert no_sa == counters["InPktsUnknownSCI"] + counters["InPktsUnusedSA"]
    assert no_sa_error == counters["InPktsNoSCI"] + counters["InPktsNotUsingSA"]
    for name in ("InPktsUnusedSA", "InPktsNotUsingSA", "InPktsOK", "InPktsInvalid", "InPktsNotValid"):
        assert sum(getattr(sa, name) for sa in channel.sa_counters) == counters[name]
    return {name: count for name, count in counters.items() if count}


@settings(max_examples=300, deadline=None)
@given(setups(), verifications, bursts, cuts, st.data())
def test_validate(
    setup: Setup, verification: Verification, sizes: list[int], cut: list[int], data: st.DataObject
) -> None:
    sources = {an: OracleSender(setup.oracle_sa(an), an=an, tci=TCI[setup.encoding]) for an in (0, 1, 2)}
    an, protected = 0, []
    for i, size in enumerate(sizes):
        if data.draw(st.integers(0, 9)) == 0:
            an = data.draw(st.sampled_from((0, 1, 2)))  # 2: a sender whose SA nobody has installed
        octets = sources[an].protect(clear_frame(max(size, 14), fill=i))
        if octets is not None:
            protected.append(octets)
    wire = data.draw(wires(protected))

    oracle = OracleReceiver(
        sas={(sci_of(setup.encoding), an): setup.oracle_sa(an) for an in (0, 1)},
        validate=verification.validate_frames.value,
        replay_protect=verification.replay_protect,
        window=verification.replay_window,
        strict_replay=verification.strict_replay,
        padding_allowed=verification.padding_allowed,
        xpn=setup.suite.xpn,
    )
    for sa in oracle.sas.values():
        sa.lowest_pn = max(1, sa.next_pn - verification.replay_window)
    wanted = [octets for frame in wire if (octets := oracle.receive(frame)) is not None]

    def engine() -> SecY:
        secy, channel = receiver(
            setup.sak(0), next_pn=setup.first_pn, verification=verification, sci=sci_of(setup.encoding)
        )
        add_receive_sa(channel, 1, setup.sak(1), next_pn=setup.first_pn)
        return secy

    by_batch, singly = engine(), engine()
    assert in_batches(by_batch.validate, wire, cut) == wanted
    outcomes = [singly.validate_frame(frame) for frame in wire]
    assert [outcome.octets for outcome in outcomes if isinstance(outcome, Accepted)] == wanted
    for secy in (by_batch, singly):
        assert counted(secy) == {name: count for name, count in oracle.counters.items() if count}
        for (_, an), expected in oracle.sas.items():
            known = secy.receive_channels()[0].sa(an)
            assert known is not None
            assert (known.window.next, known.window.lowest) == (expected.next_pn, expected.lowest_pn)


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("bad", range(16))
def test_one_bad_frame_does_not_drop_its_batch(suite: CipherSuite, bad: int) -> None:
    a, (b, channel) = sender(make_sak(suite)), receiver(make_sak(suite))
    clear, wire, back = Batch(slots=16, size=200), Batch(slots=16, size=232), Batch(slots=16, size=232)
    frames = [clear_frame(150, fill=i) for i in range(16)]
    for frame in frames:
        clear.append(frame)
    a.protect(clear, wire)
    wire.views[bad][60] ^= 1
    b.validate(wire, back)
    assert [bytes(frame) for frame in back] == frames[:bad] + frames[bad + 1 :]
    assert (channel.counters.InPktsOK, channel.counters.InPktsNotValid) == (15, 1)
