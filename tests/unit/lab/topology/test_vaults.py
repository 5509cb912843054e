"""From a topology's references to octets."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.model.topology import Topology
from lab.topology.load import load, loads
from lab.topology.operations import GenerateSecret
from lab.topology.plan import plan
from lab.topology.vaults import generate_secrets, resolve_secrets
from lab.vault.records import Permission
from lab.vault.vault import LAB, OPERATOR, Vault

ROOT = Path(__file__).parents[4]
MKA = """
name: mka
nodes: {ce: {role: ce}, msee1: {role: msee}}
links:
  - ends: [ce:link1, msee1:link1]
    macsec:
      cipher: GcmAesXpn256
      ckn: https://kv-own.vault.azure.net/secrets/ckn
      cak: https://kv-own.vault.azure.net/secrets/cak
expect: {ce--msee1: macsec}
traffic: [[ce, msee1]]
"""
CKN, CAK = (f"https://kv-own.vault.azure.net/secrets/{name}" for name in ("ckn", "cak"))


def generate(topology: Topology, root: Path) -> None:
    made = [operation for operation in plan(topology) if isinstance(operation, GenerateSecret)]
    generate_secrets(made, root, topology.identity, now=1.0)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = Vault.create(tmp_path, "kv-own", 1.0)
    vault.set_secret("ckn", "0a" * 32, OPERATOR, 1.0)
    vault.set_secret("cak", "0b" * 32, OPERATOR, 1.0)
    return vault


def test_generated_secrets_are_new_each_time_and_as_long_as_said(tmp_path: Path) -> None:
    topology = load(ROOT / "topologies" / "expressroute-direct.yaml")
    opened = []
    for name in ("first", "second"):
        generate(topology, tmp_path / name)
        opened.append(resolve_secrets(topology, tmp_path / name, tmp_path / "none", now=2.0))
    assert [len(value) for value in opened[0].values()] == [32] * 4 + [64] * 2
    assert not set(opened[0].values()) & set(opened[1].values())
    assert opened[0].keys() == opened[1].keys()


def test_a_topology_without_keys_needs_no_vault(tmp_path: Path) -> None:
    assert resolve_secrets(load(ROOT / "topologies" / "clear.yaml"), tmp_path, tmp_path, now=1.0) == {}


def test_references_are_opened_as_the_topologys_identity_once_each(tmp_path: Path, vault: Vault) -> None:
    vault.grant("port", frozenset({Permission.GET}))
    topology = loads(f"{MKA}identity: port")
    assert resolve_secrets(topology, tmp_path / "lab", tmp_path, now=2.0) == {CKN: b"\n" * 32, CAK: b"\v" * 32}
    reads = [(entry.identity, entry.secret) for entry in vault.audit() if entry.operation is Permission.GET]
    assert reads == [("port", "ckn"), ("port", "cak")]


def test_the_current_version_is_the_one_when_applied(tmp_path: Path, vault: Vault) -> None:
    topology = loads(MKA)
    vault.set_secret("cak", "0c" * 32, OPERATOR, 2.0)
    assert resolve_secrets(topology, tmp_path / "lab", tmp_path, now=3.0)[CAK] == b"\f" * 32
    old = vault.list_secrets(OPERATOR, 3.0)["cak"][0].version
    pinned = loads(MKA.replace("/cak", f"/cak/{old}"))
    assert resolve_secrets(pinned, tmp_path / "lab", tmp_path, now=3.0)[f"{CAK}/{old}"] == b"\v" * 32


@pytest.mark.parametrize(
    ("ckn", "cak", "what"),
    [
        ("0a" * 32, "0b" * 16, "CAK https://kv-own.vault.azure.net/secrets/cak: it holds 32 hex digits; a CAK of"),
        ("0a" * 33, "0b" * 32, "CKN https://kv-own.vault.azure.net/secrets/ckn: it holds 66 hex digits; a CKN has an"),
        ("0a0", "0b" * 32, "it holds 3 hex digits; a CKN has an even number of hex digits, 2 to 64"),
        ("", "0b" * 32, "it holds 0 hex digits"),
        ("0a" * 32, "0b" * 31 + "zz", "it holds something other than hex digits; a CAK of GcmAesXpn256 has 64"),
        ("0a" * 32, "0b " * 32, "it holds something other than hex digits"),
    ],
)
def test_a_value_that_cannot_serve_is_refused_and_never_shown(
    tmp_path: Path, vault: Vault, ckn: str, cak: str, what: str
) -> None:
    vault.set_secret("ckn", ckn, OPERATOR, 1.0)
    vault.set_secret("cak", cak, OPERATOR, 1.0)
    with pytest.raises(InputError) as caught:
        resolve_secrets(loads(MKA), tmp_path / "lab", tmp_path, now=2.0)
    assert what in str(caught.value)
    assert "0a0a" not in str(caught.value)
    assert "0b0b" not in str(caught.value)


def test_every_problem_is_told_at_once(tmp_path: Path, vault: Vault) -> None:
    vault.grant(LAB, frozenset())
    with pytest.raises(InputError) as caught:
        resolve_secrets(loads(MKA, "f.yaml"), tmp_path / "lab", tmp_path, now=2.0)
    texts = [str(problem) for problem in caught.value.problems]
    assert [text.split(" https")[0] for text in texts] == ["f.yaml:5: ce--msee1, CKN", "f.yaml:5: ce--msee1, CAK"]
    assert all("identity lab lacks get on vault kv-own" in text for text in texts)


def test_a_vault_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no vault kv-own in"):
        resolve_secrets(loads(MKA), tmp_path / "lab", tmp_path, now=2.0)
