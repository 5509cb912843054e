"""nftables, by the `nft` command: what leaves a device, diverted to another one, and the device given back.

The command works in the network namespace that this process is in. Only a man in the middle needs it: a lab without
one does without the command, too.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Final

from lab.errors import MachineError
from lab.host.programs import NFT_OF_WIRES

_GLANCE: Final = 0.001  # seconds between two looks at whether the command has ended

Meanwhile = Callable[[], None]


def divert(device: str, to: str, *, mark: int) -> None:
    """Hand every frame that is about to leave `device` to the device `to` instead, but for those that bear `mark`.

    A frame that bears it leaves as ever. While there is no device `to`, the others are lost.

    Raises:
        MachineError: there is no nft command, or the kernel cannot do it.
    """
    of_chain = {"family": "netdev", "table": _table(device), "chain": "egress"}
    not_ours = {"match": {"op": "!=", "left": {"meta": {"key": "mark"}}, "right": mark}}
    _apply(
        {"add": {"table": {"family": "netdev", "name": _table(device)}}},
        {
            "add": {
                "chain": {"family": "netdev", "table": _table(device), "name": "egress"}
                | {"type": "filter", "hook": "egress", "dev": device, "prio": 0, "policy": "accept"}
            }
        },
        {"add": {"rule": of_chain | {"expr": [not_ours, {"fwd": {"dev": to}}]}}},
    )


def restore(device: str, meanwhile: Meanwhile | None = None) -> None:
    """Divert nothing any more; nothing happens when nothing was. `meanwhile` is called until it is done.

    Raises:
        MachineError: there is no nft command, or the kernel refused.
    """
    table = {"table": {"family": "netdev", "name": _table(device)}}
    _apply({"add": table}, {"delete": table}, meanwhile=meanwhile)  # what is not there cannot be deleted


def version() -> str:
    """What the command says of itself.

    Raises:
        MachineError: there is none.
    """
    return subprocess.run([_command(), "--version"], capture_output=True, text=True, check=False).stdout.strip()


def _table(device: str) -> str:
    return f"wireproof-{device}"


def _command() -> str:
    found = NFT_OF_WIRES.find()
    if found is None:
        raise MachineError(
            "there is no nft command, by which one gets between the ends of a wire", fix=NFT_OF_WIRES.fix
        )
    return found


def _apply(*commands: object, meanwhile: Meanwhile | None = None) -> None:
    """Apply all of the commands or, if one of them fails, none."""
    with subprocess.Popen(
        [_command(), "-j", "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps({"nftables": commands}).encode())
        process.stdin.close()
        while meanwhile is not None and process.poll() is None:
            meanwhile()
            time.sleep(_GLANCE)
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise MachineError(
            f"nft could not do it: {said or f'exit code {process.returncode}'}",
            fix="use a kernel of version 5.16 or later, with nftables' netdev family and its egress hook",
        )
