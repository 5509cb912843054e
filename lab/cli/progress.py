"""A progress bar over octets, on standard error, for people who wait; nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE = 0.1  # seconds between two looks of the bar


@contextmanager
def octets_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give what is to be called with how many octets more are done. The bar vanishes at the end.

    It is drawn by the caller's own thread: verify's workers are forks, and a fork wants no other thread.
    """
    if not sys.stderr.isatty():
        yield lambda octets: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, auto_refresh=False
    )
    with progress:
        task = progress.add_task(label, total=total or None)
        drawn = time.monotonic()

        def advance(octets: int) -> None:
            nonlocal drawn
            progress.advance(task, octets)
            if time.monotonic() - drawn >= PAUSE:
                progress.refresh()
                drawn = time.monotonic()

        yield advance
