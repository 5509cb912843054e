"""The table of cipher suites, and its two look-ups."""

from __future__ import annotations

import pytest

from dataplane.errors import LocalError
from dataplane.macsec.suites import CIPHER_SUITES, GCM_AES_128, suite_identified, suite_named


@pytest.mark.parametrize(
    ("name", "identifier", "key_octets", "greatest_pn", "pending"),
    [
        ("GCM-AES-128", "0080c20001000001", 16, 2**32 - 1, 0xC0000000),
        ("GCM-AES-256", "0080c20001000002", 32, 2**32 - 1, 0xC0000000),
        ("GCM-AES-XPN-128", "0080c20001000003", 16, 2**64 - 1, 0xC0000000_00000000),
        ("GCM-AES-XPN-256", "0080c20001000004", 32, 2**64 - 1, 0xC0000000_00000000),
    ],
)
def test_rows(name: str, identifier: str, key_octets: int, greatest_pn: int, pending: int) -> None:
    suite = suite_named(name)
    assert suite.name == name
    assert suite.key_octets == key_octets
    assert suite.greatest_pn == greatest_pn
    assert suite.pending_pn_exhaustion == pending
    assert suite_identified(bytes.fromhex(identifier)) is suite


def test_look_ups() -> None:
    assert len(CIPHER_SUITES) == 4
    assert suite_identified(bytes.fromhex("0080020001000001")) is GCM_AES_128, "802.1AE-2006's printing error"
    assert suite_identified(bytes(8)) is None
    with pytest.raises(LocalError, match="no cipher suite 'GCM-AES-512'; there are GCM-AES-128, "):
        suite_named("GCM-AES-512")
