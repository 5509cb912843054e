"""`wireproof keys wireshark`: the files it writes, what it says of them, and bad input."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.cli.main import run
from tests.captures.cases import key_log_of

IPSEC = "ike_psk_aes256gcm16-sha384-ecp384_esp_aes256gcm16"
CHACHA = "ss-chacha20-ecp256"


def export(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = run(["keys", "wireshark", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_both_tables_are_for_their_owner_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "ws"
    code, out, err = export(capsys, folder, "--keys", key_log_of(IPSEC))
    assert code == 0
    assert out == f"{folder}/esp_sa: 2 rows\n{folder}/ikev2_decryption_table: 1 row\n"
    assert f"WIRESHARK_CONFIG_DIR={folder} wireshark" in err
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "esp_sa": 0o600,
        "ikev2_decryption_table": 0o600,
    }


def test_written_anew_with_the_mode_that_it_must_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(capsys, tmp_path, "--keys", key_log_of(IPSEC))
    (tmp_path / "esp_sa").chmod(0o644)
    before = (tmp_path / "esp_sa").read_text()
    assert export(capsys, tmp_path, "--keys", key_log_of(IPSEC), "--keys", key_log_of(IPSEC))[0] == 0
    assert (tmp_path / "esp_sa").read_text() == before  # each row once
    assert stat.S_IMODE((tmp_path / "esp_sa").stat().st_mode) == 0o600


def test_what_wireshark_cannot_do_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = export(capsys, tmp_path, "--keys", key_log_of(CHACHA))
    assert code == 0
    assert "esp_sa: 0 rows" in out
    assert "is left out: Wireshark 4.0 cannot do ENCR_CHACHA20_POLY1305 in IKEv2" in err


def test_a_table_of_the_users_own_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "esp_sa").write_text('"IPv4","*","*","0x1","NULL","","NULL",""\n')
    code, out, err = export(capsys, tmp_path, "--keys", key_log_of(IPSEC))
    assert (code, out) == (3, "")
    assert err == (
        f"wireproof: {tmp_path}/esp_sa is there and was not written by wireproof; choose another folder or move it\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["esp_sa"]


@pytest.mark.parametrize(("words", "message"), [
    (["--keys", "nowhere.jsonl"], "nowhere.jsonl: the key log cannot be read: No such file or directory"),
    (["--keys", "a.jsonl", "--lab", "b"], "--keys and --lab both say whose keys are meant; give one of them"),
])  # fmt: skip
def test_bad_input(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = export(capsys, tmp_path / "ws", *words)
    assert (code, out) == (3, "")
    assert message in err
    assert not (tmp_path / "ws").exists()


def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ws").touch()
    code, _, err = export(capsys, tmp_path / "ws", "--keys", key_log_of(IPSEC))
    assert code == 3
    assert f"{tmp_path}/ws cannot be written: File exists" in err
