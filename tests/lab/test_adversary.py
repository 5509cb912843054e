"""A man in the middle of a wire of a lab: what he does, what becomes of it, and that he leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.replay.forge import MARK
from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab

WIRE = "ce--msee1"
PEER = "172.16.0.2"
WITHOUT_NFT = """
import os
import lab.host.programs as programs
programs._PLACES, os.environ["PATH"] = (), ""
from lab.cli.main import main
main()
"""

Report = dict[str, Any]


def ping(bench: Bench, *, count: int = 30, node: str = "ce", target: str = PEER, every: float = 0.01) -> int:
    """How many of so many pings were answered, each at most once."""
    ran = bench.run("exec", node, "--", "ping", "-q", "-c", str(count), "-i", str(every), "-W", "0.5", target)
    return int(ran.stdout.split(" received")[0].split()[-1])


def is_whole(bench: Bench) -> bool:
    """Whether every ping is answered, once neighbours that an attack kept apart have found each other."""
    _wait_until(lambda: ping(bench, count=1) == 1)
    return ping(bench, count=20) == 20


def trace(bench: Bench, nodes: tuple[str, ...] = ("ce", "msee1")) -> list[str]:
    """All that could be left: devices with their numbers and peers, rules, and a man in the middle."""
    script = "ip -o link | cut -d ' ' -f 1-3; /usr/sbin/nft list ruleset"
    found = [bench.ok("exec", node, "--", "sh", "-ec", script) for node in nodes]
    return [*found, str(json.loads(bench.run("status", "--json").stdout)["spliced"])]


def attacked(bench: Bench, kind: str, *options: str, traffic: Callable[[], object] | None = None) -> Report:
    """What comes of an attack under some traffic: its report."""
    bench.ok("attack", WIRE, kind, *options, "--background")
    (traffic or (lambda: ping(bench)))()
    ran = bench.run("attack", WIRE, "stop", "--json")
    assert ran.returncode in (0, 2), ran.stderr
    (report,) = json.loads(ran.stdout)
    return dict(report)


def counted(report: Report, node: str) -> dict[str, int]:
    """What a receiver counted, but for what it found good."""
    receiver = report["receivers"][node]
    assert receiver["driver"]
    return {name: count for name, count in receiver["counters"].items() if name not in ("frames", "InPktsOK")}


def did(report: Report) -> dict[str, int]:
    """What was done, in both directions together."""
    total: Counter[str] = Counter()
    for part in report["done"].values():
        total.update(part["did"])
    return dict(total)


@contextmanager
def watched(bench: Bench, found: dict[str, Counter[str]]) -> Iterator[None]:
    """Watch both controlled ports meanwhile: what nodes gave to be sent, and what was delivered to them."""
    watchers = {
        node: bench.start("exec", node, "--", sys.executable, "-m", "tests.lab.watch", "link1.sec")
        for node in ("ce", "msee1")
    }
    for watcher in watchers.values():
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
    yield
    for node, watcher in watchers.items():
        watcher.send_signal(signal.SIGTERM)
        out, err = watcher.communicate(timeout=20)
        assert not err, err
        for line in out.splitlines():
            way, octets = line.split()
            assert MARK.hex() not in octets
            # What TCP and UDP send has its checksum, and TCP's super-frames their cut, only below: ARP and ICMP are
            # whole at once.
            if octets[24:28] == "0806" or octets[46:48] == "01":
                found.setdefault(f"{node} {way}", Counter())[octets] += 1


def prove(bench: Bench) -> Report:
    """The verdict on the wire."""
    ran = bench.run("prove", "--json", timeout=120)
    assert ran.returncode in (0, 1, 2), ran.stderr
    (segment,) = json.loads(ran.stdout)["segments"]
    return dict(segment)


def frames_of(segment: Report, code: str) -> int:
    return sum(len(finding["frames"]) for finding in segment["findings"] if finding["code"] == code)


HALF = ("--percent", "50", "--seed", "3")


def test_attacks_that_forge_nothing_leave_a_proven_wire(bench: Bench) -> None:
    """Frames are lost or late at most; none comes twice, and the verdict has nothing to find."""
    bench.ok("up", "macsec-static")
    before = trace(bench)
    seen: dict[str, Counter[str]] = {}
    with watched(bench, seen):
        for kind, counter, dropped in (
            ("replay", "InPktsLate", 0),
            ("duplicate", "InPktsLate", 0),
            ("delay", "InPktsLate", None),
            ("reorder", "InPktsLate", None),
            ("drop", None, None),
        ):
            report = attacked(bench, kind, *HALF)
            (done,) = did(report).values()
            late = [counted(report, node).get("InPktsLate", 0) for node in ("ce", "msee1")]
            assert done >= 10, report
            if counter is None:
                assert late == [0, 0]
            else:
                assert 0 < sum(late) <= done
                assert all(set(counted(report, node)) <= {counter} for node in ("ce", "msee1"))
            if dropped is not None:
                assert sum(late) == done, "each that came once more is discarded"
    for source, target in (("ce", "msee1"), ("msee1", "ce")):
        assert seen[f"{target} in"] <= seen[f"{source} out"], "only what was sent is delivered, and not twice"
        assert sum(seen[f"{target} in"].values()) > 50
    assert is_whole(bench)
    assert trace(bench) == before
    assert prove(bench)["verdict"] == "proven"


def test_what_is_forged_is_discarded_by_name_and_found_by_the_verdict(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    before = trace(bench)
    seen: dict[str, Counter[str]] = {}
    with watched(bench, seen):
        tampered = attacked(bench, "tamper", *HALF)
        first = prove(bench)
        injected = attacked(bench, "inject-clear", "--wait", "5ms")
        second = prove(bench)
        stripped = attacked(bench, "strip", *HALF)
        third = prove(bench)
    assert sum(counted(tampered, node)["InPktsNotValid"] for node in ("ce", "msee1")) == did(tampered)["tampered"] > 5
    assert first["verdict"] == "violated"
    assert frames_of(first, "macsec-failed") == did(tampered)["tampered"]

    forged = did(injected)
    assert sum(counted(injected, node)["InPktsNoTag"] for node in ("ce", "msee1")) == forged["forged clear"] > 10
    assert sum(counted(injected, node)["InPktsNotValid"] for node in ("ce", "msee1")) == forged["forged protected"] > 5
    assert second["census"]["cleartext"]["frames"] == forged["forged clear"]
    assert frames_of(second, "cleartext") == forged["forged clear"]

    assert sum(counted(stripped, node)["InPktsNoTag"] for node in ("ce", "msee1")) == did(stripped)["stripped"] > 5
    assert third["frames"] - third["macsec"]["authenticated"] - third["macsec"]["failed"] == (
        forged["forged clear"] + did(stripped)["stripped"]
    )
    for source, target in (("ce", "msee1"), ("msee1", "ce")):
        assert seen[f"{target} in"] <= seen[f"{source} out"], "no forged octet is delivered"
    assert is_whole(bench)
    assert trace(bench) == before


def test_nothing_passes_a_man_who_spoils_everything_and_all_does_when_he_has_gone(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    ping(bench, count=1)
    for kind in ("drop", "tamper", "strip"):
        answered: list[int] = []
        attacked(bench, kind, traffic=lambda answered=answered: answered.append(ping(bench, count=5)))  # type: ignore[misc]
        assert answered == [0], kind
        assert is_whole(bench), kind


def test_one_direction_and_a_count_and_a_duration(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    ping(bench, count=1)  # neighbours know each other
    report = attacked(bench, "tamper", "--direction", "msee1", "--count", "4")
    assert set(report["done"]) == {"b_to_a"}
    assert counted(report, "ce") == {"InPktsNotValid": 4}
    assert counted(report, "msee1") == {}
    pings = bench.start("exec", "ce", "--", "ping", "-q", "-i", "0.01", "-c", "2000", PEER)
    ended = bench.ok("attack", WIRE, "drop", "--direction", "ce", "--count", "3", "--json")
    assert did(json.loads(ended)[0]) == {"dropped": 3}
    ended = bench.ok("attack", WIRE, "replay", "--duration", "300ms", "--wait", "20ms", "--percent", "20", "--json")
    assert json.loads(ended)[0]["why"] == "done"
    pings.kill()
    pings.communicate()
    shown = bench.run("attack", WIRE, "downgrade", "--duration", "50ms")
    assert shown.returncode == 2
    assert "nothing was done: no frame came that the attack concerns" in shown.stderr
    assert bench.run("attack", "list").stderr == "no attack\n"


def test_the_same_seed_makes_the_same_attack(bench: Bench) -> None:
    """Of the same number of frames the same are chosen; how many those are shows it."""
    bench.ok("up", "macsec-static")
    ping(bench, count=1)

    def dropped(seed: int) -> int:
        report = attacked(
            bench, "tamper", "--direction", "ce", "--percent", "30", "--seed", str(seed),
            traffic=lambda: bench.run("exec", "ce", "--", "ping", "-q", "-c", "40", "-i", "0.01", "-W", "1", PEER),
        )  # fmt: skip
        assert report["done"]["a_to_b"]["seen"]["macsec"] >= 40
        return did(report)["tampered"]

    assert 2 < dropped(1) < 30


def test_several_attacks_and_impairments_share_a_man_in_the_middle(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    assert is_whole(bench)  # the ends know each other: else a lost question is all that there is to attack
    before = trace(bench)
    bench.ok("attack", WIRE, "tamper", "--percent", "20", "--background")
    bench.ok("attack", WIRE, "drop", "--percent", "20", "--direction", "ce", "--background")
    bench.ok("impair", WIRE, "set", "delay=5ms")
    ping(bench)
    listed = json.loads(bench.ok("attack", "list", "--json"))[WIRE]
    assert [(each["attack"], each["kind"]) for each in listed["attacks"]] == [(1, "tamper"), (2, "drop")]
    status = bench.run("status")
    assert f"a man in the middle of {WIRE}" in status.stderr
    bench.ok("attack", WIRE, "stop", "--attack", "1")
    ran = bench.run("attack", WIRE, "stop", "--attack", "1")
    assert (ran.returncode, ran.stderr) == (3, f"wireproof: there is no attack 1 on {WIRE}; there are 2\n")
    reports = json.loads(bench.ok("attack", WIRE, "stop", "--json"))
    assert [report["attack"] for report in reports] == [2]
    assert json.loads(bench.ok("status", "--json"))["spliced"] == [WIRE]
    bench.ok("impair", WIRE, "clear")
    assert is_whole(bench)
    _wait_until(lambda: trace(bench) == before)


def test_an_attack_in_the_foreground_ends_with_its_command(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    before = trace(bench)
    interrupted = bench.start("attack", WIRE, "tamper", "--json")
    _wait_until(lambda: '"attacks": [{' in bench.ok("attack", "list", "--json"))
    ping(bench, count=3)
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 0, err
    (report,) = json.loads(out)
    assert report["why"] == "stopped"
    assert counted(report, "msee1")["InPktsNotValid"] >= 1
    killed = bench.start("attack", WIRE, "drop")
    _wait_until(lambda: '"attacks": [{' in bench.ok("attack", "list", "--json"))
    killed.kill()
    killed.communicate()
    _wait_until(lambda: trace(bench) == before)
    assert is_whole(bench)
    events = [json.loads(line) for line in bench.ok("events", "--json").splitlines()]
    ends = [(event["kind"], event["why"]) for event in events if event["event"] == "attack-ended"]
    assert ends == [("tamper", "stopped"), ("drop", "its command went away")]


def test_a_man_in_the_middle_who_is_killed_is_told_of_and_the_wire_restored(bench: Bench) -> None:
    bench.ok("up", "macsec-static")
    before = trace(bench)
    waiting = bench.start("attack", WIRE, "drop")
    _wait_until(lambda: '"attacks": [{' in bench.ok("attack", "list", "--json"))
    os.kill(_process(bench, f"adversary.{WIRE}"[:15]), signal.SIGKILL)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 1
    assert "ended (killed by SIGKILL)" in err
    _wait_until(lambda: "wire-restored" in bench.ok("events"))
    assert trace(bench) == before
    assert is_whole(bench)
    status = bench.run("status", "--json")
    assert (status.returncode, json.loads(status.stdout)["failed"]) == (1, [f"adversary.{WIRE}"])
    # And another one can come.
    assert did(attacked(bench, "tamper", "--count", "1"))["tampered"] >= 1


def _process(bench: Bench, name: str) -> int:
    for pid in bench.processes():
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            return pid
    raise AssertionError(f"there is no process {name}")


def test_both_links_of_a_pair_are_judged_apart(bench: Bench) -> None:
    """Tags are inside the SecTAG here, and the other link's traffic is nobody's business."""
    bench.ok("up", "expressroute-direct")
    nodes = ("ce", "msee1", "msee2")
    before = trace(bench, nodes)
    traffic = bench.start("prove")
    bench.ok("attack", WIRE, "inject-clear", "--duration", "1s", "--wait", "20ms")
    traffic.communicate(timeout=120)
    ran = bench.run("prove", "--json", timeout=120)
    verdicts = {each["segment"]: each["verdict"] for each in json.loads(ran.stdout)["segments"]}
    assert (verdicts.pop(WIRE), set(verdicts.values())) == ("violated", {"proven"})
    assert trace(bench, nodes) == before


def test_on_a_wire_without_protection_what_is_forged_is_delivered(bench: Bench) -> None:
    """The positive control: this is what MACsec keeps away."""
    bench.ok("up", bench.chain(2))
    bench.ok("attack", "n0--n1", "inject-clear", "--count", "5", "--direction", "n0", "--wait", "1ms", "--json")
    report = json.loads(bench.ok("attack", "n0--n1", "inject-clear", "--count", "5", "--wait", "1ms", "--json"))[0]
    assert not report["receivers"]["n1"]["driver"]
    assert report["receivers"]["n1"]["counters"]["UdpNoPorts"] == 5
    before = ping(bench, node="n0", target="10.0.0.2", count=5)
    assert before == 5
    ran = bench.run("attack", "n0--n1", "tamper", "--duration", "50ms")
    assert ran.returncode == 2, "there is nothing protected to tamper with"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("attack", "nope", "drop"), 3, "there is no segment 'nope'; there are ce--msee1"),
        (("attack", WIRE, "steal"), 3, "there is no attack 'steal'; write one of replay, tamper"),
        (("attack", WIRE), 3, "an attack is missing; write one of"),
        (("attack", WIRE, "drop", "--percent", "0"), 3, "a share is more than 0%"),
        (("attack", WIRE, "drop", "--duration", "5"), 3, "--duration: '5' is not a time, as in 20ms"),
        (("attack", WIRE, "drop", "--wait", "1s"), 3, "drop waits for nothing"),
        (("attack", WIRE, "drop", "--direction", "up"), 3, "there is no direction 'up'; write one of both, a_to_b"),
        (("attack", WIRE, "drop", "--until-stopped", "--count", "1"), 3, "--until-stopped is neither"),
        (("attack", WIRE, "stop"), 3, "there is no attack on ce--msee1"),
        (("impair", WIRE, "set"), 3, "set what?"),
        (("impair", WIRE, "set", "delay"), 3, "'delay' is no field with a value"),
        (("impair", WIRE, "set", "delay=1"), 3, "'delay': '1' is not a time"),
        (("impair", WIRE, "show", "delay=1ms"), 3, "`show` takes no fields"),
        (("impair", "nope"), 3, "there is no segment 'nope'"),
        (("replay", "/nope.pcapng", "--into", WIRE), 3, "/nope.pcapng: the capture cannot be read"),
        (("replay", "/nope.pcapng", "--into", "nope"), 3, "there is no segment 'nope'"),
        (("replay", "/nope.pcapng", "--into", WIRE, "--from", "x"), 3, "'x' is no end of ce--msee1"),
        (("replay", "/nope.pcapng", "--into", WIRE, "--at", "once"), 3, "'once' is no pace"),
        (("replay", "/nope.pcapng", "--into", WIRE, "--frames", "x"), 3, "'x' names no frames"),
    ],
)
def test_what_makes_no_sense_is_said(standing: Bench, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = standing.run(*arguments)
    assert (ran.returncode, said in ran.stderr) == (code, True), ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A lab for those who change nothing."""
    folder = tmp_path_factory.mktemp("standing")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    made = Bench(runtime=runtime, topologies=folder)
    made.ok("up", "macsec-static")
    yield made
    made.run("down", "--all")


def without_nft(bench: Bench, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_NFT, *arguments],
        env=bench.environment, cwd=ROOT, text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip


def test_without_nft_a_lab_stands_and_what_needs_it_is_told(bench: Bench) -> None:
    assert without_nft(bench, "up", "macsec-static").returncode == 0
    before = trace(bench)
    for arguments in (("attack", WIRE, "drop"), ("impair", WIRE, "set", "loss=1%")):
        ran = bench.run(*arguments)
        assert ran.returncode == 4
        assert "there is no nft command" in ran.stderr
        assert "fix: sudo apt-get install --no-install-recommends nftables" in ran.stderr
    _wait_until(lambda: trace(bench) == before)
    assert is_whole(bench)
    bench.ok("down")
    path = bench.topologies / "impaired.yaml"
    path.write_text(_impaired("{a_to_b: {delay: 20ms}}"))
    ran = without_nft(bench, "up", str(path))
    assert ran.returncode == 4
    assert "this topology has impairments, and nft is not installed" in ran.stderr
    assert not bench.folder("impaired").exists()
    needs = {need["name"]: need for need in json.loads(without_nft(bench, "doctor", "--json").stdout)["needs"]}
    assert needs["nftables"]["verdict"] == "limited"


def _impaired(impairments: str) -> str:
    text = (ROOT / "topologies" / "macsec-static.yaml").read_text()
    return text.replace("name: macsec-static", "name: impaired").replace(
        "    bandwidth: 100\n", f"    bandwidth: 100\n    impairments: {impairments}\n"
    )


def _wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
