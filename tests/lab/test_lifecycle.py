"""A lab from `up` to `down`, by our own command line, as whoever runs the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.conftest import Bench

pytestmark = pytest.mark.lab


def test_up_look_run_down(bench: Bench) -> None:
    ran = bench.run("up", bench.chain(3))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    for phase in ("namespaces", "wires", "captures", "devices", "routes"):
        assert phase in ran.stderr
    assert "lab chain is up after" in ran.stderr

    status = json.loads(bench.ok("status", "--json"))
    assert (status["lab"], status["state"], status["failed"]) == ("chain", "up", [])
    assert [(node["node"], node["state"]) for node in status["nodes"]] == [(f"n{i}", "plain") for i in range(3)]
    assert status["nodes"][1]["addresses"] == ["10.0.0.2/24", "10.0.1.1/24"]
    assert [segment["segment"] for segment in status["segments"]] == ["n0--n1", "n1--n2"]
    assert "n1--n2" in bench.ok("status")
    assert bench.ok("list").splitlines()[1].split()[:2] == ["chain", "up"]
    assert [lab["state"] for lab in json.loads(bench.ok("list", "--json"))] == ["up"]

    assert "1 received" in bench.ok("exec", "n0", "--", "ping", "-c", "1", "-W", "5", "10.0.1.2")
    events = [json.loads(line) for line in bench.ok("events", "--json").splitlines()]
    assert [event["event"] for event in events] == ["building", "up"]

    ran = bench.run("down")
    assert ran.returncode == 0
    assert "lab chain is down; its captures, logs and keys stay in" in ran.stderr
    assert sorted(path.name for path in bench.folder().iterdir()) == [
        "captures", "events.jsonl", "logs", "topology.yaml",
    ]  # fmt: skip
    assert bench.processes() == {}


def test_up_twice_and_down_twice(bench: Bench) -> None:
    file = bench.chain(2)
    bench.ok("up", file)
    before = json.loads(bench.ok("list", "--json"))
    ran = bench.run("up", file)
    assert (ran.returncode, "lab chain is up already" in ran.stderr) == (0, True), ran.stderr
    assert json.loads(bench.ok("list", "--json")) == before
    bench.ok("down", "chain")
    for arguments, words in ((("down",), "no lab"), (("down", "chain"), "no lab chain"), (("down", "--all"), "no lab")):
        ran = bench.run(*arguments)
        assert (ran.returncode, ran.stderr.strip()) == (0, words)
    for command in ("status", "prove"):
        ran = bench.run(command, "chain")
        said = "wireproof: there is no lab 'chain'; `wireproof up FILE` makes one\n"
        assert (ran.returncode, ran.stderr) == (3, said)
    assert bench.run("list").stderr.strip() == "no lab"
    assert json.loads(bench.ok("list", "--json")) == []
    bench.ok("up", file)


def test_purge_leaves_nothing(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    bench.ok("down", "--purge")
    assert list(bench.folder().parent.iterdir()) == []
    bench.ok("up", bench.chain(2))
    bench.ok("down")
    bench.ok("down", "chain", "--purge")
    assert list(bench.folder().parent.iterdir()) == []


def test_several_labs_are_told_apart(bench: Bench) -> None:
    bench.ok("up", bench.chain(2, "one"))
    bench.ok("up", bench.chain(2, "two"))
    bench.ok("up", bench.chain(2, "two"), "--name", "three")
    ran = bench.run("status")
    assert (ran.returncode, ran.stderr) == (3, "wireproof: there are several labs, name one: one, three, two\n")
    assert bench.run("exec", "n0", "true").returncode == 3
    assert bench.run("down").returncode == 3
    assert bench.ok(
        "exec", "--lab", "two", "n1", "--", "sh", "-c", "echo $WIREPROOF_LAB $WIREPROOF_NODE; hostname"
    ) == ("two n1\nn1\n")
    assert json.loads(bench.ok("status", "three", "--json"))["topology"] == "two"
    bench.ok("down", "--all")
    assert json.loads(bench.ok("list", "--json")) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["no-such-command"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_exec_gives_the_commands_own_exit_code(bench: Bench, command: list[str], code: int) -> None:
    bench.ok("up", bench.chain(2))
    assert bench.run("exec", "n0", "--", *command).returncode == code


def test_in_a_node_only_the_node_is_seen(bench: Bench) -> None:
    bench.ok("up", bench.chain(3))
    assert sorted(bench.ok("exec", "n1", "ls", "/sys/class/net").split()) == ["left", "lo", "right"]
    assert bench.ok("exec", "n1", "hostname") == "n1\n"
    assert bench.ok("exec", "n1", "id", "-u") == "0\n"
    assert "wireproof" not in bench.ok("exec", "n1", "ls", "/run")
    processes = bench.ok("exec", "n1", "--", "sh", "-c", "echo /proc/[0-9]*").split()
    assert 3 <= len(processes) <= 10
    assert "/proc/1" in processes
    assert bench.ok("exec", "n1", "pwd").strip() == str(Path(__file__).resolve().parents[2])
    assert bench.ok("exec", "n0", "cat", "/proc/sys/net/ipv6/conf/all/disable_ipv6") == "1\n"


def test_what_runs_in_a_node_ends_with_its_command_line_and_with_its_lab(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))

    def sleeps() -> int:
        return bench.ok("exec", "n0", "--", "sh", "-c", "cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '").count(
            "sleep 98"
        )

    running = bench.start("exec", "n0", "--", "sleep", "987")
    _wait_until(lambda: sleeps() == 1)
    running.kill()
    running.communicate()
    _wait_until(lambda: sleeps() == 0)

    running = bench.start("exec", "n0", "--", "sleep", "987")
    _wait_until(lambda: sleeps() == 1)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=10)
    assert running.returncode == 143

    bench.ok("exec", "n0", "--", "sh", "-c", "setsid sleep 986 >/dev/null 2>&1 </dev/null &")
    assert sleeps() == 1
    running = bench.start("exec", "n0", "--", "sleep", "985")
    _wait_until(lambda: sleeps() == 2)
    bench.ok("down")
    running.communicate(timeout=10)
    assert running.returncode == 137
    assert bench.processes() == {}


def test_what_is_not_there_is_named(bench: Bench) -> None:
    for arguments in (("status",), ("exec", "n0", "true"), ("events",), ("logs", "n0")):
        ran = bench.run(*arguments)
        assert (ran.returncode, ran.stderr) == (3, "wireproof: no lab is up; `wireproof up FILE` makes one\n")
    assert bench.run("status", "nope").returncode == 3
    assert bench.run("status", "../x").returncode == 3
    bench.ok("up", bench.chain(2))
    ran = bench.run("exec", "n7", "true")
    assert (ran.returncode, ran.stderr) == (3, "wireproof: there is no node 'n7'; there are n0, n1\n")
    ran = bench.run("logs", "n7")
    assert ran.returncode == 3
    assert "there are those of capture, holder" in ran.stderr


def test_events_are_followed_to_the_end_of_the_lab(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    following = bench.start("events", "-f", "--json")
    logs = bench.start("logs", "-f", "capture")
    time.sleep(0.5)
    bench.ok("down")
    out, _ = following.communicate(timeout=10)
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [1, 2, 3]
    assert json.loads(out.splitlines()[-1])["event"] == "down"
    logs.communicate(timeout=10)
    assert (following.returncode, logs.returncode) == (0, 0)


def test_captures_hold_the_first_frame(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    bench.ok("exec", "n0", "--", "ping", "-c", "2", "-i", "0.1", "10.0.0.2")
    bench.ok("down")
    from lab.capture.source import open_capture

    with open_capture(bench.folder() / "captures" / "n0--n1.pcapng") as capture:
        frames = list(capture)
    assert [frame.octets[12:14].hex() for frame in frames[:4]] == ["0806", "0806", "0800", "0800"]
    assert len([frame for frame in frames if frame.octets[12:14] == b"\x08\x00"]) == 4


def test_an_up_that_is_interrupted_leaves_nothing(bench: Bench) -> None:
    # Most at the moment at which process 1 is made, and its maker may not know of it yet.
    for delay in (0.1, *(0.2 + step / 200 for step in range(12)), 0.4, 0.6):
        making = bench.start("up", bench.chain(60))
        time.sleep(delay)
        making.send_signal(signal.SIGINT)
        _, said = making.communicate(timeout=20)
        assert making.returncode in (130, 0, -signal.SIGINT)
        if "is up after" in said:  # it came too late
            bench.ok("down", "--purge")
        assert bench.processes() == {}
        assert not bench.folder().exists()


def test_a_lab_whose_up_was_killed_goes_too(bench: Bench) -> None:
    making = bench.start("up", bench.chain(60))
    _wait_until(lambda: (bench.folder() / "holder.json").exists())
    making.kill()
    making.communicate()
    _wait_until(lambda: bench.processes() == {})
    assert "dead" in bench.run("status").stderr
    bench.ok("up", bench.chain(2))


def test_down_while_it_is_built(bench: Bench) -> None:
    making = bench.start("up", bench.chain(100))
    _wait_until(lambda: (bench.folder() / "control").exists())
    down = bench.run("down", "chain")
    assert down.returncode == 0, down.stderr
    making.communicate(timeout=20)
    assert making.returncode in (0, 1)
    assert bench.processes() == {}


def test_a_lab_that_was_killed_is_said_to_be_dead(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    holder = json.loads((bench.folder() / "holder.json").read_text())["process"]["pid"]
    os.kill(holder, signal.SIGKILL)
    _wait_until(lambda: bench.processes() == {})
    for arguments in (("status",), ("status", "chain"), ("exec", "n0", "true")):
        ran = bench.run(*arguments)
        assert ran.returncode == 1
        assert f"lab chain is dead: its process 1 (pid {holder}) was killed or crashed" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert bench.ok("list").splitlines()[1].split()[:2] == ["chain", "dead"]
    assert "building" in bench.ok("events")
    assert "lab chain was dead" in bench.run("down").stderr
    assert bench.run("down").stderr == "no lab\n"


def test_a_lab_from_before_the_machine_was_started_anew(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    bench.ok("down")
    record = {
        "process": {"pid": os.getpid(), "start_time": 1, "boot_id": "8d4b1c1e-0000-0000-0000-000000000000"},
        "source": "chain.yaml",
        "since": 1.5,
    }
    (bench.folder() / "holder.json").write_text(json.dumps(record))
    ran = bench.run("status")
    assert ran.returncode == 1
    assert "lab chain is dead: this machine was started anew since" in ran.stderr
    bench.ok("up", bench.chain(2))
    assert json.loads(bench.ok("status", "--json"))["state"] == "up"


def test_a_holder_that_does_not_answer_is_ended_all_the_same(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    holder = json.loads((bench.folder() / "holder.json").read_text())["process"]["pid"]
    os.kill(holder, signal.SIGSTOP)
    assert json.loads(bench.ok("list", "--json"))[0]["state"] == "up"
    bench.ok("down", "chain", timeout=60)
    assert bench.processes() == {}


def test_a_topology_with_a_mistake_makes_nothing(bench: Bench) -> None:
    path = bench.topologies / "bad.yaml"
    path.write_text("name: bad\nnodes:\n  a: {role: pope}\n")
    ran = bench.run("up", str(path))
    assert ran.returncode == 3
    assert f"wireproof: {path}:" in ran.stderr
    assert not (bench.runtime / "wireproof").exists()


def test_a_machine_that_refuses_is_explained_and_nothing_is_left(bench: Bench) -> None:
    """No user namespaces any more, and no privilege in the one that we are in: made for this process alone."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *bench.command("up", bench.chain(2))],
        env=bench.environment, cwd=Path(__file__).parents[2], text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 4, ran.stderr
    assert "user.max_user_namespaces is 0" in ran.stderr
    assert "fix: sudo sysctl -w user.max_user_namespaces=10000" in ran.stderr
    assert not bench.folder().exists()


def test_root_that_may_make_no_user_namespace_does_without(bench: Bench) -> None:
    """As in a container: root, with rights over its own network, but no new user namespace."""
    script = """
set -e
echo 0 > /proc/sys/user/max_user_namespaces
"$@" up %s
"$@" exec n0 -- ping -c 1 10.0.1.2
"$@" exec n0 -- ls /sys/class/net
"$@" down
""" % bench.chain(3)  # noqa: UP031 - the braces of a shell
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *bench.command()],
        env=bench.environment, cwd=Path(__file__).parents[2], text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 received" in ran.stdout
    assert bench.processes() == {}


def test_doctor_finds_nothing_missing(bench: Bench) -> None:
    found = json.loads(bench.ok("doctor", "--json"))
    assert found["able"]
    assert {need["name"] for need in found["needs"]} >= {"own namespaces", "veth pairs", "/dev/net/tun"}


def _wait_until(done: object) -> None:
    assert callable(done)
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
