"""Each case goes both ways, and is cut at every length; every octet rule of clause 9.12 has a tag that breaks it."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.wire.sectag import SecTag, short_length

SCI = bytes.fromhex("12153524c0895e81")

CASES = [
    pytest.param(
        SecTag(encrypted=True, changed=True, an=2, pn=0xB2C28465, sci=SCI), "88e52e00b2c2846512153524c0895e81", id="SCI"
    ),
    pytest.param(
        SecTag(es=True, encrypted=True, changed=True, an=0, sl=42, pn=0x76D457ED), "88e54c2a76d457ed", id="ES"
    ),
    pytest.param(SecTag(scb=True, encrypted=False, changed=False, an=3, pn=1), "88e5130000000001", id="SCB"),
    pytest.param(SecTag(encrypted=False, changed=False, an=1, sl=47, pn=0), "88e5012f00000000", id="implied"),
    pytest.param(SecTag(encrypted=True, changed=False, an=0, pn=7), "88e5080000000007", id="E without C"),
    pytest.param(SecTag(encrypted=False, changed=True, an=0, pn=7), "88e5040000000007", id="C without E"),
    pytest.param(
        SecTag(es=True, scb=True, encrypted=False, changed=False, an=0, pn=7), "88e5500000000007", id="ES SCB"
    ),
]


@pytest.mark.parametrize(("tag", "written"), CASES)
def test_parse_and_emit(tag: SecTag, written: str) -> None:
    octets = bytes.fromhex(written)
    assert tag.emit() == octets
    assert SecTag.parse(octets) == tag
    assert SecTag.parse(memoryview(octets + bytes(64))) == tag
    assert tag.length == len(octets)
    for cut in range(len(octets)):
        with pytest.raises(WireError):
            SecTag.parse(octets[:cut])


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("88e5ac0000000002fe2fcd14241b882c", "version"),
        ("88e56c0000000002fe2fcd14241b882c", "ES or SCB"),
        ("88e53c0000000002fe2fcd14241b882c", "ES or SCB"),
        ("88e52c8000000002fe2fcd14241b882c", "SL octet is 128"),
        ("88e52c4000000002fe2fcd14241b882c", "SL octet is 64"),
        ("88e52c3000000002fe2fcd14241b882c", "SL octet is 48"),
        ("88d72c0000000002fe2fcd14241b882c", "EtherType"),
    ],
)
def test_invalid_by_its_own_octets(written: str, why: str) -> None:
    with pytest.raises(WireError, match=why):
        SecTag.parse(bytes.fromhex(written))


def test_fields_that_do_not_fit_are_refused() -> None:
    for wrong in ({"an": 4}, {"sl": 48}, {"pn": 1 << 32}, {"sci": b"short"}, {"sci": SCI, "es": True}):
        with pytest.raises(LocalError):
            SecTag(**({"encrypted": True, "changed": True, "an": 0, "pn": 1} | wrong))


@pytest.mark.parametrize(("octets", "sl"), [(1, 1), (42, 42), (47, 47), (48, 0), (1500, 0)])
def test_short_length(octets: int, sl: int) -> None:
    assert short_length(octets) == sl


@pytest.mark.parametrize(
    ("sl", "after_tag", "exact", "padded"),
    [
        (0, 48 + 16, 48, 48),
        (0, 1500 + 16, 1500, 1500),
        (0, 47 + 16, None, None),
        (0, 3, None, None),
        (42, 42 + 16, 42, 42),
        (42, 43 + 16, None, 42),
        (42, 41 + 16, None, None),
        (2, 2 + 16 + 28, None, 2),
    ],
)
def test_the_frame_s_length_must_agree_with_sl(sl: int, after_tag: int, exact: int | None, padded: int | None) -> None:
    tag = SecTag(encrypted=True, changed=True, an=0, sl=sl, pn=1)
    for padding_allowed, wanted in ((False, exact), (True, padded)):
        if wanted is None:
            with pytest.raises(WireError):
                tag.secure_data_octets(after_tag, padding_allowed=padding_allowed)
        else:
            assert tag.secure_data_octets(after_tag, padding_allowed=padding_allowed) == wanted
