from __future__ import annotations

import pytest

from dataplane.ipsec.transforms import INTEGRITY, KE, PRF, Transform, encr, integ, prf
from lab.azure import ipsec


def test_every_word_means_something_that_ipsec_knows() -> None:
    meanings: list[Transform] = [encr(*each) for each in ipsec.IPSEC_ENCRYPTION.values()]
    meanings += [encr(*each) for each in ipsec.IKE_ENCRYPTION.values()]
    meanings += [integ(each) for each in (*ipsec.INTEGRITY.values(), *filter(None, ipsec.IPSEC_INTEGRITY.values()))]
    meanings += [prf(each) for each in ipsec.IKE_PRF.values()]
    assert all(each.is_known for each in meanings)
    assert {each.name for each in INTEGRITY.values()} >= set(ipsec.INTEGRITY.values())
    assert set(PRF.values()) >= set(ipsec.IKE_PRF.values())
    unknown = {name for name, group in (ipsec.DH_GROUPS | ipsec.PFS_GROUPS).items() if group not in KE}
    assert unknown == {"DHGroup1", "PFS1"}


def test_words_that_are_the_same() -> None:
    assert ipsec.DH_GROUPS["DHGroup2048"] == ipsec.DH_GROUPS["DHGroup14"] == 14
    assert ipsec.PFS_GROUPS["PFS2048"] == ipsec.PFS_GROUPS["PFS14"] == 14
    assert ipsec.INTEGRITY.keys() == ipsec.IKE_PRF.keys()


def test_defaults_are_azures() -> None:
    assert (len(ipsec.IKE_DEFAULTS), len(ipsec.IPSEC_DEFAULTS), len(ipsec.IPSEC_ACCEPTED)) == (6, 6, 26)
    assert {offer.group for offer in ipsec.IKE_DEFAULTS} == {"DHGroup2"}
    assert {offer.group for offer in ipsec.IPSEC_DEFAULTS} == {"None"}
    assert ipsec.IPSEC_DEFAULTS[0] == ipsec.Offer("GCMAES256", "GCMAES256", "None")
    assert ipsec.IPSEC_ACCEPTED.index(ipsec.Offer("AES256", "SHA256", "PFS2")) == 17
    assert len(set(ipsec.IPSEC_ACCEPTED)) == 26
    for offer in (*ipsec.IPSEC_ACCEPTED, *ipsec.IPSEC_DEFAULTS):
        assert offer.encryption in ipsec.IPSEC_ENCRYPTION
        assert offer.integrity in ipsec.IPSEC_INTEGRITY
        assert offer.group in ipsec.PFS_GROUPS
    for offer in ipsec.IKE_DEFAULTS:
        assert (offer.encryption in ipsec.IKE_ENCRYPTION, offer.integrity in ipsec.INTEGRITY) == (True, True)


@pytest.mark.parametrize("value", ["x", "a b~!", "k" * 128])
def test_a_shared_key_is_its_text(value: str) -> None:
    assert ipsec.SHARED_KEY_RULE.octets(value) == value.encode()


@pytest.mark.parametrize("value", ["", "k" * 129, "schlüssel", "tab\t", "new\nline"])
def test_what_cannot_be_a_shared_key_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ValueError) as caught:
        ipsec.SHARED_KEY_RULE.octets(value)
    assert "1 to 128 printable ASCII characters" in str(caught.value)
    assert not value or value not in str(caught.value)
