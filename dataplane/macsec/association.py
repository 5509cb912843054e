"""Secure associations: a SAK at work in one direction under one AN, and how far its packet numbers have come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, final

from dataplane.antireplay import Bitmap, LowestAcceptable
from dataplane.crypto.aead import Aead, aes_gcm
from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.macsec.controls import Verification
from dataplane.macsec.counters import ReceiveSaCounters, TransmitSaCounters
from dataplane.macsec.events import PnExhausted, PnThresholdReached, SecyEvent
from dataplane.macsec.nonce import Nonces
from dataplane.macsec.suites import SALT_OCTETS, CipherSuite
from dataplane.wire.sectag import AN_MASK

CONFIDENTIALITY_OFFSETS: Final = (0, 30, 50)
GREATEST_XPN_WINDOW: Final = (1 << 30) - 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sak:
    """A secure association key and what is agreed together with it (802.1AE-2018 10.7.26).

    `confidentiality` says whether a transmit SA encrypts; `confidentiality_offset` is the number of octets, from the
    inner EtherType on, that stay readable when it does; `salt` has 12 octets with an XPN suite and is empty otherwise.
    802.1AE-2018 gives XPN suites no offset; here they do the same arithmetic as the others.

    Raises:
        LocalError: key, salt or offset are none that the suite can have.
    """

    suite: CipherSuite
    key: Secret
    salt: bytes = b""
    confidentiality: bool = True
    confidentiality_offset: int = 0

    def __post_init__(self) -> None:
        if len(self.key) != self.suite.key_octets:
            raise LocalError(f"a SAK of {self.suite.name} has {self.suite.key_octets} octets, not {len(self.key)}")
        salt_octets = SALT_OCTETS if self.suite.xpn else 0
        if len(self.salt) != salt_octets:
            raise LocalError(f"the salt of {self.suite.name} has {salt_octets} octets, not {len(self.salt)}")
        if self.confidentiality_offset not in CONFIDENTIALITY_OFFSETS:
            raise LocalError(f"a confidentiality offset is 0, 30 or 50, not {self.confidentiality_offset}")

    def nonces(self, sci: bytes, ssci: bytes | None) -> Nonces:
        """The nonces of an SA of the SC with this SCI, which has this SSCI under an XPN suite.

        Raises:
            LocalError: an SSCI is missing or superfluous, or either has another length.
        """
        if not self.suite.xpn:
            if ssci is not None:
                raise LocalError(f"{self.suite.name} knows no SSCI")
            return Nonces.for_sci(sci)
        if ssci is None:
            raise LocalError(f"{self.suite.name} needs the SSCI of each SC")
        return Nonces.for_ssci(ssci, self.salt)


def check_an(an: int) -> int:
    """The AN itself.

    Raises:
        LocalError: it is not 0 to 3.
    """
    if not 0 <= an <= AN_MASK:
        raise LocalError(f"an AN is 0 to {AN_MASK}, not {an}")
    return an


@final
class TransmitSa:
    """A transmit SA (802.1AE-2018 10.7.21, 10.7.22). `tag` is its SecTAG with SL and PN 0; `next_pn` the PN to come."""

    __slots__ = ("_events", "_threshold", "aead", "an", "counters", "in_use", "next_pn", "nonces", "sak", "tag")

    def __init__(
        self, an: int, sak: Sak, *, nonces: Nonces, tag: bytes, next_pn: int, threshold: int, events: deque[SecyEvent]
    ) -> None:
        if not 1 <= next_pn <= sak.suite.greatest_pn:
            raise LocalError(f"a PN of {sak.suite.name} is 1 to {sak.suite.greatest_pn:#x}, not {next_pn:#x}")
        self.an: Final = an
        self.sak: Final = sak
        self.aead: Final[Aead] = aes_gcm(sak.key.reveal())
        self.nonces: Final = nonces
        self.tag: Final = tag
        self.counters: Final = TransmitSaCounters()
        self.next_pn = next_pn
        self.in_use = False
        self._threshold = threshold
        self._events: Final = events

    def covered(self, user_octets: int) -> int:
        """How many octets of so much User Data are authenticated but stay readable."""
        if not self.sak.confidentiality:
            return user_octets
        return min(self.sak.confidentiality_offset, user_octets)

    def take(self, count: int) -> int:
        """Take up to `count` PNs, beginning with `next_pn`; give how many there were. The last one ends the SA."""
        left = self.sak.suite.greatest_pn + 1 - self.next_pn
        taken = min(count, left)
        self.next_pn += taken
        if self.next_pn >= self._threshold:
            self._events.append(PnThresholdReached(an=self.an, next_pn=self.next_pn))
            self._threshold = self.sak.suite.greatest_pn + 2  # never again
        if taken == left:  # 802.1AE-2018 10.5.2: no PN is ever used twice
            self.in_use = False
            self._events.append(PnExhausted(an=self.an))
        return taken


@final
class ReceiveSa:
    """A receive SA (802.1AE-2018 10.7.13, 10.7.14). nextPN and lowestPN are `window.next` and `window.lowest`."""

    __slots__ = ("aead", "an", "counters", "in_use", "nonces", "sak", "window")

    def __init__(
        self, an: int, sak: Sak, *, nonces: Nonces, window: LowestAcceptable, counters: ReceiveSaCounters
    ) -> None:
        self.an: Final = an
        self.sak: Final = sak
        self.aead: Final[Aead] = aes_gcm(sak.key.reveal())
        self.nonces: Final = nonces
        self.window: Final = window
        self.counters: Final = counters
        self.in_use = False


def replay_window(suite: CipherSuite, controls: Verification, *, next_pn: int, lowest_pn: int) -> LowestAcceptable:
    """The window of a new receive SA.

    Raises:
        LocalError: the size or the PNs are none that the suite, or the strict option, can have.
    """
    size = controls.replay_window
    if suite.xpn and size > GREATEST_XPN_WINDOW:  # 802.1AE-2018 10.7.8: else 10.6.2 could not recover the upper half
        raise LocalError(f"with {suite.name} a replay window is at most {GREATEST_XPN_WINDOW}, not {size}")
    if max(next_pn, lowest_pn) > suite.greatest_pn:
        raise LocalError(f"a PN of {suite.name} is at most {suite.greatest_pn:#x}")
    # Strict order, size 0, accepts no PN twice as it is.
    kind = Bitmap if controls.strict_replay and size else LowestAcceptable
    return kind(size, next_number=next_pn, lowest=lowest_pn)
