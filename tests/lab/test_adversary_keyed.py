"""A man in the middle where keys are negotiated: below MKA, and between two IPsec gateways."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Bench

pytestmark = pytest.mark.lab

MKA_WIRE = "ce--msee1"
ESP_WIRE = "vpn-device--ce"
GATEWAYS = ("vpn-device gateway", "vnet-gateway gateway")


def _standing(folder: Path, topology: str) -> Iterator[Bench]:
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    made = Bench(runtime=runtime, topologies=folder)
    made.ok("up", topology)
    yield made
    made.run("down", "--all")


@pytest.fixture(scope="module")
def circuit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Gateways with providers between, whose captures some tests spoil."""
    yield from _standing(tmp_path_factory.mktemp("circuit"), "expressroute-circuit")


def ping(bench: Bench, node: str, target: str, count: int = 20) -> int:
    ran = bench.run("exec", node, "--", "ping", "-q", "-c", str(count), "-i", "0.01", "-W", "0.5", target)
    return int(ran.stdout.split(" received")[0].split()[-1])


def stopped(bench: Bench, wire: str) -> dict[str, Any]:
    ran = bench.run("attack", wire, "stop", "--json")
    assert ran.returncode in (0, 2), ran.stderr
    (report,) = json.loads(ran.stdout)
    return dict(report)


def did(report: dict[str, Any], what: str) -> int:
    return sum(part["did"].get(what, 0) for part in report["done"].values())


def counted(report: dict[str, Any], name: str, receivers: tuple[str, ...] = GATEWAYS) -> int:
    return sum(report["receivers"][each]["counters"].get(name, 0) for each in receivers)


@pytest.mark.parametrize(
    ("kind", "did_what", "counter"),
    [
        ("tamper", "tampered", "InNotAuthentic"),
        ("replay", "replayed", "InReplayed"),
        ("inject-clear", "forged protected", "InNotAuthentic"),
    ],
)
def test_gateways_discard_what_is_not_theirs_by_name(circuit: Bench, kind: str, did_what: str, counter: str) -> None:
    assert ping(circuit, "onprem", "10.0.2.4", 3) == 3
    share = ("--wait", "10ms") if kind == "inject-clear" else ("--percent", "40", "--seed", "2")
    circuit.ok("attack", ESP_WIRE, kind, *share, "--background")
    answered = ping(circuit, "onprem", "10.0.2.4", 40)
    report = stopped(circuit, ESP_WIRE)
    assert counted(report, counter) == did(report, did_what) > 5
    assert (answered == 40) == (kind != "tamper")
    assert ping(circuit, "onprem", "10.0.2.4") == 20


def test_esp_that_is_stripped_gets_nowhere(circuit: Bench) -> None:
    """The payload is nonsense under the protocol that it is passed off as, and no gateway sees it."""
    circuit.ok("attack", ESP_WIRE, "strip", "--background")
    assert ping(circuit, "onprem", "10.0.2.4", 5) == 0
    report = stopped(circuit, ESP_WIRE)
    assert did(report, "stripped") >= 5
    assert counted(report, "ingress_packets") == 0
    assert ping(circuit, "onprem", "10.0.2.4") == 20


def test_recorded_esp_is_discarded_as_replayed_however_far_the_gateway_is(bench: Bench) -> None:
    bench.ok("up", "expressroute-circuit")
    ping(bench, "onprem", "10.0.2.4", 10)
    for wire in (ESP_WIRE, "ce--provider1", "ce--provider2"):
        capture = bench.topologies / "esp.pcapng"
        bench.ok("capture", wire, "-w", str(capture), "--now")
        found = _replayed(bench, capture, wire, "--at", "topspeed")
        esp = [frame for frame in found["frames"] if frame["kind"] == "esp"]
        assert {(frame["fate"], frame["exact"]) for frame in esp} <= {("InReplayed", True)}
        assert found["findings"] == []
        if wire == ESP_WIRE:
            assert len(esp) >= 20
            numbers = ",".join(str(frame["number"]) for frame in esp[:4])
            slowly = _replayed(bench, capture, wire, "--at", "rate=10", "--frames", numbers)
            assert slowly["attribution"] == "frame by frame"
            assert [frame["fate"] for frame in slowly["frames"]] == ["InReplayed"] * 4


def _replayed(bench: Bench, capture: Path, wire: str, *options: str) -> dict[str, Any]:
    ran = bench.run("replay", str(capture), "--into", wire, "--json", *options, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_tampered_tunnel_is_violated_on_every_segment_behind(bench: Bench) -> None:
    bench.ok("up", "expressroute-circuit")
    bench.ok("attack", ESP_WIRE, "tamper", "--direction", "vpn-device", "--count", "3", "--background")
    ran = bench.run("prove", "--json", timeout=120)
    verdicts = {each["segment"]: each["verdict"] for each in json.loads(ran.stdout)["segments"]}
    report = stopped(bench, ESP_WIRE)
    assert did(report, "tampered") == counted(report, "InNotAuthentic") == 3
    assert verdicts[ESP_WIRE] == "violated"
    assert verdicts["onprem--vpn-device"] != "violated"
    assert "violated" in {verdicts["msee1--vnet-gateway"], verdicts["msee2--vnet-gateway"]}


def test_a_downgrade_of_ike_brings_no_connection_up_and_none_that_is_weaker(circuit: Bench) -> None:
    before = _suites(circuit)
    circuit.ok("vpn", "down", "tunnel1")
    circuit.ok("attack", ESP_WIRE, "downgrade", "--background")
    coming = circuit.start("vpn", "up", "tunnel1")
    _wait_until(lambda: '"rewritten": 3' in circuit.ok("attack", "list", "--json"))
    assert "Connected" not in _states(circuit, "tunnel1")
    report = stopped(circuit, ESP_WIRE)
    assert counted(report, "IKE no common proposal") >= 1
    coming.communicate(timeout=60)
    circuit.ok("vpn", "up", "tunnel1")
    assert _states(circuit, "tunnel1") == {"Connected"}
    assert _suites(circuit) == before


def _connections(bench: Bench) -> list[dict[str, Any]]:
    """Every connection, as both of its gateways have it."""
    drivers = [node.get("driver") or {} for node in json.loads(bench.ok("status", "--json"))["nodes"]]
    gateways = [gateway for driver in drivers for gateway in driver.get("gateways", {}).values()]
    return [dict(each, name=name) for gateway in gateways for name, each in gateway["connections"].items()]


def _states(bench: Bench, name: str) -> set[str]:
    return {each["state"] for each in _connections(bench) if each["name"] == name}


def _suites(bench: Bench) -> set[str]:
    return {sa["suite"] for each in _connections(bench) for kind in ("ike", "children") for sa in each[kind]}


def test_a_downgrade_of_mka_closes_the_port_and_nothing_falls_back_to_clear(bench: Bench) -> None:
    """An MKPDU that asks for less does not verify; one that is lost is missed after the MKA Life Time, 6 s."""
    bench.ok("up", "macsec-pair")
    assert ping(bench, "ce", "172.16.0.2", 5) == 5
    bench.ok("attack", MKA_WIRE, "downgrade", "--direction", "ce", "--background")
    bench.ok("attack", MKA_WIRE, "downgrade", "--direction", "msee1", "--how", "drop", "--background")
    _wait_until(lambda: bench.ok("events").count("unsecured") >= 2)
    assert ping(bench, "ce", "172.16.0.2", 3) == 0
    rewriting, dropping = json.loads(bench.ok("attack", MKA_WIRE, "stop", "--json"))
    rewritten = did(rewriting, "rewritten")
    assert counted(rewriting, "MKPDU invalid-icv", ("msee1",)) == rewritten >= 3
    assert did(dropping, "dropped") >= 3
    _wait_until(lambda: ping(bench, "ce", "172.16.0.2", 1) == 1)
    ran = bench.run("prove", "--json", timeout=120)
    (segment,) = json.loads(ran.stdout)["segments"]
    assert "cleartext" not in segment["census"]
    assert (segment["verdict"], segment["mka"]["failed"]) == ("violated", rewritten)


def test_recorded_mkpdus_are_discarded_by_their_message_number(bench: Bench) -> None:
    bench.ok("up", "macsec-pair")
    ping(bench, "ce", "172.16.0.2", 5)
    capture = bench.topologies / "mka.pcapng"
    bench.ok("capture", MKA_WIRE, "-w", str(capture), "--now")
    found = _replayed(bench, capture, MKA_WIRE, "--at", "topspeed")
    fates = Counter((frame["kind"], frame["fate"]) for frame in found["frames"])
    assert set(fates) == {("mka", "MKPDU replayed-mn"), ("macsec", "InPktsLate")}
    assert ping(bench, "ce", "172.16.0.2", 5) == 5


def _wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)
