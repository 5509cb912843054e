"""Fuzz targets of the MACsec side: functions of octets that may do anything but raise.

`python -m tests.fuzz.macsec_targets TARGET [ROUNDS [SEED]]` runs one for as long as wanted; the tests run each briefly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dataplane.batch import Batch
from dataplane.errors import WireError
from dataplane.macsec.controls import Generation, SciEncoding, ValidateFrames, Verification
from dataplane.macsec.counters import Accepted
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import CIPHER_SUITES
from dataplane.wire.eapol import EapolHeader
from dataplane.wire.ethernet import EthernetHeader, VlanTag
from dataplane.wire.sectag import SecTag
from tests.fuzz.mutants import main
from tests.unit.dataplane.macsec.pair import clear_frame, make_sak, receiver, sci_of, sender

SLOTS, SLOT = 32, 260


def parser(parse: Callable[[bytes], EthernetHeader | VlanTag | SecTag | EapolHeader]) -> Callable[[bytes], None]:
    """A parser gives a header that emits what was read, or raises WireError."""

    def target(octets: bytes) -> None:
        with contextlib.suppress(WireError):
            written = parse(octets).emit()
            assert octets.startswith(written)

    return target


def secure_data(octets: bytes) -> None:
    """A SecTAG's lengths never claim more than there is."""
    with contextlib.suppress(WireError):
        tag = SecTag.parse(octets)
        for padding_allowed in (False, True):
            with contextlib.suppress(WireError):
                after_tag = len(octets) - tag.length
                assert 0 < tag.secure_data_octets(after_tag, padding_allowed=padding_allowed) <= after_tag - 16


def _frames(octets: bytes) -> list[bytes]:
    """Cut octets into frames: a length octet, then so many octets; the last may be short. Long stretches repeat."""
    frames: list[bytes] = []
    while octets and len(frames) < SLOTS:
        length, octets = octets[0], octets[1:]
        frames.append(octets[:length])
        octets = octets[length:]
    return frames


def _receivers() -> list[SecY]:
    receivers = []
    for suite in CIPHER_SUITES:
        for mode in ValidateFrames:
            verification = Verification(
                validate_frames=mode,
                replay_protect=suite.key_octets == 16,
                replay_window=16,
                strict_replay=suite.xpn,
                padding_allowed=mode is ValidateFrames.CHECK,
            )
            secy, channel = receiver(make_sak(suite, confidentiality_offset=30), verification=verification)
            channel.create_sa(1, make_sak(suite, seed=2), ssci=b"\x00\x00\x00\x02" if suite.xpn else None)
            receivers.append(secy)
    return receivers


def validate(octets: bytes) -> None:
    """Batches and single frames, in every suite and mode: the same frames come out, and each is counted once."""
    frames = _frames(octets)
    wire, clear = Batch(SLOTS, SLOT), Batch(SLOTS, SLOT)
    for frame in frames:
        wire.append(frame)
    for by_batch, singly in zip(_receivers(), _receivers(), strict=True):
        by_batch.validate(wire, clear)
        outcomes = [singly.validate_frame(frame) for frame in frames]
        assert [bytes(frame) for frame in clear] == [
            outcome.octets for outcome in outcomes if isinstance(outcome, Accepted)
        ]
        assert by_batch.counters == singly.counters
        assert by_batch.receive_channels()[0].counters == singly.receive_channels()[0].counters


def protect(octets: bytes) -> None:
    """Whatever the Controlled Port sends, it leaves protected or not at all."""
    frames = _frames(octets)
    clear, wire = Batch(SLOTS, SLOT), Batch(SLOTS, 200)
    for frame in frames:
        clear.append(frame)
    for suite in CIPHER_SUITES:
        a = sender(make_sak(suite), next_pn=suite.greatest_pn - 20)
        a.protect(clear, wire)
        assert wire.count == min(21, sum(14 <= len(frame) <= 200 - 32 for frame in frames))
        assert all(len(frame) <= 200 and bytes(frame[12:14]) == b"\x88\xe5" for frame in wire)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "ethernet": parser(EthernetHeader.parse),
    "vlan": parser(VlanTag.parse),
    "sectag": parser(SecTag.parse),
    "eapol": parser(EapolHeader.parse),
    "secure_data": secure_data,
    "validate": validate,
    "protect": protect,
}


def seeds(target: str) -> list[bytes]:
    """Octets worth mutating."""
    protected: list[bytes] = []
    for suite in CIPHER_SUITES:
        for encoding in SciEncoding:
            a = sender(
                make_sak(suite, confidentiality_offset=30), generation=Generation(sci_encoding=encoding),
            )  # fmt: skip
            assert a.transmit.sci == sci_of(encoding)
            outcomes = [a.protect_frame(clear_frame(size)) for size in (14, 59, 60, 100, 100, 100, 100, 100)]
            protected += [outcome.octets for outcome in outcomes if isinstance(outcome, Accepted)]
    if target in ("validate", "protect"):
        frames = protected if target == "validate" else [clear_frame(size) for size in (14, 60, 60, 60, 60, 60, 200)]
        return [
            b"".join(bytes([len(frame)]) + frame for frame in frames[start : start + SLOTS])
            for start in range(0, len(frames), 8)
        ]
    if target == "ethernet":
        return [frame[:60] for frame in protected] + [bytes(12) + bytes.fromhex("88a8000481000002") + b"\x08\x00"]
    return {
        "vlan": [bytes.fromhex("8100e123"), bytes.fromhex("88a80fff")],
        "eapol": [bytes.fromhex("03050004") + bytes(4), bytes.fromhex("01010000")],
    }.get(target, [frame[12:] for frame in protected])


if __name__ == "__main__":
    main(TARGETS, seeds)
