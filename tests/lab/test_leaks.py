"""SIGKILL to process 1 at any moment: nothing of the lab is left, and the next `up` works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.host.control import connect
from lab.host.state import LabFolder
from tests.lab.conftest import ROOT, Bench

pytestmark = pytest.mark.lab

PATH = "expressroute-direct"
MOMENTS_OF_UP = 10
MOMENTS_OF_PROVE = 5
MOMENTS_OF_DOWN = 5


@pytest.fixture
def outside(bench: Bench) -> Iterator[None]:
    """What this machine shows outside of any lab is the same before and after."""

    def seen() -> tuple[object, ...]:
        mounts = sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
        devices = sorted(path.name for path in Path("/sys/class/net").iterdir())
        return mounts, devices, sorted(Path("/run").iterdir())

    before = seen()
    yield
    assert seen() == before


def kill_holder(bench: Bench, besides: int) -> None:
    """Kill process 1; if there is none yet, whatever is about to become it, and it, if that was too late.

    `besides` is a command line's own process, which is not to be killed.
    """
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = bench.processes()
        found.pop(besides, None)
        first = [pid for pid, numbers in found.items() if len(numbers) > 1 and numbers[-1] == 1]
        for pid in first or list(found)[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if first:
                return
            deadline = min(deadline, time.monotonic() + 0.3)
        time.sleep(0.001)


def assert_nothing_is_left(bench: Bench) -> None:
    deadline = time.monotonic() + 10
    while (left := bench.processes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == {}
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        connect(bench.folder(PATH) / "control")
    lock = LabFolder(PATH, bench.folder(PATH)).lock(timeout=5)
    assert lock is not None, "a descriptor of the lab is open somewhere"
    os.close(lock)


def assert_the_next_one_works(bench: Bench) -> None:
    bench.ok("up", PATH)
    assert json.loads(bench.ok("status", "--json"))["state"] == "up"
    bench.ok("exec", "onprem", "--", "ping", "-c", "1", "-W", "5", "10.0.2.4")
    bench.ok("down", "--purge")


def seconds_of(run: Callable[[], object]) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began


def test_killed_while_it_comes_up(bench: Bench, outside: None) -> None:
    whole = seconds_of(lambda: bench.ok("up", PATH))
    bench.ok("down", "--purge")
    codes = set()
    for moment in range(MOMENTS_OF_UP):
        making = bench.start("up", PATH)
        time.sleep(whole * moment / MOMENTS_OF_UP)
        kill_holder(bench, besides=making.pid)
        _, words = making.communicate(timeout=20)
        codes.add(making.returncode)
        assert making.returncode in (0, 70), words
        assert "Traceback" not in words
        assert_nothing_is_left(bench)
        assert_the_next_one_works(bench)
    assert 70 in codes, "no moment lay within the making"


def test_killed_while_it_proves(bench: Bench, outside: None) -> None:
    bench.ok("up", PATH)
    whole = seconds_of(lambda: bench.ok("prove"))
    for moment in range(MOMENTS_OF_PROVE):
        bench.ok("up", PATH)
        proving = bench.start("prove")
        time.sleep(whole * moment / MOMENTS_OF_PROVE)
        kill_holder(bench, besides=proving.pid)
        _, words = proving.communicate(timeout=20)
        assert proving.returncode in (0, 1, 2), words
        assert "Traceback" not in words
        assert_nothing_is_left(bench)
        assert_the_next_one_works(bench)


def test_killed_while_it_goes_down(bench: Bench, outside: None) -> None:
    bench.ok("up", PATH)
    whole = seconds_of(lambda: bench.ok("down"))
    for moment in range(MOMENTS_OF_DOWN):
        bench.ok("up", PATH)
        ending = bench.start("down")
        time.sleep(whole * moment / MOMENTS_OF_DOWN)
        kill_holder(bench, besides=ending.pid)
        _, words = ending.communicate(timeout=20)
        assert ending.returncode == 0, words
        assert_nothing_is_left(bench)
        assert_the_next_one_works(bench)


def test_killed_while_everybody_is_busy(bench: Bench, outside: None) -> None:
    bench.ok("up", PATH)
    busy = [
        bench.start("exec", "onprem", "--", "ping", "-i", "0.002", "10.0.2.4"),
        bench.start("events", "-f"),
        bench.start("status", "--watch"),
        bench.start("capture", "ce--msee1", "-w", "-"),
    ]
    bench.ok("exec", "workload", "--", "sh", "-c", "setsid ping -i 0.01 192.168.1.10 >/dev/null 2>&1 </dev/null &")
    time.sleep(0.3)
    holder = json.loads((bench.folder(PATH) / "holder.json").read_text())["process"]["pid"]
    os.kill(holder, signal.SIGKILL)
    for process in busy:
        process.communicate(timeout=20)
    assert [process.returncode for process in busy] == [137, 0, 1, 0]
    assert_nothing_is_left(bench)
    assert bench.run("status").returncode == 1
    assert_the_next_one_works(bench)


def test_the_kernel_has_every_namespace_back(bench: Bench) -> None:
    """In a user namespace that allows only a few network namespaces: one that leaked would be missed soon."""
    script = """
echo 8 > /proc/sys/user/max_net_namespaces
for round in 1 2 3 4 5 6; do
    for again in 1 2 3 4 5 6 7 8 9 10; do
        "$@" up %s 2>&1 && break
        sleep 0.3  # the kernel takes its time to give them back
    done
    test "$again" != 10 || exit 9
    kill -9 $(sed 's/.*"pid": \\([0-9]*\\).*/\\1/' %s/holder.json)
done
"$@" down
""" % (bench.chain(4), bench.folder())  # noqa: UP031 - the braces of a shell
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *bench.command()],
        env=bench.environment, cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("is up after") == 6
    assert bench.processes() == {}
