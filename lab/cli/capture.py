"""`wireproof capture`: a segment's frames for whoever reads pcapng, while they arrive."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from lab.cli.console import note
from lab.cli.observe import lab_option
from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.labs import choose

_GLANCE = 0.05  # seconds between two looks at the growing file
_PIECE = 1 << 20


@click.command("capture")
@click.argument("segment")
@click.option("-w", "--write", "target", metavar="FILE", help="Where to; - is standard output, for a pipe.")
@click.option("--now", is_flag=True, help="Stop at the last frame there is now, instead of following.")
@lab_option
def capture_command(segment: str, target: str | None, now: bool, lab_name: str | None) -> None:
    """Copy what a segment carried since its first frame, and follow it until the lab is gone or you interrupt.

    \b
    wireproof capture ce--msee1 -w - | wireshark -k -i -
    wireproof capture ce--msee1 -w link1.pcapng --now
    """  # noqa: D301 - click's sign for lines that stay as they are
    folder = choose(lab_name)
    with Client(folder) as client, ExitStack() as stack:
        frames = client.ask("flush")
        if segment not in frames:
            raise InputError(f"there is no segment {segment!r}; there are {', '.join(sorted(frames))}")
        path = folder.captures / f"{segment}.pcapng"
        source = stack.enter_context(path.open("rb"))
        sink = _open(target, segment, stack)
        end = path.stat().st_size if now else None
        _copy(source, sink, end)
        try:
            while end is None:
                gone = client.ends_within(_GLANCE)
                _copy(source, sink, None)
                if gone:
                    break
        except KeyboardInterrupt:
            note("")
        if sink is not sys.stdout.buffer:
            note(f"{target}: {source.tell()} octets")


def _open(target: str | None, segment: str, stack: ExitStack) -> BinaryIO:
    if target == "-" or (target is None and not sys.stdout.isatty()):
        return sys.stdout.buffer
    if target is None:
        raise InputError(f"a capture is no text for a terminal: give -w {segment}.pcapng, or -w - and a pipe")
    try:
        return stack.enter_context(Path(target).open("wb"))
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None


def _copy(source: BinaryIO, sink: BinaryIO, end: int | None) -> None:
    """Copy what there is, up to offset `end`; the file's writer hands over whole blocks, so do we."""
    while piece := source.read(_PIECE if end is None else min(_PIECE, end - source.tell())):
        sink.write(piece)
    sink.flush()
