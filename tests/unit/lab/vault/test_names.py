"""Azure's rules for names, and the URL that names a secret."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.vault.names import SecretUrl, check_secret_name, check_vault_name, check_version, parse_secret_url

VERSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("name", ["abc", "kv-1", "a" * 24, "KV-Lab", "a1b"])
def test_vaults(name: str) -> None:
    assert check_vault_name(name) == name.lower()


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 25, "1ab", "ab-", "-ab", "a--b", "a_b", "a.b", "../x", "abc\n", "äbc"]
)
def test_not_vaults(name: str) -> None:
    with pytest.raises(InputError, match="a vault has a name of 3 to 24"):
        check_vault_name(name)


@pytest.mark.parametrize("name", ["a", "0", "-", "Link1-SAK", "a" * 127])
def test_secrets(name: str) -> None:
    assert check_secret_name(name) == name.lower()


@pytest.mark.parametrize("name", ["", "a" * 128, "a_b", "..", "a/b", "a\n", "a b"])
def test_not_secrets(name: str) -> None:
    with pytest.raises(InputError, match="a secret has a name of 1 to 127"):
        check_secret_name(name)


@pytest.mark.parametrize("version", ["", VERSION[1:], VERSION + "0", "g" * 32, "../" + "0" * 29])
def test_not_versions(version: str) -> None:
    with pytest.raises(InputError, match="a version has 32 hex digits"):
        check_version(version)


@pytest.mark.parametrize(
    ("url", "version"),
    [
        ("https://kv-lab.vault.azure.net/secrets/sak", None),
        ("https://kv-lab.vault.azure.net/secrets/sak/", None),
        ("https://kv-lab.vault.azure.net:443/secrets/sak", None),
        ("HTTPS://KV-Lab.Vault.Azure.NET/Secrets/SAK", None),
        (f"https://kv-lab.vault.azure.net/secrets/sak/{VERSION}", VERSION),
        (f"https://kv-lab.vault.azure.net/secrets/sak/{VERSION.upper()}", VERSION),
    ],
)
def test_urls(url: str, version: str | None) -> None:
    parsed = parse_secret_url(url)
    assert parsed == SecretUrl(vault="kv-lab", secret="sak", version=version)
    assert parse_secret_url(str(parsed)) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "", "sak", "kv-lab/sak", "http://kv-lab.vault.azure.net/secrets/sak", "https://kv-lab.vault.azure.cn/secrets/s",
        "https://kv-lab.vault.azure.net/keys/sak", "https://kv-lab.vault.azure.net/secrets",
        "https://kv-lab.vault.azure.net/secrets/a/b/c", "https://vault.azure.net/secrets/sak",
        "https://kv-lab.vault.azure.net/secrets/sak/latest", "https://kv-lab.vault.azure.net:80/secrets/sak",
        "https://kv-lab.vault.azure.net/secrets//", "https://a.b.vault.azure.net/secrets/sak",
    ],
)  # fmt: skip
def test_not_urls(url: str) -> None:
    with pytest.raises(InputError):
        parse_secret_url(url)
