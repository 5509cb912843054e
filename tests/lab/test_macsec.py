"""MKA-keyed links of real labs: secured, shown, rotated and mistaken, by our own command line."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.capture.source import open_capture
from lab.holder.client import Client
from lab.host.state import LabFolder
from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab

PAIR = (ROOT / "topologies" / "macsec-pair.yaml").read_text()
LINK = "ce--msee1"
EAPOL = b"\x88\x8e"
PENDING_PN = 0xC0000000


def write(bench: Bench, *changes: tuple[str, str]) -> str:
    """The pair's file, changed."""
    text = PAIR
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = bench.topologies / "macsec-pair.yaml"
    path.write_text(text)
    return str(path)


def with_hitless(bench: Bench) -> str:
    return write(bench, ("      cak: https", "      change: hitless\n      cak: https"))


def ends(bench: Bench, link: str = LINK) -> dict[str, dict[str, Any]]:
    """`macsec status` of a link, by node."""
    ran = bench.run("macsec", "status", link, "--json")
    assert ran.returncode in (0, 1), ran.stderr
    (found,) = json.loads(ran.stdout)
    assert ran.returncode == (0 if found["secured"] else 1)
    return {end["node"]: end for end in found["ends"]}


def until(done: Callable[[], bool], patience: float = 40) -> None:
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def rotate(bench: Bench, *arguments: str, code: int = 0) -> dict[str, Any]:
    ran = bench.run("macsec", "rotate", LINK, "--json", *arguments, timeout=90)
    assert ran.returncode == code, ran.stderr + ran.stdout
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def lost(document: dict[str, Any]) -> list[int]:
    assert all(lane["sent"] > 20 for lane in document["directions"])
    return [lane["lost"] for lane in document["directions"]]


def ping(bench: Bench, target: str, *options: str) -> subprocess.Popen[str]:
    return bench.start("exec", "ce", "--", "ping", "-q", *options, target)


def loss(running: subprocess.Popen[str]) -> str:
    """The packet loss that ping tells, as `0%`."""
    said, errors = running.communicate(timeout=120)
    found = re.search(r"([\d.]+)% packet loss", said)
    assert found is not None, said + errors
    return found.group(1)


def caks_alone(bench: Bench) -> Path:
    """A key log with nothing of the lab's but the CAKs."""
    lines = (bench.folder("macsec-pair") / "keys.jsonl").read_text().splitlines(keepends=True)
    path = bench.topologies / "caks.jsonl"
    path.write_text("".join(line for line in lines if json.loads(line)["type"] == "mka-cak"))
    return path


def test_a_pair_is_secured_and_proven_from_its_cak_alone(bench: Bench) -> None:
    ran = bench.run("up", "macsec-pair")
    assert (ran.returncode, "not secured" in ran.stderr) == (0, False), ran.stderr
    found = ends(bench)
    assert {end["key_server"] for end in found.values()} == {"ce"} or {end["key_server"] for end in found.values()} == {
        "msee1"
    }
    for node, end in found.items():
        assert (end["secured"], end["trouble"], end["an"], end["key_number"]) == (True, None, 0, 1)
        assert end["members"] == [node, *({"ce", "msee1"} - {node})]
        assert end["seconds_at_line_rate"] > 1e12
        assert end["sak_age"] >= 0
    shown = bench.ok("macsec", "status")
    assert "73,418 years" in shown
    assert shown.count("secured") == 2

    ran = bench.run("prove", "--json")
    assert ran.returncode == 0, ran.stdout
    assert f"from CAK and CKN alone: {LINK}" in ran.stderr
    (segment,) = json.loads(ran.stdout)["segments"]
    assert segment["macsec"]["authenticated"] > 50
    assert segment["mka"]["authenticated"] >= 4
    assert [segment[protocol]["no_key"] + segment[protocol]["failed"] for protocol in ("macsec", "mka")] == [0, 0]
    assert "cleartext" not in segment["census"]
    assert bench.run("prove", "--with-saks").returncode == 0

    # Outside of the lab, and after it: the capture and the CAK are enough; a MKPDU with one bit flipped is found.
    bench.ok("down")
    capture = bench.folder("macsec-pair") / "captures" / f"{LINK}.pcapng"
    keys = str(caks_alone(bench))
    assert bench.run("verify", str(capture), "--keys", keys, "--expect", f"{LINK}=macsec").returncode == 0
    number = tamper(capture, bench.topologies / "tampered.pcap")
    ran = bench.run("verify", str(bench.topologies / "tampered.pcap"), "--keys", keys, "--json")
    assert ran.returncode == 1, ran.stdout
    (segment,) = json.loads(ran.stdout)["segments"]
    (finding,) = [finding for finding in segment["findings"] if finding["code"].startswith("mka")]
    assert finding["frames"] == [number]
    assert segment["mka"]["failed"] == 1


def tamper(source: Path, target: Path) -> int:
    """Copy a capture, as a pcap, with a bit of its last MKPDU flipped; give that frame's number."""
    with open_capture(source) as capture:
        frames = [frame.octets for frame in capture]
    number = max(number for number, octets in enumerate(frames, 1) if octets[12:14] == EAPOL)
    frames[number - 1] = frames[number - 1][:-1] + bytes([frames[number - 1][-1] ^ 1])
    records = [struct.pack("<IIII", 0, 0, len(octets), len(octets)) + octets for octets in frames]
    target.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    return number


@pytest.mark.parametrize(
    ("mistake", "troubles"),
    [
        ("cak: https://kv-wireproof.vault.azure.net/secrets/other", {"cak"}),
        ("ckn: https://kv-wireproof.vault.azure.net/secrets/other", {"ckn"}),
        ("cipher: GcmAes256", {"cipher-suite", "sak-not-taken"}),
        ("sci_state: Disabled", {"sci-state"}),
    ],
)
def test_a_mistake_keeps_the_link_down_and_is_named(bench: Bench, mistake: str, troubles: set[str]) -> None:
    file = write(
        bench,
        ("    link1-cak: {random: 32}\n", "    link1-cak: {random: 32}\n    other: {random: 32}\n"),
        ("      # Both ends", f"      mistakes: {{msee1: {{{mistake}}}}}\n      # Both ends"),
    )
    ran = bench.run("up", file)
    assert ran.returncode == 0, ran.stderr
    assert "msee1 was told otherwise" in ran.stderr
    if mistake.startswith("sci_state"):  # MKA does not speak of it: the first frame shows it
        assert loss(ping(bench, "172.16.0.2", "-c", "3", "-i", "0.2", "-W", "1")) == "100"
    else:
        assert f"warning: {LINK} is not secured: " in ran.stderr
    # A key server knows only after a life time that its SAK is not taken; of SCIs each end knows when it sees one.
    until(lambda: {end["trouble"] for end in ends(bench).values()} - {None} == troubles)
    assert loss(ping(bench, "172.16.0.2", "-c", "3", "-i", "0.2", "-W", "1")) == "100"
    ran = bench.run("macsec", "status")
    assert ran.returncode == 1
    assert all(trouble in ran.stderr for trouble in troubles)
    ran = bench.run("prove", "--timeout", "1", "--json")
    assert ran.returncode in (1, 2)
    (segment,) = json.loads(ran.stdout)["segments"]
    assert set(segment["census"]) <= {"mka", "macsec-encrypted"}  # not one clear frame


def test_azures_change_loses_frames_until_both_ends_have_it(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    before = ends(bench)["ce"]["ckn"]
    half = rotate(bench, "--only", "ce")
    assert (half["changed_at"], half["secured"], half["change"]) == (["ce"], False, "azure")
    assert all(lane["lost"] > lane["sent"] // 2 for lane in half["directions"])
    found = ends(bench)
    assert (found["ce"]["secured"], found["ce"]["trouble"]) == (False, "ckn")
    rest = rotate(bench)
    assert (rest["changed_at"], rest["secured"], rest["ckn"]) == (["msee1"], True, half["ckn"])
    assert half["ckn"] != before
    assert [end["ckns"] for end in ends(bench).values()] == [[half["ckn"]]] * 2

    slow = rotate(bench, "--pause", "1")
    assert slow["changed_at"] == ["ce", "msee1"]
    assert all(lane["longest_gap"] > 0.5 for lane in slow["directions"])
    assert slow["seconds"] > 1
    ran = bench.run("prove", "--json")  # over all of it, from three CAKs alone
    assert ran.returncode == 0, ran.stdout


def test_a_hitless_change_loses_nothing_and_half_of_it_changes_nothing(bench: Bench) -> None:
    bench.ok("up", with_hitless(bench))
    before = ends(bench)["ce"]["ckn"]
    half = rotate(bench, "--only", "msee1")
    assert (half["changed_at"], half["secured"], lost(half)) == (["msee1"], True, [0, 0])
    assert {end["ckn"] for end in ends(bench).values()} == {before}
    rest = rotate(bench, "--run-on", "4")
    assert (rest["changed_at"], rest["secured"], lost(rest)) == (["ce"], True, [0, 0])
    assert rest["ckn"] == half["ckn"]
    assert [end["ckns"] for end in ends(bench).values()] == [[rest["ckn"]]] * 2
    assert lost(rotate(bench, "--pause", "0.5")) == [0, 0]
    assert bench.run("prove").returncode == 0


def test_a_fresh_sak_loses_nothing(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    document = rotate(bench, "--rekey", "--run-on", "4")
    assert (document["secured"], lost(document)) == (True, [0, 0])
    assert [(end["an"], end["key_number"]) for end in ends(bench).values()] == [(1, 2)] * 2
    assert bench.run("prove").returncode == 0


def test_a_vault_that_refuses_is_named_and_the_link_keeps_its_key(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    before = ends(bench)["ce"]["ckn"]
    vault = ("vault", "--lab", "macsec-pair")
    bench.ok(*vault, "firewall", "kv-wireproof", "on")
    ran = bench.run("macsec", "rotate", LINK)
    assert (ran.returncode, f"{LINK} keeps its key: the firewall" in ran.stderr) == (3, True), ran.stderr
    bench.ok(*vault, "firewall", "kv-wireproof", "off")
    bench.ok(*vault, "access", "kv-wireproof", "operator", "get")
    ran = bench.run("macsec", "rotate", LINK)
    assert (ran.returncode, "identity operator lacks set" in ran.stderr) == (3, True), ran.stderr
    bench.ok(*vault, "access", "kv-wireproof", "operator", "get", "set", "list")
    bench.ok(*vault, "rotate", "kv-wireproof", "link1-cak")
    bench.ok(*vault, "attributes", "kv-wireproof", "link1-cak", "--disable")
    ran = bench.run("macsec", "rotate", LINK)
    assert (ran.returncode, "is disabled" in ran.stderr) == (3, True), ran.stderr
    assert {end["ckn"] for end in ends(bench).values()} == {before}
    assert all(end["secured"] for end in ends(bench).values())

    # What the vault holds is applied when somebody says so, and not before.
    bench.ok(*vault, "attributes", "kv-wireproof", "link1-cak", "--enable")
    document = rotate(bench)
    assert (document["changed_at"], document["ckn"]) == (["ce", "msee1"], before)  # a new CAK under the old name
    for what in (("--ckn", "foo"), ("--only", "nobody"), ("--rekey", "--only", "ce")):
        assert bench.run("macsec", "rotate", LINK, *what).returncode == 3
    assert bench.run("macsec", "rotate", "ce--msee").returncode == 3


def test_no_secret_is_in_events_logs_or_status(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    rotate(bench)
    folder = bench.folder("macsec-pair")
    keys = [json.loads(line) for line in (folder / "keys.jsonl").read_text().splitlines()]
    secrets = [key.get("sak") or key["cak"] for key in keys]
    assert len(secrets) == 6
    said = [bench.ok("status", "--json"), bench.ok("macsec", "status", "--json"), bench.ok("events", "--json")]
    said += [path.read_text() for path in (*folder.glob("logs/*"), folder / "events.jsonl", folder / "holder.json")]
    assert not any(secret in text for secret in secrets for text in said)


def test_pns_near_their_end_roll_over_without_loss(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ok("up", write(bench, ("cipher: GcmAesXpn256", "cipher: GcmAes256")))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(bench.runtime))
    with Client(LabFolder.of("macsec-pair")) as client:
        for node, verb in (("msee1", "expect-pn"), ("ce", "skip-pns")):
            command = {"part": LINK, "verb": verb, "next_pn": PENDING_PN - 100}
            client.ask("command", node=node, command=command)
    running = ping(bench, "172.16.0.2", "-c", "400", "-i", "0.01", "-W", "5")
    until(lambda: {end["an"] for end in ends(bench).values()} == {1})
    assert loss(running) == "0"
    assert "pn-threshold" in bench.ok("events")
    assert all(end["next_pn"] < 1000 for end in ends(bench).values())


def test_rotating_one_link_costs_the_traffic_of_the_other_nothing(bench: Bench) -> None:
    bench.ok("up", "expressroute-direct")
    running = ping(bench, "172.16.0.6", "-c", "300", "-i", "0.01", "-W", "5")
    document = rotate(bench, "--pause", "1")
    assert document["secured"]
    assert all(lane["lost"] > 0 for lane in document["directions"])
    assert loss(running) == "0"
    assert all(end["secured"] for end in ends(bench, "ce--msee2").values())


def test_a_cut_link_is_closed_and_secured_again_once_mended(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    bench.ok("link", LINK, "down")
    until(lambda: all(end["trouble"] == "silence" for end in ends(bench).values()))
    bench.ok("link", LINK, "up")
    until(lambda: all(end["secured"] for end in ends(bench).values()))
    assert loss(ping(bench, "172.16.0.2", "-c", "3", "-i", "0.2", "-W", "5")) == "0"
    assert bench.run("prove").returncode == 0


def test_the_cak_of_a_users_vault_is_logged_when_that_is_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WIREPROOF_VAULTS", str(tmp_path / "vaults"))
    bench.ok("vault", "create", "kv-own")
    for secret, kind in (("ckn", ("--ckn",)), ("cak", ("--cak", "GcmAesXpn256"))):
        bench.ok("vault", "set", "kv-own", secret, "--random", *kind)
    file = write(
        bench,
        ("kv-wireproof.vault.azure.net/secrets/link1-ckn", "kv-own.vault.azure.net/secrets/ckn"),
        ("kv-wireproof.vault.azure.net/secrets/link1-cak", "kv-own.vault.azure.net/secrets/cak"),
    )
    for options, types in (((), {"macsec-sak"}), (("--log-cak",), {"macsec-sak", "mka-cak"})):
        bench.ok("up", file, *options)
        rotate(bench)
        keys = (bench.folder("macsec-pair") / "keys.jsonl").read_text().splitlines()
        assert {json.loads(key)["type"] for key in keys} == types
        # Without the CAK nobody can say that MKPDUs are authentic.
        assert bench.run("prove").returncode == (0 if options else 2)
        bench.ok("down")
    assert bench.ok("vault", "audit", "kv-own").count("get") >= 4
