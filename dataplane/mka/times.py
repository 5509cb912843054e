"""MKA's times in seconds (802.1X-2020 Table 9-3). The engine reads no clock; callers' `now` is compared with these."""

from __future__ import annotations

from typing import Final

HELLO: Final = 2.0
"""Between two MKPDUs of a participant that has nothing new to say."""
BOUNDED_HELLO: Final = 0.5
"""The same with delay protection; also while something is under way, so that a lost MKPDU costs little."""
LIFE: Final = 6.0
"""How long a peer stays without proof that it is live; how long a key server waits for receivers, or for stragglers."""
SAK_RETIRE: Final = 3.0
"""How long the old SAK still receives once its successor transmits."""
