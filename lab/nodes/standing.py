"""How a connection stands, in the words that Azure shows, why it does not stand better, and when to try again."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, final

from dataplane.ike.events import Cause

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


class State(enum.StrEnum):
    """Azure's connectionStatus."""

    UNKNOWN = "Unknown"
    CONNECTING = "Connecting"
    CONNECTED = "Connected"
    NOT_CONNECTED = "NotConnected"


@final
@dataclass(slots=True, kw_only=True)
class Standing:
    """One end of a connection. All times are on the loop's clock.

    `cause` and `detail` say what went wrong last; a connection that comes up forgets them, one that stays up although
    a rekey failed does not. `is_down`: somebody wants it so. `retry_at` is when to begin again.
    """

    state: State = State.UNKNOWN
    since: float = 0.0
    cause: Cause | None = None
    detail: str = ""
    is_down: bool = False
    connected_at: float | None = None
    connects: int = 0
    failures: int = 0
    retry_at: float | None = None
    _pause: float = _FIRST_PAUSE

    def become(self, state: State, now: float) -> bool:
        """Stand so from now on; whether that is a change."""
        if state is self.state:
            return False
        self.state, self.since = state, now
        if state is State.CONNECTED:
            self.connected_at = now
            self.connects += 1
            self._pause = _FIRST_PAUSE
            self.retry_at = None
            self.cause, self.detail = None, ""
        return True

    def blame(self, cause: Cause, detail: str) -> None:
        """Note why."""
        self.failures += 1
        self.cause, self.detail = cause, detail

    def pause(self, now: float) -> None:
        """Try again after a while, each time a longer one."""
        self.retry_at = now + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    @property
    def why(self) -> str:
        """What went wrong, in a sentence; empty if nothing did."""
        if self.cause is None:
            return ""
        return f"{self.cause.value}: {self.detail}" if self.detail else self.cause.value
