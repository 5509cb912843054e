"""Azure's ciphers and what a secret must hold to key one."""

from __future__ import annotations

import pytest

from lab.azure.macsec import CIPHERS, CKN_RULE, KeyRule, cipher_of_suite


@pytest.mark.parametrize(
    ("name", "cak", "sak"),
    [("GcmAes128", 32, 32), ("GcmAes256", 64, 64), ("GcmAesXpn128", 32, 56), ("GcmAesXpn256", 64, 88)],
)
def test_lengths_in_hex_digits(name: str, cak: int, sak: int) -> None:
    cipher = CIPHERS[name]
    for rule, digits in ((cipher.cak_rule, cak), (cipher.sak_rule, sak)):
        assert rule.octets("aB" * (digits // 2)) == b"\xab" * (digits // 2)
        assert f"has {digits} hex digits" in rule.text
        for wrong in (digits - 2, digits - 1, digits + 1, digits + 2, 0):
            with pytest.raises(ValueError, match=f"it holds {wrong} hex digits; {rule.text[:20]}"):
                rule.octets("a" * wrong)
    assert cipher.is_xpn == ("Xpn" in name)
    assert cipher_of_suite(cipher.suite) is cipher


def test_a_ckn_has_an_even_number_of_hex_digits_up_to_64() -> None:
    assert [n for n in range(70) if fits(CKN_RULE, n)] == list(range(2, 65, 2))


def fits(rule: KeyRule, digits: int) -> bool:
    try:
        rule.octets("0" * digits)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("value", ["0x00", "zz", "00 00", "00\n", "é0", "00:00"])
def test_what_is_not_hex_digits_is_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="other than hex digits") as caught:
        CKN_RULE.octets(value)
    assert value not in str(caught.value)


def test_a_suite_that_azure_has_not() -> None:
    with pytest.raises(KeyError):
        cipher_of_suite("GCM-AES-512")
