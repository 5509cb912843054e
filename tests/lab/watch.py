"""Run in a node: print every frame of a device, as hex, with whether it came in or went out, until told to stop."""

from __future__ import annotations

import contextlib
import select
import signal
import sys
from types import FrameType

from lab.host.packet import open_packet_socket

_OUTGOING = 4  # PACKET_OUTGOING


def main() -> None:
    """Print `ready`, then the frames."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    opened = open_packet_socket(sys.argv[1], outgoing=True)
    print("ready", flush=True)
    while True:
        select.select([opened], [], [], 0.05)
        with contextlib.suppress(BlockingIOError):
            while True:
                octets, address = opened.recvfrom(65536)
                print("out" if address[2] == _OUTGOING else "in", octets.hex(), flush=False)
        if stopped:
            return


if __name__ == "__main__":
    main()
