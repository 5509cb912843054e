"""The ledger of units: what it keeps, how it is merged, how it goes to disk; and nonces used twice."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import pytest

from lab.coverage.evidence import spool
from lab.coverage.evidence.identity import KeyIdentity, Used
from lab.coverage.evidence.ledger import Ledger
from lab.coverage.evidence.reuse import Repeats, examine_reuse


def key(
    name: str = "macsec-sak 01 an 0", *, protocol: str = "macsec", domain: str = "d", secret: str = "k"
) -> KeyIdentity:
    return KeyIdentity(protocol=protocol, name=name, key=secret, algorithm="GCM-AES-128", key_bits=128, domain=domain,
                       number_bits=32)  # fmt: skip


SAK = key()
ESP = key("esp-sa 01", protocol="esp", domain="e", secret="s")


def ledger(*units: tuple[KeyIdentity, int, int, int], start: int = 1) -> Ledger:
    """Units by key, number, nonce and content, in frames from `start` on."""
    made = Ledger()
    for frame, (identity, number, nonce, content) in enumerate(units, start):
        made.unit(Used(identity, number, nonce, content, 100), frame, frame * 1000, "in")
    return made


def numbered(numbers: Iterable[int], content: int = 0) -> list[tuple[KeyIdentity, int, int, int]]:
    return [(SAK, number, number, content or number * 7) for number in numbers]


def nonces(*ledgers: Ledger) -> dict[str, Repeats]:
    discipline = examine_reuse([(f"s{place}", each) for place, each in enumerate(ledgers)])
    return {name: repeats for (name, _), repeats in discipline.nonces.items()}


def test_what_is_kept_of_a_key() -> None:
    use = ledger(*numbered([5, 6, 9])).uses[SAK]
    assert (use.units, use.octets, use.lowest, use.highest) == (3, 300, 5, 9)
    assert (use.first_frame, use.last_frame, use.first_time, use.last_time) == (1, 3, 1000, 3000)


def test_numbers_that_rise_are_all_there_once() -> None:
    assert nonces(ledger(*numbered(range(1, 500)))) == {}


def test_one_nonce_for_two_contents_is_found_and_named() -> None:
    units = numbered(range(1, 50))
    units.append((SAK, 7, 7, 12345))
    found = nonces(ledger(*units))["s0"]
    assert (found.reused, found.reused_count, found.values, found.seen_again_count) == ([7, 50], 2, [7], 0)


def test_the_same_unit_again_is_no_reuse() -> None:
    units = numbered(range(1, 50))
    found = nonces(ledger(*units, units[6], units[6]))["s0"]
    assert (found.reused_count, found.seen_again, found.surplus) == (0, [50, 51], 2)


def test_the_same_unit_on_the_next_segment_says_nothing() -> None:
    units = numbered(range(1, 50))
    assert {
        name: (each.reused_count, each.seen_again_count)
        for name, each in nonces(ledger(*units), ledger(*units)).items()
    } == {}


def test_reuse_across_captures_names_both() -> None:
    found = nonces(ledger(*numbered([1, 2, 3])), ledger((SAK, 2, 2, 999), start=40))
    assert (found["s0"].reused, found["s0"].elsewhere) == ([2], ["s1"])
    assert (found["s1"].reused, found["s1"].elsewhere) == ([40], ["s0"])


def test_two_keys_with_one_domain_share_their_nonces() -> None:
    """The same key under two names: static keys on two links, an SA made twice."""
    other = key("macsec-sak 01 an 1")
    found = examine_reuse([("a", ledger((SAK, 5, 5, 1), (other, 5, 5, 2)))]).nonces
    assert {identity.name: each.reused for (_, identity), each in found.items()} == {SAK.name: [1], other.name: [2]}


def test_sequence_numbers_of_esp_are_watched_apart_from_its_ivs() -> None:
    discipline = examine_reuse([("a", ledger((ESP, 1, 77, 1), (ESP, 2, 78, 2), (ESP, 2, 79, 3)))])
    assert discipline.nonces == {}
    assert discipline.numbers["a", ESP].reused == [2, 3]


def test_without_encryption_there_is_no_nonce_to_reuse() -> None:
    null = KeyIdentity(protocol="esp", name="esp-sa 2", key="n", algorithm="ENCR_NULL", key_bits=0, domain="n",
                       number_bits=32, confidential=False)  # fmt: skip
    discipline = examine_reuse([("a", ledger((null, 1, 1, 1), (null, 1, 1, 2)))])
    assert discipline.nonces == {}
    assert discipline.numbers["a", null].reused == [1, 2]


@pytest.mark.parametrize("most", [1 << 21, 10, 1])
def test_neither_merging_nor_the_disk_changes_anything(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST_IN_MEMORY", most)
    units = [*numbered(range(1, 40)), (ESP, 1, 9, 9), *numbered([3], 5), *numbered(range(40, 50)), (ESP, 1, 9, 8)]
    whole = ledger(*units)
    first, second = ledger(*units[:17]), ledger(*units[17:], start=18)
    first.merge(pickle.loads(pickle.dumps(second)))
    assert first.uses == whole.uses
    assert sorted(first.spool.all().tolist()) == sorted(whole.spool.all().tolist())
    found = nonces(first)["s0"], nonces(whole)["s0"]
    assert found[0] == found[1]
    assert examine_reuse([("a", first)]) == examine_reuse([("a", whole)])
    assert examine_reuse([("a", whole)]).nonces["a", SAK].reused == [3, 41]


def test_the_disk_is_used_and_walked_as_often_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST_IN_MEMORY", 100)
    made = ledger(*numbered(range(1, 20_000)))
    for _ in range(2):
        assert sum(len(rows) for rows in made.spool) == 19_999
    assert made.spool._file is not None
    assert nonces(made) == {}
