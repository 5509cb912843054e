"""What classification sees in a frame, and what opening finds in it: two small tuples that everything here hands on."""

from __future__ import annotations

from typing import Final, NamedTuple

from lab.coverage.census import CLEARTEXT, CONTROL, MALFORMED
from lab.coverage.evidence.identity import Used

FRAGMENT: Final = 9
"""A kind beside the census classes: an IP fragment, which has its datagram's class."""


class Fragment(NamedTuple):
    """One piece of an IP datagram; `offset` is in octets, `key` is alike for the pieces of one datagram."""

    key: tuple[bytes, bytes, int, int]
    protocol: int
    destination: bytes
    offset: int
    more: bool


class Sight(NamedTuple):
    """What was seen in a frame. A tuple, since one is made for each frame.

    `kind` is a census class or FRAGMENT. `start` and `end` bound the part to be opened: for MACsec from the TCI to the
    ICV's end, for MKA from the EAPOL header on, for IKE and ESP the message, for a fragment its payload. An ESP packet
    has its `destination`; so has TCP in clear, and its bounds are those of the segment. `reason` says what makes a
    malformed frame so, and what was cut from a frame by the snap length before its kind could be seen.
    """

    kind: int
    start: int = 0
    end: int = 0
    destination: bytes = b""
    reason: str = ""
    fragment: Fragment | None = None


CONTROL_SEEN: Final = Sight(CONTROL)
CLEARTEXT_SEEN: Final = Sight(CLEARTEXT)


def malformed(reason: str) -> Sight:
    """A frame that its standard forbids."""
    return Sight(MALFORMED, reason=reason)


def too_short(octets: bytes, length: int, what: str) -> Sight:
    """The frame of `length` octets ends before `what` does, or its captured octets do."""
    if len(octets) < length:
        return Sight(CLEARTEXT, reason=f"cut before its {what}")
    return malformed(f"too short for its {what}")


class Found(NamedTuple):
    """What opening found in one unit.

    `kind` is the census class, which may be malformed after all. `outcome` is None where there is nothing to check.
    `content` is what was inside: for MACsec the frame without SecTAG and ICV, for ESP the payload with its trailer, for
    IKE the message with the content of its SK or SKF payload deciphered, or as it is where nothing is enciphered.
    `reason` says in words why the unit is not authenticated, or what is odd about it. `used` is there with an authentic
    unit of MACsec, ESP or IKE.
    """

    kind: int
    outcome: int | None
    content: bytes = b""
    reason: str = ""
    used: Used | None = None


def forbidden(reason: str) -> Found:
    """A unit that turns out malformed when it is opened."""
    return Found(MALFORMED, None, reason=reason)
