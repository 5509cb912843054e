"""Each case goes both ways, and is cut at every length."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.wire.eapol import EapolHeader, EapolType


@pytest.mark.parametrize(
    ("header", "written"),
    [
        (EapolHeader(packet_type=EapolType.MKA, body_octets=84), "03050054"),
        (EapolHeader(version=1, packet_type=EapolType.START, body_octets=0), "01010000"),
        (EapolHeader(version=255, packet_type=200, body_octets=1), "ffc80001"),
    ],
)
def test_parse_and_emit(header: EapolHeader, written: str) -> None:
    octets = bytes.fromhex(written)
    body = bytes(header.body_octets)
    assert header.emit() == octets
    assert EapolHeader.parse(octets + body) == header
    assert EapolHeader.parse(memoryview(octets + body + b"padding")) == header
    for cut in range(len(octets + body)):
        with pytest.raises(WireError):
            EapolHeader.parse((octets + body)[:cut])


def test_fields_that_do_not_fit_are_refused() -> None:
    for wrong in ({"version": 256}, {"packet_type": 256}, {"body_octets": 65536}):
        with pytest.raises(LocalError):
            EapolHeader(**({"version": 3, "packet_type": 5, "body_octets": 0} | wrong))
