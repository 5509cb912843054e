"""What happens in a lab, written down for people and programs, and told to those who listen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

Event = dict[str, object]


class EventLog:
    """Appends events to a file, one JSON object a line.

    Each event has a number `seq`, from 1, without gaps, the `time` in UTC, and its name, `event`. What a full disk does
    not take is `unwritten`, so that its reader can be told; the lab goes on.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._listeners: list[Callable[[Event], None]] = []
        self.last_seq = 0
        self.unwritten = 0

    def record(self, name: str, fields: Mapping[str, object]) -> None:
        """Write an event down and tell the listeners."""
        self.last_seq += 1
        event: Event = {
            "seq": self.last_seq,
            "time": datetime.now(UTC).isoformat(timespec="microseconds"),
            "event": name,
            **fields,
        }
        self._write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        for listener in tuple(self._listeners):
            listener(event)

    def _write(self, line: bytes) -> None:
        end = os.fstat(self._descriptor).st_size
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            self.unwritten += 1
            os.ftruncate(self._descriptor, end)  # no half a line

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell `listener` every event from now on, until what is given back is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
