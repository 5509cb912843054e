"""Nonces as the vectors have them, and as a run of frames gets them: prefix and low word."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError
from dataplane.macsec.nonce import Nonces

SSCI, SALT = bytes.fromhex("7a30c118"), bytes.fromhex("e630e81a48de86a21c66fa6d")

CASES = [
    (Nonces.for_sci(bytes.fromhex("12153524c0895e81")), 0xB2C28465, "12153524c0895e81b2c28465"),
    (Nonces.for_ssci(SSCI, SALT), 0xB0DF459C_B2C28465, "9c002902f801c33eaea47e08"),
    (Nonces.for_ssci(SSCI, SALT), 1, "9c00290248de86a21c66fa6c"),
    (Nonces.for_ssci(SSCI, SALT), 2**64 - 1, "9c002902b721795de3990592"),
]


@pytest.mark.parametrize(("nonces", "pn", "written"), CASES)
def test_nonce(nonces: Nonces, pn: int, written: str) -> None:
    assert nonces.nonce(pn).hex() == written
    low = (nonces.low_word ^ pn & 0xFFFFFFFF).to_bytes(4, "big")
    assert (nonces.prefix(pn) + low).hex() == written
    assert nonces.prefix(pn) == nonces.prefix(pn ^ 0x1234)


def test_what_has_another_length_is_refused() -> None:
    with pytest.raises(LocalError, match="SCI has 8 octets, not 6"):
        Nonces.for_sci(bytes(6))
    with pytest.raises(LocalError, match="SSCI has 4 octets, not 8"):
        Nonces.for_ssci(bytes(8), SALT)
    with pytest.raises(LocalError, match="salt 12, not 4"):
        Nonces.for_ssci(SSCI, bytes(4))
