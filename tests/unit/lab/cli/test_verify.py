"""`wireproof verify`: what it prints where, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.cli.main import run
from lab.cli.verify import segment_names
from tests.captures.cases import key_log_of, path_of

MACSEC = "macsec_gcm-aes-128_scb_conf"
CLEAR = "esp_tunnel_natt_tx_aes128-gcm16"
BARE = "ss-no-proposal"


def verify(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(["verify", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("name", "code", "verdict"), [(MACSEC, 0, "PROVEN"), (CLEAR, 1, "VIOLATED"), (BARE, 2, "UNPROVEN")]
)
def test_the_verdict_is_the_exit_code(name: str, code: int, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended, out, err = verify(capsys, str(path_of(name)), "--keys", str(key_log_of(name)))
    assert (ended, err) == (code, "")
    assert f"{verdict}: 1 segment" in out


def test_json_is_one_object_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = verify(
        capsys, str(path_of(MACSEC)), str(path_of(BARE)), "--keys", str(key_log_of(MACSEC)), "--keys",
        str(key_log_of(BARE)), "--expect", f"{MACSEC}=macsec", "--json",
    )  # fmt: skip
    assert (code, err) == (2, "")
    document = json.loads(out)
    assert [(each["segment"], each["verdict"], each["expect"]) for each in document["segments"]] == [
        (MACSEC, "proven", "macsec"), (BARE, "unproven", None)
    ]  # fmt: skip


@pytest.mark.parametrize(("what", "code"), [
    ("macsec", 0), ("macsec:integrity-only", 0), ("clear", 1), ("ipsec", 1), ("macsec+ipsec", 1),
])  # fmt: skip
def test_an_expectation_decides(what: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    ended, out, _ = verify(
        capsys, str(path_of(MACSEC)), "--keys", str(key_log_of(MACSEC)), "--expect", f"{MACSEC}={what}"
    )
    assert ended == code
    assert "expected " in out


@pytest.mark.parametrize(("words", "told"), [
    ([], "Missing argument 'CAPTURE...'"),
    (["nowhere.pcap"], "wireproof: nowhere.pcap: the capture cannot be read: No such file or directory"),
    ([str(path_of(BARE)), "--keys", "nowhere"], "wireproof: nowhere: the key log cannot be read: No such file"),
    ([str(path_of(BARE)), "--keys", str(path_of(BARE))], "not a JSON object in UTF-8"),
    ([str(key_log_of(BARE))], "is empty"),
    ([str(key_log_of(MACSEC))], "is not a capture: it starts with 7b 22 74 79"),
    ([str(path_of(BARE)), "--expect", "ss-no-proposal"], "--expect ss-no-proposal: write SEGMENT=clear, =macsec"),
    ([str(path_of(BARE)), "--expect", "ss-no-proposal=wep"], "--expect ss-no-proposal=wep: write SEGMENT=clear"),
    ([str(path_of(BARE)), "--expect", "ss-no-proposal=ipsec:integrity-only"], "may follow macsec"),
    ([str(path_of(BARE)), "--expect", "ss-no-propsal=clear"], "no segment ss-no-propsal; did you mean ss-no-proposal?"),
    ([str(path_of(BARE)), "--expect", "x=clear"], "no segment x; there are ss-no-proposal"),
])  # fmt: skip
def test_bad_input_ends_with_3_and_says_what_would_be_right(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = verify(capsys, *words)
    assert (code, out) == (3, "")
    assert told in err


def test_a_bad_line_of_a_key_log_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_log = tmp_path / "k.jsonl"
    key_log.write_text(key_log_of(MACSEC).read_text() + '{"type": "mka-cak", "ckn": "01"}\n')
    code, _, err = verify(capsys, str(path_of(MACSEC)), "--keys", str(key_log))
    assert code == 3
    assert f"{key_log}:3: mka-cak lacks `cak`" in err


def test_a_capture_that_breaks_off_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(path_of(MACSEC).read_bytes()[:-5])
    code, out, err = verify(capsys, str(broken), "--keys", str(key_log_of(MACSEC)), "--json")
    assert (code, out) == (3, "")
    assert "is cut off: 30 whole frames can be read" in err


def test_segments_are_named_after_their_files() -> None:
    assert segment_names([Path("a/ce--msee1.pcapng"), Path("b/x.y.pcap.gz"), Path("z.cap"), Path("plain")]) == [
        "ce--msee1", "x.y", "z", "plain"
    ]  # fmt: skip
    assert segment_names([Path("a/x.pcap"), Path("b/x.pcap"), Path("y.pcap")]) == ["a/x.pcap", "b/x.pcap", "y"]
