"""Evidence of a lab that ran: reported while it runs and when it is down, saved, and formed again elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.conftest import Bench

pytestmark = pytest.mark.lab


def report(bench: Bench, *words: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(bench.ok("report", *words, "--json", "-"))
    return document


def test_a_lab_is_proven_reported_saved_and_judged_again(bench: Bench, tmp_path: Path) -> None:
    page, cases = tmp_path / "r.html", tmp_path / "j.xml"
    bench.ok("up", "macsec-pair")
    proven = json.loads(bench.ok("prove", "--json", "--html", str(page), "--junit", str(cases)))
    assert proven["verdict"] == "proven"
    assert "macsec-pair" in page.read_text()
    assert 'failures="0" errors="0"' in cases.read_text()
    (segment,) = proven["segments"]
    assert {direction["from"] for direction in segment["directions"]} == set(segment["ends"])
    assert all(direction["verdict"] == "proven" for direction in segment["directions"])
    hops = {hop["form"] for path in proven["canaries"]["paths"] for hop in path["hops"]}
    assert hops == {"inside MACsec"}
    assert [each["status"] for each in proven["evidence"] if each["kind"] == "path of each canary"] == ["met"]

    running = report(bench)
    assert running["verdict"] == "proven"
    assert running["canaries"]["sent"] == proven["canaries"]["sent"]  # type: ignore[index]  # plain JSON

    with_keys, without = tmp_path / "with.tar.gz", tmp_path / "without.tar.gz"
    bench.ok("save", str(with_keys), "--with-keys")
    bench.ok("save", str(without))
    again = bench.run("save", str(without))
    assert (again.returncode, "is there already" in again.stderr) == (3, True)
    key_log = tmp_path / "keys.jsonl"
    shutil.copy(bench.folder("macsec-pair") / "keys.jsonl", key_log)

    bench.ok("down")
    ended = report(bench, "macsec-pair")
    assert (ended["verdict"], ended["segments"][0]["dropped"]) == ("proven", 0)  # type: ignore[index]  # plain JSON
    bench.ok("down", "macsec-pair", "--purge")
    gone = bench.run("report", "macsec-pair")
    assert (gone.returncode, "has left no captures" in gone.stderr) == (3, True)

    formed = json.loads(bench.ok("verify", str(with_keys), "--json"))
    assert formed["verdict"] == "proven"
    assert (
        formed["canaries"] == json.loads(bench.ok("verify", str(without), "--keys", str(key_log), "--json"))["canaries"]
    )
    nobody = bench.run("verify", str(without))
    assert (nobody.returncode, "holds no keys" in nobody.stderr) == (2, True)


def test_a_lab_that_breaks_its_promise_says_where(bench: Bench, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    bench.ok("up", "clear")
    ran = bench.run("prove", "--json", "--html", str(page), "--rules", "pci-dss-4.0.1")
    assert ran.returncode == 1
    document = json.loads(ran.stdout)
    violated = [segment for segment in document["segments"] if segment["verdict"] == "violated"]
    assert violated
    for segment in violated:
        assert {direction["verdict"] for direction in segment["directions"]} == {"violated"}
        assert {"NX_BYPASS"} <= {word for direction in segment["directions"] for word in direction["coverage"]}
    assert next(rule["status"] for rule in document["rules"][0]["results"]) == "not-met"
    assert "Violated" in page.read_text()
    saved = tmp_path / "saved.tar.gz"
    assert "keys none on file" in bench.run("save", str(saved)).stderr
    again = bench.run("verify", str(saved))
    assert (again.returncode, "is the one that was saved" in again.stderr) == (1, True)


def test_without_a_lab_there_is_nothing_to_report(bench: Bench, tmp_path: Path) -> None:
    for words in (("report",), ("save", str(tmp_path / "x.tar.gz"))):
        ran = bench.run(*words)
        assert (ran.returncode, "there is no lab" in ran.stderr) == (3, True)
