"""A vault: who may do what, which version is read, what is refused and why, and what the log says of it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab.errors import ExitCode, InputError, MachineError
from lab.vault.records import Attributes, Permission, parse_timestamp, timestamp
from lab.vault.refusal import Refusal, VaultError
from lab.vault.vault import LAB, MAX_VALUE_OCTETS, OPERATOR, Vault, vault_names

SECRET = "5ec4e7" * 8


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path, "kv-own", now=1.0)


def refusal(act: Callable[[], object]) -> Refusal:
    with pytest.raises(VaultError) as caught:
        act()
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    assert SECRET not in str(caught.value)
    return caught.value.refusal


def test_the_newest_version_is_the_current_one(vault: Vault) -> None:
    first = vault.set_secret("sak", "aa", OPERATOR, 2.0)
    second = vault.set_secret("sak", "bb", OPERATOR, 2.0)
    assert (first.ordinal, second.ordinal) == (1, 2)
    assert vault.get_secret("sak", None, LAB, 3.0).value == "bb"
    assert vault.get_secret("sak", first.version, LAB, 3.0).value == "aa"
    assert vault.list_secrets(OPERATOR, 3.0) == {"sak": (first, second)}


def test_names_do_not_differ_by_case(vault: Vault, tmp_path: Path) -> None:
    made = vault.set_secret("SAK", "aa", OPERATOR, 2.0)
    again = Vault(tmp_path, "KV-Own")
    assert again.get_secret("sak", made.version.upper(), LAB, 3.0).value == "aa"
    with pytest.raises(InputError, match="exists already"):
        Vault.create(tmp_path, "KV-OWN", 1.0)


def test_what_does_not_exist(vault: Vault, tmp_path: Path) -> None:
    assert refusal(lambda: Vault(tmp_path, "kv-other")) is Refusal.NO_VAULT
    assert refusal(lambda: vault.get_secret("sak", None, LAB, 1.0)) is Refusal.NO_SECRET
    vault.set_secret("sak", "aa", OPERATOR, 1.0)
    assert refusal(lambda: vault.get_secret("sak", "0" * 32, LAB, 1.0)) is Refusal.NO_VERSION


@pytest.mark.parametrize(
    ("attributes", "refused"),
    [
        (Attributes(), None),
        (Attributes(not_before=10.0, expires=11.0), None),
        (Attributes(enabled=False), Refusal.DISABLED),
        (Attributes(not_before=10.5), Refusal.NOT_YET_VALID),
        (Attributes(expires=10.0), Refusal.EXPIRED),
        (Attributes(expires=9.0), Refusal.EXPIRED),
    ],
)
def test_attributes_say_whether_and_when(vault: Vault, attributes: Attributes, refused: Refusal | None) -> None:
    vault.set_secret("sak", SECRET, OPERATOR, 1.0, attributes)
    if refused is None:
        assert vault.get_secret("sak", None, LAB, 10.0).value == SECRET
    else:
        assert refusal(lambda: vault.get_secret("sak", None, LAB, 10.0)) is refused


def test_attributes_can_be_changed_and_nothing_else_with_them(vault: Vault) -> None:
    old = vault.set_secret("sak", SECRET, OPERATOR, 1.0)
    vault.set_secret("sak", "bb", OPERATOR, 2.0)
    changed = vault.set_attributes("sak", old.version, OPERATOR, 3.0, lambda was: replace(was, enabled=False))
    assert changed == replace(old, updated=3.0, attributes=Attributes(enabled=False))
    assert refusal(lambda: vault.get_secret("sak", old.version, LAB, 4.0)) is Refusal.DISABLED
    vault.set_attributes("sak", old.version, OPERATOR, 5.0, lambda was: replace(was, enabled=True))
    assert vault.get_secret("sak", old.version, LAB, 6.0).value == SECRET
    assert vault.get_secret("sak", None, LAB, 6.0).value == "bb"


def test_a_disabled_current_version_is_not_passed_over(vault: Vault) -> None:
    vault.set_secret("sak", "aa", OPERATOR, 1.0)
    vault.set_secret("sak", "bb", OPERATOR, 1.0, Attributes(enabled=False))
    assert refusal(lambda: vault.get_secret("sak", None, LAB, 2.0)) is Refusal.DISABLED


def test_identities_may_do_what_they_were_granted(vault: Vault) -> None:
    vault.set_secret("sak", "aa", OPERATOR, 1.0)
    assert refusal(lambda: vault.set_secret("sak", "bb", LAB, 1.0)) is Refusal.IDENTITY
    assert refusal(lambda: vault.list_secrets(LAB, 1.0)) is Refusal.IDENTITY
    assert refusal(lambda: vault.get_secret("sak", None, "stranger", 1.0)) is Refusal.IDENTITY
    vault.grant("stranger", frozenset({Permission.GET}))
    assert vault.get_secret("sak", None, "stranger", 1.0).value == "aa"
    vault.grant("stranger", frozenset())
    assert refusal(lambda: vault.get_secret("sak", None, "stranger", 1.0)) is Refusal.IDENTITY


def test_the_firewall_keeps_everybody_out(vault: Vault) -> None:
    vault.set_secret("sak", "aa", OPERATOR, 1.0)
    vault.shut(True)
    assert refusal(lambda: vault.get_secret("sak", None, LAB, 1.0)) is Refusal.FIREWALL
    assert refusal(lambda: vault.set_secret("sak", "bb", OPERATOR, 1.0)) is Refusal.FIREWALL
    vault.shut(False)
    assert vault.get_secret("sak", None, LAB, 1.0).value == "aa"


def test_rotation_keeps_the_length_and_the_old_version(vault: Vault) -> None:
    old = vault.set_secret("cak", "0F" * 32, OPERATOR, 1.0)
    new = vault.rotate_secret("cak", OPERATOR, 2.0)
    value = vault.get_secret("cak", None, LAB, 3.0).value
    assert new.ordinal == 2
    assert len(value) == 64
    assert value != "0f" * 32
    assert vault.get_secret("cak", old.version, LAB, 3.0).value == "0F" * 32
    vault.set_secret("psk", "not hex", OPERATOR, 1.0)
    with pytest.raises(InputError, match="does not hold pairs of hex digits"):
        vault.rotate_secret("psk", OPERATOR, 2.0)


def test_an_expired_secret_can_be_rotated(vault: Vault) -> None:
    vault.set_secret("cak", "0f" * 16, OPERATOR, 1.0, Attributes(expires=2.0))
    vault.rotate_secret("cak", OPERATOR, 3.0)
    assert len(vault.get_secret("cak", None, LAB, 4.0).value) == 32


def test_what_cannot_be_written_is_the_machines_fault_and_leaves_what_was(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot be written: File exists"):
        Vault.create(tmp_path / "file" / "vaults", "kv-own", 1.0)
    vault = Vault.create(tmp_path, "kv-own", 1.0)
    shutil.rmtree(vault.folder / "secrets")
    (vault.folder / "secrets").touch()
    with pytest.raises(MachineError, match="secrets/sak cannot be written"):
        vault.set_secret("sak", "aa", OPERATOR, 2.0)
    assert [entry.result for entry in vault.audit()] == ["failed"]


def test_the_log_names_every_use_allowed_or_not_and_never_what_a_secret_holds(vault: Vault, tmp_path: Path) -> None:
    made = vault.set_secret("sak", SECRET, OPERATOR, 1.0)
    vault.get_secret("sak", None, LAB, 2.0)
    for identity in ("stranger", LAB):
        vault.grant(LAB, frozenset())
        refusal(partial(vault.get_secret, "sak", None, identity, 3.0))
    refusal(lambda: vault.get_secret("none", None, OPERATOR, 4.0))
    vault.list_secrets(OPERATOR, 5.0)
    uses = [(e.time, e.identity, e.operation, e.secret, e.version, e.result) for e in vault.audit()]
    assert uses == [
        (1.0, OPERATOR, "set", "sak", made.version, "ok"),
        (2.0, LAB, "get", "sak", made.version, "ok"),
        (3.0, "stranger", "get", "sak", None, "identity"),
        (3.0, LAB, "get", "sak", None, "identity"),
        (4.0, OPERATOR, "get", "none", None, "no-secret"),
        (5.0, OPERATOR, "list", None, None, "ok"),
    ]
    assert SECRET not in (tmp_path / "kv-own" / "audit.jsonl").read_text()


def test_nobody_else_can_read_the_files(vault: Vault, tmp_path: Path) -> None:
    vault.set_secret("sak", "aa", OPERATOR, 1.0)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kv-own").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    assert stat.S_IMODE((tmp_path / "kv-own").stat().st_mode) == 0o700


def test_nothing_is_left_beside_the_files(vault: Vault, tmp_path: Path) -> None:
    made = vault.set_secret("sak", "aa", OPERATOR, 1.0)
    files = sorted(str(path.relative_to(tmp_path / "kv-own")) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["audit.jsonl", f"secrets/sak/{made.version}.json", "vault.json"]


def test_what_a_secret_holds_is_not_shown_by_repr(vault: Vault) -> None:
    vault.set_secret("sak", SECRET, OPERATOR, 1.0)
    assert SECRET not in repr(vault.get_secret("sak", None, LAB, 1.0))


def test_a_value_has_azures_limit(vault: Vault) -> None:
    vault.set_secret("big", "x" * MAX_VALUE_OCTETS, OPERATOR, 1.0)
    with pytest.raises(InputError, match="has at most 25600 octets"):
        vault.set_secret("big", "x" * (MAX_VALUE_OCTETS + 1), OPERATOR, 1.0)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"created": 1, "firewall": false, "access": {"a": ["fly"]}}'])
def test_damaged_settings_are_named(vault: Vault, tmp_path: Path, text: str) -> None:
    (tmp_path / "kv-own" / "vault.json").write_text(text)
    with pytest.raises(InputError, match=r"vault.json is damaged"):
        vault.get_secret("sak", None, LAB, 1.0)


@pytest.mark.parametrize(
    "text", ["", "7", "{}", '{"ordinal": 1, "value": "aa", "enabled": true, "created": "now", "updated": 1}']
)
def test_a_damaged_version_is_named(vault: Vault, tmp_path: Path, text: str) -> None:
    made = vault.set_secret("sak", "aa", OPERATOR, 1.0)
    (tmp_path / "kv-own" / "secrets" / "sak" / f"{made.version}.json").write_text(text)
    with pytest.raises(InputError, match=rf"{made.version}.json is damaged"):
        vault.get_secret("sak", None, LAB, 1.0)


def test_a_damaged_log_is_named_with_its_line(vault: Vault, tmp_path: Path) -> None:
    vault.list_secrets(OPERATOR, 1.0)
    with (tmp_path / "kv-own" / "audit.jsonl").open("a") as log:
        log.write("{}\n")
    with pytest.raises(InputError, match=r"audit.jsonl:2: the log is damaged"):
        vault.audit()


def test_vaults_below_a_folder(tmp_path: Path) -> None:
    assert vault_names(tmp_path / "none") == []
    for name in ("kv-b", "kv-a"):
        Vault.create(tmp_path, name, 1.0)
    (tmp_path / "stray").mkdir()
    assert vault_names(tmp_path) == ["kv-a", "kv-b"]


def test_times() -> None:
    assert parse_timestamp("2030-01-31T12:00:00Z") == parse_timestamp("2030-01-31T13:00:00+01:00")
    assert parse_timestamp("2030-01-31T12:00:00") == parse_timestamp("2030-01-31T12:00:00Z")
    assert timestamp(parse_timestamp("2030-01-31")) == "2030-01-31T00:00:00Z"
    with pytest.raises(InputError, match="is not a time"):
        parse_timestamp("tomorrow")
