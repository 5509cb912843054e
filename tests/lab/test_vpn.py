"""IPsec connections of real labs, by our own command line, as whoever runs the tests."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import ROOT, Bench
from tests.lab.stage import CBC, GCM

pytestmark = pytest.mark.lab

CIRCUIT = (ROOT / "topologies" / "expressroute-circuit-modern.yaml").read_text()
PROTECTED = {"vpn-device--ce", "ce--provider1", "ce--provider2", "provider1--msee1", "provider2--msee2",
             "msee1--vnet-gateway", "msee2--vnet-gateway"}  # fmt: skip
AT_GATEWAY = "tunnel_addresses: 169.254.21.2/30}"


def write(bench: Bench, name: str, *changes: tuple[str, str]) -> str:
    """The circuit's file under another name, with something else in tunnel1."""
    text = CIRCUIT.replace("name: expressroute-circuit-modern\n", f"name: {name}\n")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = bench.topologies / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def status(bench: Bench, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """`vpn status`, by connection and node."""
    ran = bench.run("vpn", "status", "--json", *arguments)
    assert ran.returncode in (0, 1), ran.stderr
    return {(each["connection"], each["node"]): each for each in json.loads(ran.stdout)}


def await_states(bench: Bench, wanted: set[str], *arguments: str, patience: float = 40) -> None:
    deadline = time.monotonic() + patience
    while True:
        found = status(bench, *arguments)
        if {each["state"] for each in found.values()} <= wanted:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@pytest.mark.parametrize(
    "topology",
    ["expressroute-circuit", "expressroute-direct", "expressroute-circuit-modern", "expressroute-direct-modern"],
)
def test_ipsec_is_proven_on_each_segment_between_the_gateways(bench: Bench, topology: str) -> None:
    ran = bench.run("up", topology)
    assert ran.returncode == 0, ran.stderr
    assert "is not up" not in ran.stderr
    report = json.loads(bench.ok("prove", "--json"))
    assert report["verdict"] == "proven"
    for segment in report["segments"]:
        assert segment["verdict"] == "proven", segment
        name = segment["segment"]
        is_outside = name.startswith("onprem--") or name.endswith("--workload")
        assert bool(segment["esp"]["authenticated"]) == bool(segment["ike"]["authenticated"]) != is_outside
        assert bool(segment["macsec"]["authenticated"]) == ("direct" in topology and name.startswith("ce--"))
    shown = bench.run("vpn", "status")
    assert shown.returncode == 0
    assert ("weak in tunnel1, tunnel2: MODP_1024" in shown.stderr) == (not topology.endswith("modern"))


def test_rekeys_under_ping_lose_nothing_and_every_segment_stays_proven(bench: Bench) -> None:
    bench.ok("up", write(bench, "rekeys"))
    pings = bench.start("exec", "onprem", "--", "ping", "-i", "0.02", "-c", "200", "-q", "10.0.2.4")
    before = {spi["spi_in"] for end in status(bench).values() for spi in end["children"]}
    for turn in range(3):
        for connection in ("tunnel1", "tunnel2"):
            node = ("vpn-device", "vnet-gateway")[turn % 2]
            bench.ok("vpn", "rekey", connection, "--at", node)
            bench.ok("vpn", "rekey", connection, "--ike", "--at", node)
    out, _ = pings.communicate(timeout=60)
    assert "200 received" in out, out
    after = status(bench)
    assert before.isdisjoint({spi["spi_in"] for end in after.values() for spi in end["children"]})
    assert {child["pfs"] for end in after.values() for child in end["children"]} == {"ECP_384"}
    assert json.loads(bench.ok("prove", "--json"))["verdict"] == "proven"


def test_a_connection_that_is_down_carries_nothing_in_clear_and_comes_up_again(bench: Bench) -> None:
    bench.ok("up", write(bench, "downs"))
    for connection in ("tunnel1", "tunnel2"):
        bench.ok("vpn", "down", connection)
    shown = bench.run("vpn", "status")
    assert shown.returncode == 1
    assert shown.stdout.count("NotConnected (down)") == 4
    ran = bench.run("exec", "onprem", "--", "ping", "-c", "3", "-i", "0.2", "-W", "1", "10.0.2.4")
    assert "0 received" in ran.stdout
    stats = json.loads(bench.ok("vpn", "stats", "--json"))
    assert sum(end["discarded"].get("OutNoSa", 0) for end in stats if end["node"] == "vpn-device") == 3
    for connection in ("tunnel1", "tunnel2"):
        bench.ok("vpn", "up", connection)
    assert "3 received" in bench.ok("exec", "onprem", "--", "ping", "-c", "3", "-i", "0.2", "-W", "5", "10.0.2.4")
    # Every frame since the lab came up is judged: nothing was ever clear.
    assert json.loads(bench.ok("prove", "--json"))["verdict"] == "proven"


def test_a_connection_that_comes_up_again_does_so_once(bench: Bench) -> None:
    bench.ok("up", write(bench, "again"))
    bench.ok("vpn", "down", "tunnel1")
    before = status(bench, "tunnel1")
    bench.ok("vpn", "up", "tunnel1")
    time.sleep(1.5)  # a second IKE SA, or one that is sent for again, would be there by now
    for end, now in status(bench, "tunnel1").items():
        assert now["state"] == "Connected"
        assert now["connects"] == before[end]["connects"] + 1
        assert len(now["ike"]) == len(now["children"]) == 1


def test_a_forged_packet_in_clear_is_not_passed_on_to_the_inside(bench: Bench) -> None:
    bench.ok("up", write(bench, "forged"))
    for node, source, target, gateway, inside in (
        ("ce", "10.0.2.99", "192.168.1.10", "203.0.113.1", "onprem"),
        ("msee1", "192.168.1.99", "10.0.2.4", "100.64.0.2", "workload"),
    ):
        bench.ok("exec", node, "--", "ip", "addr", "add", f"{source}/32", "dev", "lo")
        bench.ok("exec", node, "--", "ip", "route", "add", f"{target}/32", "via", gateway)
        ran = bench.run("exec", node, "--", "ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, target)
        assert "3 packets transmitted, 0 received" in ran.stdout
        names, values = (
            line.split() for line in bench.ok("exec", inside, "--", "grep", "Icmp:", "/proc/net/snmp").splitlines()
        )
        assert dict(zip(names, values, strict=True))["InEchos"] == "0"
    # What the tunnels bring is let in all the same.
    assert "3 received" in bench.ok("exec", "onprem", "--", "ping", "-c", "3", "-i", "0.2", "-W", "5", "10.0.2.4")


def test_a_tunnel_stands_in_for_one_that_is_down(bench: Bench) -> None:
    bench.ok("up", write(bench, "standin"))
    for connection in ("tunnel1", "tunnel2"):
        bench.ok("vpn", "down", connection)
        found = status(bench)
        assert {name for (name, _), end in found.items() if not end["has_carrier"]} == {connection}
        for number in range(4):  # flows are spread by their addresses
            target = f"10.0.2.{10 + number}"
            bench.ok("exec", "workload", "--", "ip", "addr", "add", f"{target}/32", "dev", "lo")
            ran = bench.ok("exec", "onprem", "--", "ping", "-c", "2", "-i", "0.2", "-W", "5", target)
            assert "2 received" in ran
            bench.ok("exec", "workload", "--", "ip", "addr", "del", f"{target}/32", "dev", "lo")
        bench.ok("vpn", "up", connection)
    assert all(end["has_carrier"] for end in status(bench).values())


@pytest.mark.parametrize(
    ("name", "change", "cause", "words"),
    [
        ("psk", 'psk: "https://kv-wireproof.vault.azure.net/secrets/tunnel2-psk"', "authentication-failed",
         "shared keys or identities do not fit"),
        ("ike", GCM.replace("dhGroup: ECP384", "dhGroup: ECP256"), "no-proposal-chosen", "no common proposal"),
        ("esp", GCM.replace("ipsecEncryption: GCMAES256, ipsecIntegrity: GCMAES256",
                            "ipsecEncryption: AES256, ipsecIntegrity: SHA256"),
         "no-proposal-chosen", "no common proposal"),
    ],
)  # fmt: skip
def test_a_tunnel_that_cannot_be_is_named_and_the_lab_is_up_all_the_same(
    bench: Bench, name: str, change: str, cause: str, words: str
) -> None:
    ran = bench.run("up", write(bench, name, (AT_GATEWAY, f"{AT_GATEWAY[:-1]}, {change}}}")))
    assert ran.returncode == 0, ran.stderr
    assert re.search(rf"warning: connection tunnel1 is not up \(.*{words}", ran.stderr), ran.stderr
    found = status(bench, "tunnel1")
    assert {end["cause"] for end in found.values()} == {cause}
    assert "Connected" not in {end["state"] for end in found.values()}
    shown = bench.run("vpn", "status")
    assert shown.returncode == 1
    assert f"tunnel1 at vnet-gateway: {words}" in shown.stderr
    report = json.loads(bench.run("prove", "--json", "--timeout", "1").stdout)
    censuses = {each["segment"]: each["census"] for each in report["segments"]}
    assert all("cleartext" not in censuses[segment] for segment in PROTECTED)


def test_pfs_that_differs_shows_at_the_first_rekey(bench: Bench) -> None:
    change = GCM.replace("pfsGroup: ECP384", "pfsGroup: None")
    bench.ok("up", write(bench, "pfs", (AT_GATEWAY, f"{AT_GATEWAY[:-1]}, {change}}}")))
    assert {end["state"] for end in status(bench).values()} == {"Connected"}
    ran = bench.run("vpn", "rekey", "tunnel1")
    assert ran.returncode == 1
    assert "the ESP SAs of tunnel1 could not be replaced" in ran.stderr
    assert "PFS wanted on one side alone, or with different groups" in ran.stderr
    found = status(bench, "tunnel1")
    assert {(end["state"], end["cause"]) for end in found.values()} == {("Connected", "pfs-mismatch")}
    assert bench.run("vpn", "rekey", "tunnel2").returncode == 0


def test_a_gateway_whose_peer_died_and_came_back_connects_again(bench: Bench) -> None:
    bench.ok("up", write(bench, "dpd", ("  - name: tunnel1\n", "  - name: tunnel1\n    dpd_timeout_seconds: 9\n")))
    bench.ok("vpn", "down", "tunnel1", "--at", "vnet-gateway")
    await_states(bench, {"NotConnected", "Connecting"}, "tunnel1")
    found = status(bench, "tunnel1")
    assert found["tunnel1", "vnet-gateway"]["is_down"]
    assert not found["tunnel1", "vpn-device"]["is_down"]
    bench.ok("vpn", "up", "tunnel1", "--at", "vnet-gateway")
    assert {end["state"] for end in status(bench, "tunnel1").values()} == {"Connected"}


def test_shared_keys_are_compared_and_not_shown(bench: Bench) -> None:
    change = 'psk: "https://kv-wireproof.vault.azure.net/secrets/tunnel2-psk"'
    bench.ok("up", write(bench, "keys", (AT_GATEWAY, f"{AT_GATEWAY[:-1]}, {change}}}")))
    folder = bench.folder("keys")
    values = [json.loads(path.read_text())["value"] for path in folder.glob("vaults/*/secrets/*psk/*.json")]
    assert len(values) == 2
    ran = bench.run("vpn", "shared-key", "check", "--json")
    assert ran.returncode == 1
    assert json.loads(ran.stdout) == [{"connection": "tunnel1", "same": False}, {"connection": "tunnel2", "same": True}]
    assert "differs between its ends" in bench.run("vpn", "shared-key", "check", "tunnel1").stdout
    shown = bench.ok("vpn", "shared-key", "show") + bench.ok("vpn", "shared-key", "show", "--json")
    revealed = bench.ok("vpn", "shared-key", "show", "tunnel2", "--at", "vpn-device", "--reveal", "--json")
    assert json.loads(revealed)[0]["value"] in values
    said = [path.read_text() for path in (*folder.glob("logs/*"), folder / "events.jsonl", folder / "holder.json")]
    for value in values:
        assert value not in shown
        assert not [text for text in said if value in text]
    assert "tunnel2-psk" in shown


def test_what_is_asked_wrongly_is_told(bench: Bench) -> None:
    bench.ok("up", write(bench, "asks"))
    for arguments, words in (
        (("status", "tunel1"), "there is no connection 'tunel1' in lab asks; did you mean 'tunnel1'?"),
        (("rekey", "tunnel3"), "there is no connection 'tunnel3'"),
        (("rekey", "tunnel1", "--at", "ce"), "connection tunnel1 does not end at 'ce'; it ends at vpn-device and"),
        (("down", "tunnel1", "--at", "ce"), "the ends are at vpn-device, vnet-gateway"),
        (("shared-key", "show", "x"), "there is no connection 'x'"),
    ):
        ran = bench.run("vpn", *arguments)
        assert (ran.returncode, words in ran.stderr) == (3, True), ran.stderr
    bench.ok("vpn", "down", "tunnel1")
    ran = bench.run("vpn", "rekey", "tunnel1")
    assert (ran.returncode, "it is not connected" in ran.stderr) == (3, True), ran.stderr


def test_azures_defaults_and_udp_encapsulation_work_and_say_what_is_weak(bench: Bench) -> None:
    text = re.sub(r"    policy: &policy\n(      .*\n)+", "    encapsulation: udp\n", CIRCUIT)
    text = text.replace("    policy: *policy\n", f"    {CBC}\n").replace(
        "name: expressroute-circuit-modern", "name: defaults"
    )
    path = bench.topologies / "defaults.yaml"
    path.write_text(text)
    bench.ok("up", str(path))
    found = status(bench)
    for node in ("vpn-device", "vnet-gateway"):
        end = found["tunnel1", node]
        assert end["policy"] == "default"
        (child,) = end["children"]
        assert (child["suite"], child["encapsulation"]) == ("ENCR_AES_GCM_16_256", "udp")
        assert any("MODP_1024" in text for text in end["weak"])
        assert any("SHA1" in text for text in end["weak"])
    assert json.loads(bench.ok("prove", "--json"))["verdict"] == "proven"


def test_the_key_log_holds_each_key_and_is_for_its_owner_alone(bench: Bench) -> None:
    bench.ok("up", write(bench, "keylog"))
    path = Path(bench.folder("keylog"), "keys.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    records = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = [record["type"] for record in records]
    assert set(kinds) == {"ike-sa", "esp-sa"}
    spis = {
        spi
        for end in status(bench).values()
        for child in end["children"]
        for spi in (child["spi_in"], child["spi_out"])
    }
    assert {record["spi"] for record in records if record["type"] == "esp-sa"} == spis
