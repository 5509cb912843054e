"""Impairments, measured where they are felt: delays, shares, rates, one way each; from the start on, or set live."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab

WIRE = "n0--n1"
PEER = "10.0.0.2"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two plain nodes, for all tests that leave the wire as they found it."""
    folder = tmp_path_factory.mktemp("impaired")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    made = Bench(runtime=runtime, topologies=folder)
    made.ok("up", made.chain(2))
    made.ok("exec", "n0", "--", "ping", "-q", "-c", "1", PEER)  # neighbours know each other
    yield made
    made.run("down", "--all")


def impaired(bench: Bench, *arguments: str, wire: str = WIRE) -> dict[str, Any]:
    """What `impair` says, by direction."""
    found: dict[str, Any] = json.loads(bench.ok("impair", wire, *arguments, "--json"))["lanes"]
    return found


def ping(bench: Bench, *options: str, node: str = "n0", target: str = PEER) -> tuple[int, list[float]]:
    """How many pings were answered, and their round trips in milliseconds."""
    ran = bench.run("exec", node, "--", "ping", "-W", "2", *options, target)
    return len(re.findall("bytes from", ran.stdout)), [
        float(each) for each in re.findall(r"time=([0-9.]+)", ran.stdout)
    ]


def test_a_delay_is_one_way_unless_set_both_ways(chain: Bench) -> None:
    lanes = impaired(chain, "set", "delay=80ms", "--direction", "n0")
    assert lanes["a_to_b"]["impairment"] == {"delay": 0.08}
    assert not lanes["b_to_a"]["spliced"]
    _, one_way = ping(chain, "-c", "5", "-i", "0.05")
    impaired(chain, "set", "delay=80ms")
    answered, both = ping(chain, "-c", "5", "-i", "0.05")
    assert 80 <= min(one_way) < 160
    assert answered == 5
    assert 160 <= min(both) < 320
    impaired(chain, "clear", "--direction", "n0")
    _, other_way = ping(chain, "-c", "5", "-i", "0.05")
    assert 80 <= min(other_way) < 160
    impaired(chain, "clear")
    _, direct = ping(chain, "-c", "5", "-i", "0.05")
    assert min(direct) < 80


def test_jitter_spreads_delays(chain: Bench) -> None:
    impaired(chain, "set", "delay=60ms", "jitter=50ms", "--direction", "n1", "--seed", "4")
    _, times = ping(chain, "-c", "20", "-i", "0.02")
    impaired(chain, "clear")
    assert min(times) >= 10
    assert max(times) - min(times) > 20


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_loss_is_as_large_as_said_and_in_its_direction_alone(chain: Bench, seed: int) -> None:
    impaired(chain, "set", "loss=20%", "--direction", "n0", "--seed", str(seed))
    answered, _ = ping(chain, "-c", "150", "-i", "0.004")
    lanes = impaired(chain, "show")
    impaired(chain, "clear")
    counters = lanes["a_to_b"]["counters"]
    assert counters["frames"] >= 150
    assert 0.08 < counters["lost"] / counters["frames"] < 0.32
    assert abs(150 - answered - counters["lost"]) <= 5  # a frame or two may have been a neighbour's question
    assert lanes["b_to_a"]["counters"]["frames"] == 0


def test_everything_else_is_counted_too(chain: Bench) -> None:
    impaired(chain, "set", "delay=10ms", "duplicate=50%", "reorder=30%", "--direction", "n0", "--seed", "1")
    answered, _ = ping(chain, "-c", "60", "-i", "0.004")
    counters = impaired(chain, "show")["a_to_b"]["counters"]
    assert answered > 70  # the doubles are answered as well
    assert 10 < counters["duplicated"] < 50
    assert 10 < counters["reordered"] < 60
    impaired(chain, "set", "corrupt=100%", "--direction", "n0")
    assert ping(chain, "-c", "5", "-i", "0.01")[0] < 5
    assert impaired(chain, "show")["a_to_b"]["counters"]["corrupted"] >= 5
    impaired(chain, "clear")
    assert ping(chain, "-c", "5", "-i", "0.01")[0] == 5


def test_a_rate_takes_its_time(chain: Bench) -> None:
    """Frames of 1,242 octets at 250 kbit/s take 40 ms each; who comes every 10 ms waits for those before."""
    impaired(chain, "set", "rate=250kbit", "--direction", "n0")
    _, times = ping(chain, "-c", "20", "-i", "0.002", "-s", "1200")
    impaired(chain, "clear")
    assert len(times) >= 5  # ping does not wait for those that come much later than the first
    assert min(times) >= 39
    assert times == sorted(times)
    assert 100 < max(times) < 2000


def test_what_is_shown_is_for_people(chain: Bench) -> None:
    impaired(chain, "set", "delay=20ms", "loss=0.5%", "--direction", "n1")
    shown = chain.ok("impair", WIRE)
    assert "n1 -> n0  delay 20ms loss 0.5%" in shown
    assert "n0 -> n1" not in shown
    ran = chain.run("impair", WIRE, "clear")
    assert (ran.returncode, ran.stderr) == (0, f"{WIRE}: nothing is impaired\n")
    assert chain.run("impair", WIRE, "clear").returncode == 0


def test_a_topologys_impairments_are_there_from_the_start_and_can_be_taken_away(bench: Bench) -> None:
    text = (ROOT / "topologies" / "macsec-static.yaml").read_text()
    path = bench.topologies / "impaired.yaml"
    path.write_text(
        text.replace("name: macsec-static", "name: impaired").replace(
            "    bandwidth: 100\n", "    bandwidth: 100\n    impairments: {a_to_b: {delay: 60ms}, seed: 3}\n"
        )
    )
    ran = bench.run("up", str(path))
    assert ran.returncode == 0, ran.stderr
    assert "  impairments  " in ran.stderr
    assert "impair, one way, from ce to msee1: delay 60ms" in bench.ok("plan", str(path))
    _, times = ping(bench, "-c", "3", "-i", "0.05", node="ce", target="172.16.0.2")
    assert 60 <= min(times) < 200
    assert json.loads(bench.ok("status", "--json"))["spliced"] == ["ce--msee1"]
    ran = bench.run("prove", "--json", timeout=120)
    assert json.loads(ran.stdout)["verdict"] == "proven", ran.stdout
    impaired(bench, "clear", wire="ce--msee1")
    _wait_until_direct(bench)
    _, times = ping(bench, "-c", "3", "-i", "0.05", node="ce", target="172.16.0.2")
    assert min(times) < 60
    for node in ("ce", "msee1"):
        left = bench.ok("exec", node, "--", "sh", "-ec", "ip -o link; /usr/sbin/nft list ruleset")
        assert ".mim" not in left
        assert "table" not in left


def _wait_until_direct(bench: Bench) -> None:
    deadline = time.monotonic() + 20
    while json.loads(bench.ok("status", "--json"))["spliced"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
