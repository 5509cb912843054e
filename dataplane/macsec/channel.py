"""Secure channels and the verbs by which keys come, take over and go (802.1AE-2018 10.7.11 to 10.7.23).

Four ANs let the SAs of a channel overlap: a successor is created and enabled for reception everywhere before anybody
transmits with it, and its predecessor is deleted only after that.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.macsec.association import ReceiveSa, Sak, TransmitSa, check_an, replay_window
from dataplane.macsec.controls import Controls, SciEncoding
from dataplane.macsec.counters import ReceiveChannelCounters, ReceiveSaCounters, TransmitChannelCounters
from dataplane.macsec.events import SecyEvent
from dataplane.wire.sectag import SCI_OCTETS, SecTag

ANS: Final = 4


def check_sci(sci: bytes) -> bytes:
    """The SCI itself.

    Raises:
        LocalError: it has not 8 octets.
    """
    if len(sci) != SCI_OCTETS:
        raise LocalError(f"an SCI has {SCI_OCTETS} octets, not {len(sci)}")
    return bytes(sci)


@final
class TransmitChannel:
    """Our own SC. At most one SA sends at a time; `encoding_sa` is that one, also when its PNs are used up."""

    def __init__(self, sci: bytes, controls: Controls, events: deque[SecyEvent]) -> None:
        self.sci: Final = check_sci(sci)
        self.counters: Final = TransmitChannelCounters()
        self.encoding_sa: TransmitSa | None = None
        self._sas: Final[list[TransmitSa | None]] = [None] * ANS
        self._controls: Final = controls
        self._events: Final = events

    def sa(self, an: int) -> TransmitSa | None:
        """The SA of this AN, if there is one."""
        return self._sas[check_an(an)]

    def create_sa(
        self, an: int, sak: Sak, *, ssci: bytes | None = None, next_pn: int = 1, pn_threshold: int | None = None
    ) -> None:
        """Create an SA that does not send yet (802.1AE-2018 10.7.21).

        `next_pn` is its first PN; whoever lets a key come back is responsible that no PN does. `pn_threshold` is the
        next PN at which `PnThresholdReached` is told, by default that of 802.1X-2020 9.8.

        Raises:
            LocalError: the AN is in use, another SA here has the same key, or a parameter is not the suite's.
        """
        if self.sa(an) is not None:
            raise LocalError(f"the transmit SA with AN {an} is still there: delete it first")
        if any(sa is not None and sa.sak.key == sak.key for sa in self._sas):
            raise LocalError("two transmit SAs with one SAK would use nonces twice")
        encoding = self._controls.generation.sci_encoding
        tag = SecTag(
            es=encoding is SciEncoding.END_STATION,
            scb=encoding is SciEncoding.SCB,
            encrypted=sak.confidentiality,
            changed=sak.confidentiality,
            an=an,
            pn=0,
            sci=self.sci if encoding is SciEncoding.EXPLICIT else None,
        )
        self._sas[an] = TransmitSa(
            an,
            sak,
            nonces=sak.nonces(self.sci, ssci),
            tag=tag.emit(),
            next_pn=next_pn,
            threshold=sak.suite.pending_pn_exhaustion if pn_threshold is None else pn_threshold,
            events=self._events,
        )

    def enable_sa(self, an: int) -> None:
        """Send with this SA from now on, and with no other (802.1AE-2018 10.7.23).

        Raises:
            LocalError: there is no such SA, or its PNs are used up.
        """
        sa = self._existing(an)
        if sa.next_pn > sa.sak.suite.greatest_pn:
            raise LocalError(f"the transmit SA with AN {an} has used its last PN")
        if self.encoding_sa is not None:
            self.encoding_sa.in_use = False
        self.encoding_sa = sa
        sa.in_use = True

    def skip_pns(self, an: int, next_pn: int) -> None:
        """Leave out PNs, up to this one; never back. For whoever wants to see what happens when they run out.

        Raises:
            LocalError: there is no such SA, the PN has been used, or the suite has no such PN.
        """
        sa = self._existing(an)
        if not sa.next_pn <= next_pn <= sa.sak.suite.greatest_pn:
            raise LocalError(f"the next PN is {sa.next_pn:#x}; it can become that to {sa.sak.suite.greatest_pn:#x}")
        sa.next_pn = next_pn

    def disable_sa(self, an: int) -> None:
        """Send no more with this SA.

        Raises:
            LocalError: there is no such SA.
        """
        self._existing(an).in_use = False

    def delete_sa(self, an: int) -> None:
        """Delete an SA and its key.

        Raises:
            LocalError: there is no such SA.
        """
        if self._existing(an) is self.encoding_sa:
            self.encoding_sa = None
        self._sas[an] = None

    def _existing(self, an: int) -> TransmitSa:
        sa = self.sa(an)
        if sa is None:
            raise LocalError(f"there is no transmit SA with AN {an}")
        return sa


@final
class ReceiveChannel:
    """A peer's SC (802.1AE-2018 10.7.11). Any of its SAs receives while it is enabled."""

    def __init__(self, sci: bytes, controls: Controls) -> None:
        self.sci: Final = check_sci(sci)
        self._controls: Final = controls
        self.counters: Final = ReceiveChannelCounters()
        self.sa_counters: Final = [ReceiveSaCounters() for _ in range(ANS)]
        self._sas: Final[list[ReceiveSa | None]] = [None] * ANS

    def sa(self, an: int) -> ReceiveSa | None:
        """The SA of this AN, if there is one."""
        return self._sas[check_an(an)]

    def receiving_sa(self, an: int) -> ReceiveSa | None:
        """The SA of this AN, if there is one and it is enabled. The AN is of two bits."""
        sa = self._sas[an]
        return sa if sa is not None and sa.in_use else None

    def create_sa(self, an: int, sak: Sak, *, ssci: bytes | None = None, next_pn: int = 1, lowest_pn: int = 1) -> None:
        """Create an SA that does not receive yet (802.1AE-2018 10.7.13). `ssci` is the peer's.

        Raises:
            LocalError: the AN is in use, or a parameter is not the suite's.
        """
        if self.sa(an) is not None:
            raise LocalError(f"the receive SA with AN {an} is still there: delete it first")
        nonces = sak.nonces(self.sci, ssci)
        window = replay_window(sak.suite, self._controls.verification, next_pn=next_pn, lowest_pn=lowest_pn)
        self.sa_counters[an] = ReceiveSaCounters()
        self._sas[an] = ReceiveSa(an, sak, nonces=nonces, window=window, counters=self.sa_counters[an])

    def enable_sa(self, an: int) -> None:
        """Receive with this SA from now on (802.1AE-2018 10.7.15).

        Raises:
            LocalError: there is no such SA.
        """
        self._existing(an).in_use = True

    def disable_sa(self, an: int) -> None:
        """Receive no more with this SA.

        Raises:
            LocalError: there is no such SA.
        """
        self._existing(an).in_use = False

    def raise_pn(self, an: int, *, next_pn: int = 1, lowest_pn: int = 1) -> None:
        """Move nextPN and lowestPN forward to what the peer has told; never back (802.1AE-2018 10.7.15).

        Raises:
            LocalError: there is no such SA, or its suite has no such PN.
        """
        sa = self._existing(an)
        if max(next_pn - 1, lowest_pn) > sa.sak.suite.greatest_pn:
            raise LocalError(f"a PN of {sa.sak.suite.name} is at most {sa.sak.suite.greatest_pn:#x}")
        sa.window.raise_to(next_number=next_pn, lowest=lowest_pn)

    def delete_sa(self, an: int) -> None:
        """Delete an SA and its key.

        Raises:
            LocalError: there is no such SA.
        """
        self._existing(an)
        self._sas[an] = None

    def _existing(self, an: int) -> ReceiveSa:
        sa = self.sa(an)
        if sa is None:
            raise LocalError(f"there is no receive SA with AN {an} of SCI {self.sci.hex()}")
        return sa
