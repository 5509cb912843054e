"""What ESP's auditable events become (RFC 4303 4): events of the lab's log, not so many that a flood drowns it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from dataplane.esp.events import Audited

_PER_SECOND: Final = 5


@final
class Audit:
    """Tells up to a few events each second; the others are counted. Every packet is in the engines' counters."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self.untold = 0
        self._tell: Final = tell
        self._second = -1
        self._left = 0

    def note(self, connection: str | None, event: Audited) -> None:
        """Tell an event of a connection, or of none that is known."""
        if int(event.at) != self._second:
            self._second, self._left = int(event.at), _PER_SECOND
        if not self._left:
            self.untold += 1
            return
        self._left -= 1
        fields: dict[str, object] = {"reason": str(event.reason)}
        if connection is not None:
            fields["connection"] = connection
        if event.spi is not None:
            fields["spi"] = f"{event.spi:08x}"
        if event.sequence is not None:
            fields["sequence"] = event.sequence
        if event.flow is not None:
            fields |= {"source": str(event.flow.source), "destination": str(event.flow.destination)}
        self._tell("esp-discarded", **fields)
