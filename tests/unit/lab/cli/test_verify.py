"""`wireproof verify`: what it prints where, and what it ends with."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from lab.cli import progress
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


def test_workers_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(path_of(MACSEC)), "--keys", str(key_log_of(MACSEC)), "--json"]
    documents = []
    for workers in ("1", "2"):
        code, out, err = verify(capsys, *words, "--workers", workers)
        assert (code, err) == (0, "")
        documents.append(json.loads(out) | {"provenance": None})
    assert documents[0] == documents[1]


def test_a_filter_leaves_frames_out_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(path_of(CLEAR)), "--keys", str(key_log_of(CLEAR)), "--json", "--filter", "udp port 4500"]
    code, out, _ = verify(capsys, *words)
    (segment,) = json.loads(out)["segments"]
    assert (code, segment["verdict"], segment["frames"]) == (0, "proven", 6)
    assert (segment["filter"], segment["excluded"]) == ("udp port 4500", 3)
    assert segment["reasons"][-1] == "only frames that pass the filter `udp port 4500` were judged; 3 were not"
    code, out, _ = verify(capsys, *words[:-1], "icmp")
    (segment,) = json.loads(out)["segments"]
    (finding,) = [finding for finding in segment["findings"] if finding["severity"] == "critical"]
    assert (code, finding["frames"]) == (1, [3, 6, 9]), "numbered as in the file"


def test_a_capture_that_breaks_off_may_be_judged_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(path_of(MACSEC).read_bytes()[:-5])
    for workers in ("1", "2"):
        words = (str(broken), "--keys", str(key_log_of(MACSEC)), "--partial", "--json", "--workers", workers)
        code, out, _ = verify(capsys, *words)
        (segment,) = json.loads(out)["segments"]
        assert (code, segment["verdict"], segment["frames"]) == (2, "unproven", 30)
        assert segment["macsec"]["authenticated"] == 30
        (finding,) = [finding for finding in segment["findings"] if finding["code"] == "truncated"]
        assert (finding["severity"], finding["frames"]) == ("warning", [31])
        assert "is cut off: 30 whole frames can be read" in finding["text"]


@pytest.mark.parametrize(("words", "told"), [
    (["--canary", "short"], "--canary short: write 8 octets or more, as text or as hex:DIGITS"),
    (["--canary", "hex:00112233445566zz"], "--canary hex:00112233445566zz: write 8 octets or more"),
    (["--canary", "hex:0011", "--canary", "x"], "--canary x: write 8 octets or more"),
    (["--filter", "udp prt 4500"], "--filter, column 5: `prt` is one word too many"),
    (["--workers", "0"], "0 is not in the range 1<=x<=64"),
])  # fmt: skip
def test_bad_options_say_what_would_be_right(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = verify(capsys, str(path_of(BARE)), *words)
    assert (code, out) == (3, "")
    assert told in err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_progress_and_a_pipe_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    assert run(["verify", str(path_of(MACSEC)), "--keys", str(key_log_of(MACSEC)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "proven"
    assert "reading" in terminal.getvalue()
    assert "9.2/9.2 kB" in terminal.getvalue()
