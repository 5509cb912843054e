"""Two SecYs and a wire, written as what goes over it: `-->` is A to B, `<--` is B to A."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import pytest

from dataplane.batch import Batch
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.events import PnExhausted, PnThresholdReached
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, GCM_AES_XPN_128, GCM_AES_XPN_256, CipherSuite
from tests.unit.dataplane.macsec.pair import A_MAC, A_SCI, A_SSCI, B_MAC, B_SCI, B_SSCI, make_sak

SLOTS, SLOT = 64, 1600


@dataclass
class End:
    """A SecY with its two pairs of buffers, and the peer's names."""

    secy: SecY
    mac: bytes
    ssci: bytes
    peer_mac: bytes
    peer_sci: bytes
    peer_ssci: bytes
    clear: Batch = field(default_factory=lambda: Batch(SLOTS, SLOT))
    sent: Batch = field(default_factory=lambda: Batch(SLOTS, SLOT))
    delivered: Batch = field(default_factory=lambda: Batch(SLOTS, SLOT))
    serial: itertools.count[int] = field(default_factory=itertools.count)

    def create(self, an: int, sak: Sak, *, first_pn: int = 1) -> None:
        """Both SAs of an AN, neither enabled: what a KaY does when it hears of a SAK."""
        xpn = sak.suite.xpn
        channel = self.secy.receive_channel(self.peer_sci) or self.secy.create_receive_channel(self.peer_sci)
        channel.create_sa(an, sak, ssci=self.peer_ssci if xpn else None, next_pn=first_pn, lowest_pn=first_pn)
        self.secy.transmit.create_sa(an, sak, ssci=self.ssci if xpn else None, next_pn=first_pn)

    def receive_with(self, an: int) -> None:
        channel = self.secy.receive_channel(self.peer_sci)
        assert channel is not None
        channel.enable_sa(an)

    def retire(self, an: int) -> None:
        channel = self.secy.receive_channel(self.peer_sci)
        assert channel is not None
        channel.delete_sa(an)
        self.secy.transmit.delete_sa(an)

    def counted(self, counter: str) -> int:
        channel = self.secy.receive_channel(self.peer_sci)
        assert channel is not None
        count = getattr(channel.counters, counter)
        assert isinstance(count, int)
        return count

    def write(self, *sizes: int) -> list[bytes]:
        """Fill the clear batch with frames of these sizes, each one different; give them."""
        self.clear.clear()
        frames = [
            self.peer_mac + self.mac + b"\x08\x00" + next(self.serial).to_bytes(8, "big") + bytes(size - 22)
            for size in sizes
        ]
        for frame in frames:
            self.clear.append(frame)
        return frames


def ends(
    suite: CipherSuite = GCM_AES_128, *, verification: Verification | None = None, generation: Generation | None = None
) -> tuple[End, End]:
    def secy(sci: bytes) -> SecY:
        return SecY(sci, cipher_suite=suite, verification=verification, generation=generation)

    a = End(secy(A_SCI), A_MAC, A_SSCI, B_MAC, B_SCI, B_SSCI)
    b = End(secy(B_SCI), B_MAC, B_SSCI, A_MAC, A_SCI, A_SSCI)
    return a, b


def talking(sak: Sak, *, first_pn: int = 1, verification: Verification | None = None) -> tuple[End, End]:
    a, b = ends(sak.suite, verification=verification)
    for end in (a, b):
        end.create(0, sak, first_pn=first_pn)
        end.receive_with(0)
        end.secy.transmit.enable_sa(0)
    return a, b


def send(source: End, target: End, *sizes: int) -> tuple[list[bytes], list[bytes]]:
    """Frames of these sizes from one end to the other: what was written, and what was delivered."""
    written = source.write(*sizes)
    source.secy.protect(source.clear, source.sent)
    target.secy.validate(source.sent, target.delivered)
    return written, [bytes(frame) for frame in target.delivered]


def arrives(source: End, target: End, *sizes: int) -> bool:
    written, delivered = send(source, target, *sizes)
    return written == delivered


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("encoding", SciEncoding)
@pytest.mark.parametrize("confidentiality", [False, True])
def test_talk(suite: CipherSuite, encoding: SciEncoding, *, confidentiality: bool) -> None:
    a, b = ends(suite, generation=Generation(sci_encoding=encoding))
    for end in (a, b):
        end.create(0, make_sak(suite, confidentiality=confidentiality))
        end.receive_with(0)
        end.secy.transmit.enable_sa(0)
    assert arrives(a, b, *[1514] * 40, 60, 60, 300)  # -->
    assert arrives(b, a, *[60] * 20, 1514)  # <--
    assert arrives(a, b, *range(22, 86))  # -->
    assert (b.counted("InPktsOK"), a.counted("InPktsOK")) == (43 + 64, 21)


def test_rollover_loses_nothing() -> None:
    a, b = talking(make_sak(seed=0))
    for turn in range(1, 10):
        old, new = (turn - 1) % 4, turn % 4
        for end in (a, b):
            end.create(new, make_sak(seed=turn))
        assert arrives(a, b, *[100] * 10)  # --> under the old key still
        b.receive_with(new)
        a.receive_with(new)
        a.secy.transmit.enable_sa(new)
        assert arrives(a, b, *[100] * 10)  # --> A has changed over,
        assert arrives(b, a, *[100] * 10)  # <-- B has not
        late = a.write(100)
        a.secy.protect(a.clear, a.sent)
        b.secy.transmit.enable_sa(new)
        assert arrives(b, a, *[100] * 10)  # <--
        b.secy.validate(a.sent, b.delivered)
        assert [bytes(frame) for frame in b.delivered] == late
        a.retire(old)
        b.retire(old)
    assert (b.counted("InPktsOK"), a.counted("InPktsOK")) == (9 * 21, 9 * 20)
    assert (b.counted("InPktsNotUsingSA"), a.counted("InPktsNotUsingSA")) == (0, 0)


def test_a_sender_that_changes_over_too_soon_is_not_heard() -> None:
    a, b = talking(make_sak(seed=0))
    for end in (a, b):
        end.create(1, make_sak(seed=1))
    a.secy.transmit.enable_sa(1)
    assert send(a, b, *[100] * 8)[1] == []
    assert b.counted("InPktsNotUsingSA") == 8
    b.receive_with(1)
    assert arrives(a, b, *[100] * 8)


@pytest.mark.parametrize("sizes", [[100] * 16, [100, 101] * 8], ids=["runs", "singly"])
def test_exhaustion_is_announced_stops_the_sa_and_a_fresh_sak_goes_on(sizes: list[int]) -> None:
    a, b = talking(make_sak(seed=0), first_pn=0xC0000000 - 8)
    assert a.secy.next_event() is None
    assert arrives(a, b, *sizes)  # --> passes the threshold
    event = a.secy.next_event()
    assert isinstance(event, PnThresholdReached)
    assert event.an == 0

    a, b = talking(make_sak(seed=0), first_pn=0xFFFFFFFF - 8)
    written, delivered = send(a, b, *sizes)  # --> the last PNs
    assert delivered == written[:9]
    assert a.secy.counters.ifOutDiscards == 7
    assert PnExhausted(an=0) in list(iter(a.secy.next_event, None))
    assert send(a, b, *sizes)[1] == []  # nothing more under that key
    for end in (a, b):
        end.create(1, make_sak(seed=1))
        end.receive_with(1)
        end.secy.transmit.enable_sa(1)
    assert arrives(a, b, *sizes)  # -->


def test_extended_pns_pass_2_32_in_both_directions() -> None:
    a, b = talking(make_sak(GCM_AES_XPN_256), first_pn=2**32 - 40, verification=Verification(replay_window=32))
    for _ in range(4):
        assert arrives(a, b, *[100] * 25)  # -->
        assert arrives(b, a, *[100] * 7)  # <--
    channel = b.secy.receive_channel(A_SCI)
    assert channel is not None
    sa = channel.sa(0)
    assert sa is not None
    assert sa.window.next == 2**32 + 60


def test_change_of_cipher_suite() -> None:
    a, b = talking(make_sak(GCM_AES_128, seed=0))
    assert arrives(a, b, *[100] * 8)
    for end in (a, b):
        end.secy.controls.cipher_suite = GCM_AES_XPN_128
        end.create(1, make_sak(GCM_AES_XPN_128, seed=1))
        end.receive_with(1)
    a.secy.transmit.enable_sa(1)
    assert arrives(a, b, *[100] * 8)  # --> the new suite
    assert arrives(b, a, *[100] * 8)  # <-- the old one


def test_a_wire_that_loses_doubles_and_reorders() -> None:
    dice = random.Random(802)
    for strict_replay in (False, True):
        window = Verification(replay_window=16, strict_replay=strict_replay)
        a, b = talking(make_sak(GCM_AES_XPN_128), first_pn=2**32 - 100, verification=window)
        written: list[bytes] = []
        arrived: list[bytes] = []
        wire = Batch(SLOTS, SLOT)
        for _ in range(20):
            written += a.write(*[100] * 32)
            a.secy.protect(a.clear, a.sent)
            frames = [bytes(frame) for frame in a.sent]
            doubled = [frame for frame in frames for _ in range(dice.choice((0, 1, 1, 1, 1, 2)))]
            order = sorted(range(len(doubled)), key=lambda i: i + dice.uniform(0, 8))
            wire.clear()
            for i in order[:SLOTS]:
                wire.append(doubled[i])
            b.secy.validate(wire, b.delivered)
            arrived += [bytes(frame) for frame in b.delivered]
        assert set(arrived) <= set(written)
        assert len(set(arrived)) > len(written) // 2
        assert b.counted("InPktsNotValid") == 0
        if strict_replay:
            assert len(set(arrived)) == len(arrived), "nothing was delivered twice"
        else:
            assert len(set(arrived)) < len(arrived), "the standard's window accepts a PN again"


def test_delay_protection_by_the_peer_s_lowest_pn() -> None:
    a, b = talking(make_sak(), verification=Verification(replay_window=100))
    held = a.write(*[100] * 5)
    a.secy.protect(a.clear, a.sent)
    old = [bytes(frame) for frame in a.sent]
    assert arrives(a, b, *[100] * 5)
    channel = b.secy.receive_channel(A_SCI)
    sending = a.secy.transmit.sa(0)
    assert channel is not None
    assert sending is not None
    channel.raise_pn(0, lowest_pn=sending.next_pn)  # A has told its next PN
    wire = Batch(SLOTS, SLOT)
    for frame in old:
        wire.append(frame)
    b.secy.validate(wire, b.delivered)
    assert (len(held), b.delivered.count, b.counted("InPktsLate")) == (5, 0, 5)
    assert arrives(a, b, *[100] * 5)
