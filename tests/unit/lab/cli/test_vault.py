"""`wireproof vault` as a person uses it: values never on the command line, what is refused ends with 3."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli.main import run

Wireproof = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wireproof:
    monkeypatch.setenv("WIREPROOF_VAULTS", str(tmp_path / "vaults"))

    def call(*words: str, value: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(value))
        code = run(["vault", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def own(vault: Wireproof) -> Wireproof:
    assert vault("create", "kv-own")[0] == 0
    return vault


def test_a_secrets_life(own: Wireproof) -> None:
    code, url, _ = own("set", "kv-own", "cak", "--cak", "GcmAesXpn256", value="0a" * 32 + "\n")
    assert code == 0
    assert url.startswith("https://kv-own.vault.azure.net/secrets/cak/")
    assert own("show", "kv-own", "cak", "--value")[1] == "0a" * 32 + "\n"
    assert "0a0a" not in "".join(map(str, own("show", "kv-own", "cak")))
    _, new, _ = own("rotate", "kv-own", "cak")
    assert new != url
    listed = json.loads(own("list", "kv-own", "--json")[1])
    assert [version["ordinal"] for version in listed["cak"]] == [1, 2]
    assert "0a0a" not in json.dumps(listed)
    assert own("list")[1] == "kv-own\n"
    uses = [json.loads(line) for line in own("audit", "kv-own", "--json")[1].splitlines()]
    assert [use["operation"] for use in uses] == ["set", "get", "get", "set", "list"]
    assert own("audit", "kv-own")[1].count("\n") == len(uses)


@pytest.mark.parametrize(
    ("words", "value", "what"),
    [
        (["--cak", "GcmAes128"], "0a" * 32, "it holds 64 hex digits; a CAK of GcmAes128 has 32"),
        (["--cak", "GcmAes512"], "0a", "unknown cipher 'GcmAes512'"),
        (["--sak", "GcmAesXpn128"], "0a" * 16, "it holds 32 hex digits; a static SAK of GcmAesXpn128 has 56"),
        (["--ckn"], "0a0", "it holds 3 hex digits; a CKN has an even number of hex digits, 2 to 64"),
        (["--ckn", "--cak", "GcmAes128"], "", "one of --cak, --sak and --ckn"),
        (["--random"], "", "say how many octets"),
        (["--random", "5000"], "", "say how many octets"),
        (["--expires", "soon"], "0a", "'soon' is not a time"),
    ],
)
def test_what_could_not_serve_is_refused(own: Wireproof, words: list[str], value: str, what: str) -> None:
    code, out, err = own("set", "kv-own", "key", *words, value=value)
    assert (code, out) == (3, "")
    assert what in err
    assert own("show", "kv-own", "key")[0] == 3


@pytest.mark.parametrize(
    ("words", "digits"), [(["--ckn"], 64), (["--sak", "GcmAesXpn256"], 88), (["--cak", "GcmAes128"], 32)]
)
def test_random_is_as_long_as_it_must_be(own: Wireproof, words: list[str], digits: int) -> None:
    own("set", "kv-own", "key", "--random", *words)
    assert len(own("show", "kv-own", "key", "--value")[1].strip()) == digits


def test_random_is_as_long_as_said(own: Wireproof) -> None:
    own("set", "kv-own", "key", "--random", "3")
    assert len(own("show", "kv-own", "key", "--value")[1].strip()) == 6


def test_the_switches_for_failures(own: Wireproof) -> None:
    own("set", "kv-own", "key", value="0a")
    own("attributes", "kv-own", "key", "--disable")
    assert "is disabled" in own("show", "kv-own", "key")[2]
    own("attributes", "kv-own", "key", "--enable", "--expires", "2020-01-01")
    assert "expired at 2020-01-01T00:00:00Z" in own("show", "kv-own", "key")[2]
    own("set", "kv-own", "key", "--not-before", "2999-01-01T00:00:00Z", value="0b")
    assert "not valid before 2999" in own("show", "kv-own", "key")[2]
    own("access", "kv-own", "operator", "list")
    assert "lacks get" in own("show", "kv-own", "key")[2]
    own("firewall", "kv-own", "on")
    assert "firewall" in own("list", "kv-own")[2]
    own("firewall", "kv-own", "off")
    assert own("list", "kv-own")[0] == 0


def test_what_does_not_exist(vault: Wireproof) -> None:
    assert vault("list")[:2] == (0, "")
    assert vault("list", "--json")[1] == "[]\n"
    code, _, err = vault("show", "kv-none", "key")
    assert code == 3
    assert "wireproof vault create kv-none" in err
    assert vault("create", "x")[0] == 3


def test_no_vaults_and_no_lab(vault: Wireproof, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    code, out, err = vault("list")
    assert (code, out, "make one: wireproof vault create NAME" in err) == (0, "", True)
    assert vault("list", "--json")[:2] == (0, "[]\n")
    for words in (("list",), ("create", "kv-own")):
        code, _, err = vault("--lab", "nowhere", *words)
        assert (code, "there is no lab 'nowhere'" in err) == (3, True)
    assert not (tmp_path / "runtime" / "wireproof" / "nowhere").exists()
