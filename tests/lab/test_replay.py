"""Recorded frames back on the wire that they came from: discarded, each by name; or delivered, and found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab

WIRE = "ce--msee1"
PEER = "172.16.0.2"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    """A lab with a replay window of 0, and what its wire has carried."""
    yield from _lab(tmp_path_factory.mktemp("replay"), "macsec-static")


def _lab(folder: Path, file: str) -> Iterator[tuple[Bench, Path]]:
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    made = Bench(runtime=runtime, topologies=folder)
    made.ok("up", file)
    made.run("exec", "ce", "--", "ping", "-q", "-c", "40", "-i", "0.01", "-s", "300", PEER)
    capture = folder / "recorded.pcapng"
    made.ok("capture", WIRE, "-w", str(capture), "--now")
    yield made, capture
    made.run("down", "--all")


def replayed(bench: Bench, capture: Path, *options: str, code: int = 0) -> dict[str, Any]:
    ran = bench.run("replay", str(capture), "--into", WIRE, "--json", *options, timeout=120)
    assert ran.returncode == code, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("pace", ["topspeed", "original", "multiply=3"])
def test_every_recorded_frame_is_discarded_by_the_anti_replay_rule(recorded: tuple[Bench, Path], pace: str) -> None:
    bench, capture = recorded
    found = replayed(bench, capture, "--at", pace)
    assert found["sent"] >= 80
    assert found["fates"] == {"InPktsLate": found["sent"]}
    senders = Counter(frame["from"] for frame in found["frames"])
    assert senders["ce"] + senders["msee1"] == found["sent"]
    assert found["totals"]["msee1"]["InPktsLate"] == senders["ce"]
    assert found["totals"]["ce"]["InPktsLate"] == senders["msee1"]
    assert found["findings"] == []
    assert [frame["number"] for frame in found["frames"]] == list(range(1, found["sent"] + 1))


def test_frame_by_frame_each_is_named_also_while_others_talk(recorded: tuple[Bench, Path]) -> None:
    bench, capture = recorded
    found = replayed(bench, capture, "--at", "rate=25", "--frames", "5-12", "--from", "ce")
    assert found["attribution"] == "frame by frame"
    assert found["sent"] + found["skipped"].get("sent by the other end", 0) == 8
    assert {frame["fate"] for frame in found["frames"]} == {"InPktsLate"}
    talking = bench.start("exec", "ce", "--", "ping", "-q", "-i", "0.003", "-c", "4000", PEER)
    found = replayed(bench, capture, "--at", "rate=25", "--frames", "1-20")
    talking.kill()
    talking.communicate()
    assert found["fates"] == {"InPktsLate": 20}
    assert found["findings"] == []
    assert found["totals"]["msee1"]["InPktsOK"] > 20


def test_it_reads_well(recorded: tuple[Bench, Path]) -> None:
    bench, capture = recorded
    ran = bench.run("replay", str(capture), "--into", WIRE, "--at", "topspeed", "--from", "ce")
    assert ran.returncode == 0
    assert "InPktsLate" in ran.stdout
    assert "attributed by totals" in ran.stderr
    assert "frames not sent: sent by the other end" in ran.stderr
    nothing = bench.run("replay", str(capture), "--into", WIRE, "--frames", "100000-100001")
    assert (nothing.returncode, "0 frames sent" in nothing.stderr) == (2, True)


def test_a_replay_goes_past_impairments(recorded: tuple[Bench, Path]) -> None:
    bench, capture = recorded
    bench.ok("impair", WIRE, "set", "loss=100%")
    found = replayed(bench, capture, "--at", "topspeed", "--frames", "1-10")
    bench.ok("impair", WIRE, "clear")
    assert found["fates"] == {"InPktsLate": 10}


def test_with_the_window_wide_open_recorded_frames_are_delivered_and_that_is_a_finding(tmp_path: Path) -> None:
    text = (ROOT / "topologies" / "macsec-static.yaml").read_text()
    path = tmp_path / "wide.yaml"
    path.write_text(
        text.replace("name: macsec-static", "name: wide").replace(
            "      sci_state: Enabled\n", "      sci_state: Enabled\n      replay_window: 1000000\n"
        )
    )
    for bench, capture in _lab(tmp_path, str(path)):
        found = replayed(bench, capture, "--at", "topspeed", code=1)
        assert found["fates"] == {"InPktsOK": found["sent"]}
        assert all(frame["accepted"] for frame in found["frames"])
        (finding,) = found["findings"]
        assert (finding["code"], finding["severity"]) == ("replay-accepted", "critical")
        assert finding["frames"] == [frame["number"] for frame in found["frames"]]
        ran = bench.run("replay", str(capture), "--into", WIRE, "--at", "rate=30", "--frames", "1-3")
        assert ran.returncode == 1
        assert "critical replay-accepted: 3 macsec frames from a recording accepted (InPktsOK)" in ran.stderr
        kernel = bench.run("exec", "msee1", "--", "cat", "/proc/net/snmp").stdout
        assert int(kernel.split("Icmp: ")[2].split()[0]) > 40, "the kernel has seen recorded pings once more"


def test_another_labs_recording_is_not_authentic(recorded: tuple[Bench, Path], bench: Bench) -> None:
    """The same names give the same SCI, but keys are made anew at each `up`; these PNs would be new enough."""
    _, capture = recorded
    bench.ok("up", "macsec-static")
    found = replayed(bench, capture, "--at", "topspeed")
    assert found["fates"] == {"InPktsNotValid": found["sent"]}
    assert found["findings"] == []


def test_on_a_wire_without_a_driver_the_kernel_tells(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    bench.ok("exec", "n0", "--", "ping", "-q", "-c", "3", "-i", "0.01", "10.0.0.2")
    capture = bench.topologies / "plain.pcapng"
    bench.ok("capture", "n0--n1", "-w", str(capture), "--now")
    ran = bench.run("replay", str(capture), "--into", "n0--n1", "--at", "topspeed", "--from", "n0", "--json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["fates"]) == (0, {"left to the kernel": found["sent"]})
    assert found["totals"]["n1"]["IcmpInEchos"] == 3
