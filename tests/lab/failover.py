"""Traffic over two links while one of them is cut: what was sent, what arrived, and where the rest was last seen."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab.capture.source import open_capture

FLOWS = 32
PAYLOAD = 777  # of no other packet in the lab
_UDP_OCTETS = 14 + 20 + 8 + PAYLOAD
_PORT = 9000

# A datagram a millisecond, flow by flow, each with its number; then the numbers of all that were handed to the kernel.
_SEND = f"""
import json, socket, sys, time
flows = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range({FLOWS})]
sent, end, due = 0, time.monotonic() + float(sys.argv[1]), time.monotonic()
while time.monotonic() < end:
    flows[sent % {FLOWS}].sendto(sent.to_bytes(4, "big") + bytes({PAYLOAD - 4}), ("10.0.2.4", {_PORT}))
    sent, due = sent + 1, due + 0.001
    time.sleep(max(0, due - time.monotonic()))
print(sent)
"""
_RECEIVE = f"""
import json, socket, time
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("0.0.0.0", {_PORT}))
print("listening", flush=True)
came = []
port.settimeout(60)
try:
    while True:
        octets = port.recv(2048)
        came.append((int.from_bytes(octets[:4], "big"), time.monotonic()))
        port.settimeout(4)
except TimeoutError:
    print(json.dumps(came))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What became of the datagrams. `seen` counts them on each segment; `gap` is the longest silence of a flow."""

    sent: int
    received: int
    seen: Counter[str]
    gap: float

    @property
    def lost(self) -> int:
        """Those that did not arrive."""
        return self.sent - self.received


Start = Callable[..., "subprocess.Popen[str]"]


def cut_under_traffic(start: Start, run: Callable[..., object], captures: Path, segment: str, seconds: float) -> Switch:
    """Send from onprem to workload for so long, and cut a segment in the middle."""
    receiving = start("exec", "workload", "--", "python3", "-c", _RECEIVE)
    assert receiving.stdout is not None
    assert "listening" in receiving.stdout.readline()
    sending = start("exec", "onprem", "--", "python3", "-c", _SEND, str(seconds))
    time.sleep(seconds / 3)
    run("link", segment, "down")
    sent = int(sending.communicate(timeout=seconds + 60)[0])
    came = json.loads(receiving.communicate(timeout=120)[0])
    times: dict[int, list[float]] = {}
    for number, when in came:
        times.setdefault(number % FLOWS, []).append(when)
    gaps = [later - earlier for flow in times.values() for earlier, later in pairwise(flow)]
    return Switch(sent=sent, received=len(came), seen=_seen(captures), gap=max(gaps))


def _seen(captures: Path) -> Counter[str]:
    """How many frames of the datagrams' length, with what tags and MACsec add, each segment carried."""
    seen: Counter[str] = Counter()
    for path in captures.glob("*.pcapng"):
        with open_capture(path) as capture:
            seen[path.stem] = sum(frame.original_length - _UDP_OCTETS in (0, 40) for frame in capture)
    return seen
