"""Every vector through the engine: protected as published, and verified back; what must be refused is, and counted."""

from __future__ import annotations

import pytest

from dataplane.batch import Batch
from dataplane.crypto.secret import Secret
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding, ValidateFrames, Verification
from dataplane.macsec.counters import Accepted, Discarded, DiscardReason
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import suite_named
from dataplane.wire.ethernet import ADDRESSES_OCTETS
from dataplane.wire.sectag import ES, SC, SCB
from tests.vectors.load import Vector, each, load

FILE = "macsec.json"
GOOD = ("cipher", "integrity", "vlan", "rekey", "linux_frame", "derived", "anti_replay")
OTHER_SCI = bytes.fromhex("0200000000ff0001")


def sak(vector: Vector) -> Sak:
    return Sak(
        suite=suite_named(vector.text("cipher_suite")),
        key=Secret(vector.octets("key")),
        salt=vector.octets("salt") if vector.has("salt") else b"",
        confidentiality=vector.flag("confidentiality"),
        confidentiality_offset=vector.number("offset"),
    )


def ssci(vector: Vector) -> bytes | None:
    return vector.octets("ssci") if vector.has("ssci") else None


def encoding(vector: Vector) -> SciEncoding:
    tci = vector.octets("tci_an")[0]
    for bit, meaning in ((SC, SciEncoding.EXPLICIT), (ES, SciEncoding.END_STATION), (SCB, SciEncoding.SCB)):
        if tci & bit:
            return meaning
    return SciEncoding.IMPLIED


def without_clear_tags(vector: Vector, field: str) -> bytes:
    """The frame as SecY sees it: tags before the SecTAG are put there by somebody outside."""
    octets, tags = vector.octets(field), vector.octets("clear_vlan_tags")
    assert octets[ADDRESSES_OCTETS:].startswith(tags)
    return octets[:ADDRESSES_OCTETS] + octets[ADDRESSES_OCTETS + len(tags) :]


def receiver(vector: Vector, verification: Verification, *, first_pn: int | None = None) -> SecY:
    secy = SecY(OTHER_SCI, cipher_suite=suite_named(vector.text("cipher_suite")), verification=verification)
    if vector.has("sci"):
        pn = vector.number("pn") if first_pn is None else first_pn
        channel = secy.create_receive_channel(vector.octets("sci"))
        channel.create_sa(vector.number("an"), sak(vector), ssci=ssci(vector), next_pn=max(1, pn), lowest_pn=max(1, pn))
        channel.enable_sa(vector.number("an"))
    return secy


@each(FILE, *GOOD)
def test_protect(vector: Vector) -> None:
    secy = SecY(
        vector.octets("sci"),
        cipher_suite=suite_named(vector.text("cipher_suite")),
        generation=Generation(sci_encoding=encoding(vector)),
    )
    secy.transmit.create_sa(vector.number("an"), sak(vector), ssci=ssci(vector), next_pn=vector.number("pn"))
    secy.transmit.enable_sa(vector.number("an"))
    protected = without_clear_tags(vector, "protected")
    assert secy.protect_frame(without_clear_tags(vector, "plaintext")) == Accepted(protected)
    assert protected[ADDRESSES_OCTETS + 2 : ADDRESSES_OCTETS + 4] == vector.octets("tci_an") + bytes(
        [vector.number("sl")]
    )


@each(FILE, *GOOD)
def test_validate(vector: Vector) -> None:
    secy = receiver(vector, Verification())
    assert secy.validate_frame(without_clear_tags(vector, "protected")) == Accepted(
        without_clear_tags(vector, "plaintext")
    )
    counters = secy.receive_channels()[0].counters
    user_octets = len(without_clear_tags(vector, "plaintext")) - ADDRESSES_OCTETS
    assert counters.InPktsOK == 1
    assert (counters.InOctetsDecrypted if vector.flag("confidentiality") else counters.InOctetsValidated) == user_octets


@each(FILE, *GOOD)
def test_each_flipped_bit_is_noticed(vector: Vector) -> None:
    frame = bytearray(without_clear_tags(vector, "protected"))
    for bit in range(8 * len(frame)):
        frame[bit // 8] ^= 1 << bit % 8
        secy = receiver(vector, Verification())
        assert isinstance(secy.validate_frame(frame), Discarded), f"bit {bit}"
        frame[bit // 8] ^= 1 << bit % 8


@each(FILE, "bad_tag", "intr")
def test_a_bad_tag_is_refused_whatever_the_mode(vector: Vector) -> None:
    for mode in ValidateFrames:
        secy = receiver(vector, Verification(validate_frames=mode))
        assert secy.validate_frame(vector.octets("protected")) == Discarded(DiscardReason.IN_PKTS_BAD_TAG)
        assert secy.counters.InPktsBadTag == 1


@each(FILE, "err_cipher")
def test_damaged_secure_data(vector: Vector) -> None:
    for mode in ValidateFrames:
        secy = receiver(vector, Verification(validate_frames=mode))
        assert secy.validate_frame(vector.octets("protected")) == Discarded(DiscardReason.IN_PKTS_NOT_VALID)
        assert secy.receive_channels()[0].counters.InPktsNotValid == 1


@each(FILE, "untagged")
def test_no_sectag(vector: Vector) -> None:
    frame = vector.octets("protected")
    strict = receiver(vector, Verification())
    assert strict.validate_frame(frame) == Discarded(DiscardReason.IN_PKTS_NO_TAG)
    assert strict.counters.InPktsNoTag == 1
    check = receiver(vector, Verification(validate_frames=ValidateFrames.CHECK))
    assert check.validate_frame(frame) == Accepted(frame)
    assert check.counters.InPktsUntagged == 1


@pytest.mark.parametrize("as_batch", [False, True], ids=["singly", "batch"])
@pytest.mark.parametrize("strict_replay", [False, True], ids=["standard", "bitmap"])
@pytest.mark.parametrize("suite", ["GCM-AES-128", "GCM-AES-XPN-128"])
@pytest.mark.parametrize(("window", "third_accepted"), [(32, True), (0, False)])
def test_replay_sequences(
    *, suite: str, window: int, third_accepted: bool, strict_replay: bool, as_batch: bool
) -> None:
    sequence = [vector for vector in load(FILE, "anti_replay") if vector.text("cipher_suite") == suite]
    assert len(sequence) == 4
    verification = Verification(replay_window=window, strict_replay=strict_replay)
    secy = receiver(sequence[0], verification)
    wanted = [vector.octets("plaintext") for vector in sequence[: 3 if third_accepted else 2]]
    if as_batch:
        wire, clear = Batch(slots=4, size=200), Batch(slots=4, size=200)
        for vector in sequence:
            wire.append(vector.octets("protected"))
        secy.validate(wire, clear)
        assert [bytes(frame) for frame in clear] == wanted
    else:
        outcomes = [secy.validate_frame(vector.octets("protected")) for vector in sequence]
        assert outcomes[: len(wanted)] == [Accepted(octets) for octets in wanted]
        assert outcomes[len(wanted) :] == [Discarded(DiscardReason.IN_PKTS_LATE)] * (4 - len(wanted))
    counters = secy.receive_channels()[0].counters
    assert (counters.InPktsOK, counters.InPktsLate) == (len(wanted), 4 - len(wanted))


@pytest.mark.parametrize("suite", ["GCM-AES-128", "GCM-AES-XPN-128"])
def test_rekey_overlaps(suite: str) -> None:
    old, new = (vector for vector in load(FILE, "rekey") if vector.text("cipher_suite") == suite)
    secy = receiver(old, Verification())
    channel = secy.receive_channels()[0]
    assert secy.validate_frame(new.octets("protected")) == Discarded(DiscardReason.IN_PKTS_NOT_USING_SA)
    channel.create_sa(new.number("an"), sak(new), ssci=ssci(new))
    assert secy.validate_frame(new.octets("protected")) == Discarded(DiscardReason.IN_PKTS_NOT_USING_SA)
    channel.enable_sa(new.number("an"))
    assert secy.validate_frame(new.octets("protected")) == Accepted(new.octets("plaintext"))
    assert secy.validate_frame(old.octets("protected")) == Accepted(old.octets("plaintext"))
    channel.delete_sa(old.number("an"))
    assert secy.validate_frame(old.octets("protected")) == Discarded(DiscardReason.IN_PKTS_NOT_USING_SA)
