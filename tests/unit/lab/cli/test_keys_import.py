"""`wireproof keys import`: a key log with mode 0600, told what is in it, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.capture import keylog
from lab.cli.main import run

SPI = "0xc0000001"
KEY = bytes(range(20)).hex()
ROW = f'"IPv4","10.0.0.1","10.0.0.2","{SPI}","AES-GCM with 16 octet ICV [RFC4106]","0x{KEY}","NULL",""\n'
IKE = f'0102030405060708,1112131415161718,{KEY},{KEY},"AES-GCM-128 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"\n'


def test_files_of_several_formats_make_one_key_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "esp_sa").write_text(ROW + ROW.replace("AES-GCM with 16 octet ICV [RFC4106]", "TWOFISH-CBC"))
    (tmp_path / "ikev2_decryption_table").write_text(IKE)
    (tmp_path / "state").write_text(
        f"src ::1 dst ::2\n\tproto esp spi 0x1001 mode tunnel\n\taead rfc4106(gcm(aes)) 0x{KEY} 128\n"
    )
    key_log = tmp_path / "keys.jsonl"
    files = [str(tmp_path / name) for name in ("esp_sa", "ikev2_decryption_table", "state")]
    assert run(["keys", "import", *files, "-o", str(key_log)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{key_log}: added 2 esp-sa, 1 ike-sk\n"
    assert told.err.startswith(f"not imported: {tmp_path}/esp_sa:2: encryption 'twofish-cbc'")
    assert KEY not in told.out + told.err
    assert key_log.stat().st_mode & 0o777 == 0o600
    assert [key.key_id for key in keylog.read(key_log)] == [
        "esp-sa c0000001 to 10.0.0.2", "ike-sk 0102030405060708 1112131415161718", "esp-sa 00001001 to ::2"
    ]  # fmt: skip


def test_importing_again_adds_only_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, key_log = tmp_path / "esp_sa", tmp_path / "keys.jsonl"
    table.write_text(ROW)
    key_log.touch(0o644)
    assert run(["keys", "import", str(table), "-o", str(key_log)]) == 0
    assert key_log.stat().st_mode & 0o777 == 0o600
    table.write_text(ROW + ROW.replace(SPI, "0xc0000002"))
    assert run(["keys", "import", str(table), "-o", str(key_log)]) == 0
    assert run(["keys", "import", str(table), "-o", str(key_log)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{key_log}: added 1 esp-sa", f"{key_log}: added 1 esp-sa", f"{key_log}: added nothing that was not there"
    ]  # fmt: skip
    assert len(key_log.read_text().splitlines()) == 2


@pytest.mark.parametrize(("text", "told"), [
    (None, "it cannot be read: No such file or directory"),
    ("", "no keys of a known format; known are Wireshark's esp_sa and ikev2_decryption_table"),
    ("3: macsec0: protect on\n    TXSC: 0200000000010001 on SA 0\n        0: PN 1, state on, key 01\n", "never"),
])  # fmt: skip
def test_where_nothing_can_be_imported_nothing_is_written(
    tmp_path: Path, text: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, key_log = tmp_path / "file", tmp_path / "keys.jsonl"
    if text is not None:
        file.write_text(text)
    assert run(["keys", "import", str(file), "-o", str(key_log)]) == 3
    assert told in capsys.readouterr().err
    assert not key_log.exists()


def test_a_key_log_that_is_none_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, other = tmp_path / "esp_sa", tmp_path / "other"
    table.write_text(ROW)
    other.write_text("something else\n")
    assert run(["keys", "import", str(table), "-o", str(other)]) == 3
    assert f"{other}:1: not a JSON object in UTF-8" in capsys.readouterr().err
    assert other.read_text() == "something else\n"
