"""Which CAKs are on file, and what is left of a key log without the SAKs that they make superfluous."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.capture import keylog
from lab.capture.keys import MacsecSak, MkaCak
from lab.coverage.caks import on_file, without_saks
from lab.holder import caks
from lab.model.topology import Topology
from lab.topology.load import load, loads
from tests.lab.keyed_pair import CAK, CKN, OTHER_CAK, keyed_secrets, keyed_topology

PAIR = Path(__file__).parents[4] / "topologies" / "macsec-pair.yaml"


def secrets(topology: Topology) -> dict[str, bytes]:
    (pair,) = caks.pairs_of(topology.links[0])
    return {str(pair.ckn): b"name", str(pair.cak): bytes(32)}


def test_what_was_made_for_the_lab_is_always_on_file() -> None:
    topology = load(PAIR)
    expected = [{"type": "mka-cak", "ckn": "6e616d65", "cak": "00" * 32, "segment": "ce--msee1"}]
    for every in (False, True):
        assert caks.records(topology, secrets(topology), every=every) == expected


def test_what_outlives_the_lab_is_on_file_when_that_is_asked_for() -> None:
    topology = loads(PAIR.read_text().replace("https://kv-wireproof", "https://kv-own"))
    assert caks.records(topology, secrets(topology), every=False) == []
    assert len(caks.records(topology, secrets(topology), every=True)) == 1


def test_both_caks_of_a_link_with_a_mistake_in_it() -> None:
    topology = keyed_topology(mistake={"cak": OTHER_CAK})
    held = keyed_secrets(topology)
    assert [record["cak"] for record in caks.records(topology, held, every=True)] == [
        held[str(CAK)].hex(),
        held[str(OTHER_CAK)].hex(),
    ]
    assert [record["ckn"] for record in caks.records(topology, held, every=True)] == [held[str(CKN)].hex()] * 2


@pytest.fixture
def keys(tmp_path: Path) -> tuple[MkaCak | MacsecSak, ...]:
    path = tmp_path / "keys.jsonl"
    sak = {"type": "macsec-sak", "an": 0, "cipher_suite": "GCM-AES-128", "sak": "11" * 16}
    keylog.append(
        path,
        caks.record("a--b", b"name", bytes(16)),
        {"type": "mka-cak", "ckn": "00", "cak": "22" * 16},  # of nobody says which segment
        sak | {"sci": "0200000000010001"},
        sak | {"sci": "0200000000020001"},
        sak | {"sci": "0200000000990001"},
    )
    return tuple(key for key in keylog.read(path) if isinstance(key, MkaCak | MacsecSak))


def test_saks_of_segments_whose_caks_are_on_file_are_left_out(keys: tuple[MkaCak | MacsecSak, ...]) -> None:
    assert on_file(keys) == {"a--b"}
    left = without_saks(keys, keyed_topology(), {"a--b"})
    assert [key.sci.hex() for key in left if isinstance(key, MacsecSak)] == ["0200000000990001"]
    assert without_saks(keys, keyed_topology(), set()) == list(keys)
