"""Rule packs: those that come along say of captures what they must, and bad ones are refused with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.coverage.document import Report
from lab.coverage.examine import examine
from lab.coverage.facts import Status
from lab.coverage.rules.checks import CHECKS, apply_packs
from lab.coverage.rules.pack import load_pack, names
from lab.coverage.segment import Segment
from lab.errors import InputError
from lab.model.expectation import Expectation, Layer
from tests.captures.cases import keys_of, path_of

MET, NOT_MET, NOT_OBSERVED = Status.MET, Status.NOT_MET, Status.NOT_OBSERVED
NEEDS = {name: frozenset(parameters) for name, (_, parameters) in CHECKS.items()}


def report(name: str, expect: Expectation | None = None) -> Report:
    return examine([Segment(name=name, capture=path_of(name), expect=expect)], keys_of(name))


def said(of: Report, pack: str) -> dict[str, Status]:
    (result,) = apply_packs(of, [pack])
    return {rule.id: rule.status for rule in result.results}


@pytest.mark.parametrize("name", names())
def test_a_pack_cites_a_clause_for_each_rule_and_certifies_nothing(name: str) -> None:
    pack = load_pack(name, NEEDS)
    assert pack.name == name
    assert pack.source
    for rule in pack.rules:
        assert rule.clause
        assert rule.title
    assert len({rule.id for rule in pack.rules}) == len(pack.rules)
    assert name == "wireproof" or "certifies nothing" in pack.note


def test_the_packs_that_come_along() -> None:
    assert names() == ("nist-sp-800-77r1", "pci-dss-4.0.1", "rfc-9206", "wireproof")


@pytest.mark.parametrize(("capture", "expected"), [
    ("ike_psk_aes256gcm16-sha384-ecp384_esp_aes256gcm16",
     {"ikev2": MET, "esp": MET, "ike-encryption": MET, "prf": MET, "group": MET, "child-group": NOT_OBSERVED,
      "authentication": NOT_MET, "no-ah": MET}),
    ("py-ss-cookie",
     {"ikev2": MET, "esp": NOT_MET, "ike-encryption": NOT_MET, "prf": NOT_MET, "group": NOT_MET, "child-group": MET,
      "authentication": NOT_MET, "no-ah": MET}),
    ("macsec_gcm-aes-128_sci_conf",
     {"ikev2": NOT_OBSERVED, "esp": NOT_OBSERVED, "ike-encryption": NOT_OBSERVED, "prf": NOT_OBSERVED,
      "group": NOT_OBSERVED, "child-group": NOT_OBSERVED, "authentication": NOT_OBSERVED, "no-ah": MET}),
])  # fmt: skip
def test_rfc_9206(capture: str, expected: dict[str, Status]) -> None:
    assert said(report(capture), "rfc-9206") == expected


def test_nist_800_77() -> None:
    told = said(report("ss-cbc128-sha1-modp2048"), "nist-sp-800-77r1")
    assert (told["confidentiality"], told["group"], told["pfs"], told["replay"]) == (MET, MET, NOT_MET, MET)
    # A short capture without a policy does not show that anything is rekeyed in time.
    assert told["esp-lifetime"] is told["ike-lifetime"] is NOT_OBSERVED
    assert said(report("ss-chacha20-ecp256"), "nist-sp-800-77r1")["confidentiality"] is NOT_MET


def test_pci_dss() -> None:
    macsec = Expectation(layers=(Layer.MACSEC,))
    good = said(report("macsec_gcm-aes-128_sci_conf", macsec), "pci-dss-4.0.1")
    assert good["4.2.1-protected"] is good["4.2.1-trusted-keys"] is good["4.2.1.1-inventory"] is MET
    assert good["4.2.1-secure-versions"] is good["4.2.1-strength"] is MET
    assert good["4.2.1-certificates"] is NOT_OBSERVED
    bad = said(report("macsec_gcm-aes-128_sci_integ", macsec), "pci-dss-4.0.1")
    assert bad["4.2.1-protected"] is bad["4.2.1-secure-versions"] is NOT_MET
    clear = apply_packs(report("macsec_gcm-aes-128_sci_conf", Expectation(layers=())), ["pci-dss-4.0.1"])[0].results[0]
    assert "to be argued one by one" in clear.text


def test_the_projects_own() -> None:
    told = said(report("ss-gcm-x25519"), "wireproof")
    assert (told["verdict"], told["group"], told["pfs"], told["nonces"]) == (MET, MET, MET, MET)
    assert told["own-keys"] is NOT_OBSERVED


PACK: dict[str, Any] = {
    "name": "mine", "title": "Mine", "source": "me", "note": "certifies nothing",
    "rules": [{"id": "a", "clause": "1", "title": "t", "check": "key-bits", "least": 512}],
}  # fmt: skip


def test_a_pack_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(PACK))
    (result,) = apply_packs(report("macsec_gcm-aes-128_sci_conf"), [str(path)])
    assert (result.name, result.results[0].status) == ("mine", NOT_MET)


@pytest.mark.parametrize(("change", "told"), [
    ({"title": 5}, "`title` must be text"),
    ({"rules": []}, "`rules` must be a list of rules"),
    ({"rules": ["x"]}, "rule 1 is no mapping"),
    ({"rules": [{"id": "a", "clause": "1", "title": "t", "check": "magic"}]}, "there is no check 'magic'; there are"),
    ({"rules": [{"id": "a", "clause": "1", "title": "t", "check": "key-bits"}]}, "check key-bits needs `least`"),
    ({"rules": [{**PACK["rules"][0], "more": 1}]}, "check key-bits knows no `more`"),
    ({"rules": [{**PACK["rules"][0], "least": "x"}]}, "`least` must be a number"),
    ({"rules": [{**PACK["rules"][0], "clause": ""}]}, "`clause` is missing"),
    ({"rules": [{"id": "a", "clause": "1", "title": "t", "check": "evidence", "kind": "luck"}]},
     "must be one of complete"),
    ({"rules": [{"id": "a", "clause": "1", "title": "t", "check": "no-findings", "codes": ["x"], "needs": "esp"}]},
     "there is no finding x"),
])  # fmt: skip
def test_a_bad_pack_is_refused_and_every_problem_named(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(PACK | change))
    with pytest.raises(InputError, match=r"mine\.yaml: ") as error:
        load_pack(str(path), NEEDS)
    assert told in str(error.value)


@pytest.mark.parametrize(("name", "content", "told"), [
    ("no-such-pack", None, "there is no rule pack 'no-such-pack'; there are nist"),
    ("nowhere.yaml", None, "nowhere.yaml: cannot be read"),
    ("bad.yaml", "a: [", "bad.yaml: is no YAML"),
    ("bad.yaml", "- 1", "a rule pack is a mapping"),
])  # fmt: skip
def test_what_is_no_pack(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    path = str(tmp_path / name) if "." in name else name
    if content is not None:
        Path(path).write_text(content)
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        load_pack(path, NEEDS)
