"""What cannot be made, and what dies later: said with its cause, and nothing is left or made up."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import CheckFailedError, InputError, MachineError, WireproofError
from lab.holder.launch import claim, launch
from lab.host.entering import fork_inside
from lab.host.state import LabFolder
from lab.model.topology import Topology
from lab.nodes import driver
from lab.topology.load import load
from tests.lab.conftest import ROOT, Bench
from tests.lab.isolated import isolated
from tests.lab.topologies import chain

pytestmark = pytest.mark.lab

CLONE_NEWPID = 0x20000000
DIRECT = ROOT / "topologies" / "expressroute-direct.yaml"


@pytest.fixture
def folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabFolder]:
    """A lab's folder in this process's own environment."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(bench.runtime))
    made = LabFolder.of("lab")
    yield made
    assert not made.path.exists()


def attempt(topology: Topology, folder: LabFolder) -> list[str]:
    """Try to make it; give the phases that were reached."""
    lock = claim(folder)
    assert lock is not None
    reached: list[str] = []
    launch(topology, folder, lock, lambda name, seconds: reached.append(name), reached.append)
    return reached


def in_file(topology: Topology, bench: Bench) -> Topology:
    """The same with a file that it can have come from."""
    path = bench.topologies / "model.yaml"
    path.write_text("a model made by a test\n")
    return replace(topology, source=str(path))


def test_what_the_kernel_refuses_is_named_with_the_step(bench: Bench, folder: LabFolder) -> None:
    topology = chain(3)
    link = topology.links[1]
    wrong = replace(link, a=replace(link.a, wire_mtu=70_000), b=replace(link.b, wire_mtu=70_000))
    topology = in_file(replace(topology, links=(topology.links[0], wrong)), bench)
    with pytest.raises(MachineError, match=r"^n1--n2: join .* of MTU 70000: (Invalid|Numerical)"):
        attempt(topology, folder)


def test_a_driver_that_refuses_is_quoted(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise InputError("the key is not to my taste")

    monkeypatch.setattr(driver, "run", refuse)
    with pytest.raises(InputError, match=r"^[a-z0-9-]+ did not start \(exit code 3\): the key is not to my taste$"):
        attempt(load(DIRECT), folder)


def test_a_driver_that_crashes_is_a_bug_of_ours(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*arguments: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(driver, "run", crash)
    with pytest.raises(WireproofError, match=r"\(exit code 70\): ZeroDivisionError: oh$") as caught:
        attempt(load(DIRECT), folder)
    assert type(caught.value) is WireproofError


def test_a_vault_that_is_not_there_is_named_before_anything_is_made(
    bench: Bench, folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIREPROOF_VAULTS", str(bench.topologies / "vaults"))
    topology = replace(load(DIRECT), generated_secrets=())
    with pytest.raises(InputError, match="there is no vault kv-wireproof"):
        attempt(topology, folder)


def inside_pid(bench: Bench, pid: int) -> int:
    """The pid out here of a process of the lab."""
    (found,) = [outside for outside, numbers in bench.processes().items() if numbers[1:] == [pid]]
    return found


def test_a_node_or_a_capture_that_dies_is_an_event_and_shows(bench: Bench) -> None:
    bench.ok("up", str(DIRECT))
    status = json.loads(bench.ok("status", "--json"))
    pids = {node["node"]: node["pid"] for node in status["nodes"] if "pid" in node}
    assert sorted(pids) == ["ce", "msee1", "msee2", "vnet-gateway", "vpn-device"]
    os.kill(inside_pid(bench, pids["msee1"]), signal.SIGKILL)

    ran = bench.run("status", "--json")
    deadline = time.monotonic() + 5
    while not json.loads(ran.stdout)["failed"] and time.monotonic() < deadline:
        ran = bench.run("status", "--json")
    assert ran.returncode == 1
    status = json.loads(ran.stdout)
    assert status["failed"] == ["msee1"]
    (failed,) = [node for node in status["nodes"] if node["node"] == "msee1"]
    assert (failed["state"], failed["end"], failed["driver"]) == ("failed", "killed by SIGKILL", None)
    assert "failed" in bench.run("status").stdout
    events = [json.loads(line) for line in bench.ok("events", "--json").splitlines()]
    (event,) = [event for event in events if event["event"] == "node-failed"]
    assert (event["node"], event["end"]) == ("msee1", "killed by SIGKILL")
    # The other link still carries what hashes to it, and the lab can be taken down.
    assert bench.ok("exec", "msee1", "hostname") == "msee1\n"
    bench.ok("down")


def test_the_keys_are_on_file_and_the_vault_is_gone_with_the_lab(bench: Bench) -> None:
    bench.ok("up", str(DIRECT))
    folder = bench.folder("expressroute-direct")
    keys = [json.loads(line) for line in (folder / "keys.jsonl").read_text().splitlines()]
    assert [key["type"] for key in keys[:2]] == ["mka-cak"] * 2
    # A SAK an end of each MACsec link; of each tunnel both gateways log what they hold.
    kinds = Counter(key["type"] for key in keys)
    assert kinds == {"mka-cak": 2, "macsec-sak": 4, "ike-sa": 4, "esp-sa": 8}
    assert (folder / "keys.jsonl").stat().st_mode & 0o777 == 0o600
    names = ("cak", "sak", "sk_d", "sk_ei", "sk_er", "sk_pi", "sk_pr", "encryption_key", "integrity_key")
    secrets = [key[name] for key in keys for name in names if name in key]
    for pid in bench.processes():
        for file in ("cmdline", "environ"):
            octets = Path(f"/proc/{pid}/{file}").read_bytes()
            assert not any(secret.encode() in octets for secret in secrets)
    for path in (*folder.glob("logs/*"), folder / "events.jsonl", folder / "holder.json", folder / "topology.yaml"):
        assert not any(secret in path.read_text() for secret in secrets)
    assert (folder / "vaults").is_dir()
    bench.ok("down")
    assert not (folder / "vaults").exists()


def test_a_state_folder_below_run_stays_reachable() -> None:
    if not os.access("/run", os.W_OK):
        pytest.skip("only root may make a folder in /run")
    with tempfile.TemporaryDirectory(dir="/run", prefix="wireproof-test-") as runtime:
        bench = Bench(runtime=Path(runtime), topologies=Path(runtime))
        bench.ok("up", bench.chain(2))
        try:
            assert bench.ok("exec", "n0", "ls", "/run").split() == [Path(runtime).name]
            assert json.loads(bench.ok("status", "--json"))["state"] == "up"
        finally:
            bench.ok("down")
        assert (bench.folder() / "events.jsonl").read_text().count("\n") == 3
        assert bench.processes() == {}


def forked_where_process_1_has_gone() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWPID) == 0, os.strerror(ctypes.get_errno())
    first = os.fork()
    if first == 0:
        os._exit(0)
    os.waitpid(first, 0)
    try:
        fork_inside()
    except CheckFailedError as error:
        return str(error)
    os._exit(1)


def test_into_a_lab_that_has_ended_nobody_is_forked() -> None:
    assert isolated(forked_where_process_1_has_gone) == "the lab ended meanwhile"
