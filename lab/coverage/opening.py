"""Opening what classification saw: hands each unit to the protocol's opener. One of these is made for each capture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from lab.capture.burst import Burst
from lab.capture.frame import ETHERNET, Frame
from lab.capture.keys import EspSa, IkeSa, IkeSk, Key, MacsecSak, MkaCak
from lab.coverage.census import ESP, IKE, MACSEC_ENCRYPTED, MACSEC_INTEGRITY_ONLY, MKA, NO_KEY
from lab.coverage.classify import ethernet
from lab.coverage.columns import word
from lab.coverage.esp import EspOpener
from lab.coverage.ike import IkeOpener
from lab.coverage.macsec import MacsecOpener
from lab.coverage.mka import MkaOpener
from lab.coverage.sight import Found, Sight

_NO_ADDRESSES: Final = "the ICV covers MAC addresses, and this link type has none"


@final
class Learning:
    """The first of two passes: learns from the MKPDUs of a whole capture which SAKs they distribute.

    A SAK opens what was sent before its MKPDU too: a capture may have seen several copies, or the frames in disorder.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        caks = [key for key in keys if isinstance(key, MkaCak)]
        self.is_needed: Final = bool(caks)
        self.mka: Final = MkaOpener(caks)

    def burst(self, burst: Burst) -> None:
        """Look at many frames."""
        octets = np.frombuffer(burst.data, np.uint8)
        rows = np.flatnonzero(burst.ends - burst.starts >= 26)  # longer than any MKPDU is short
        may_be = np.zeros(len(rows), np.bool_)
        for at in range(12, 26, 2):
            may_be |= word(octets, burst.starts[rows] + at) == 0x888E
        for frame in burst.frames(rows[may_be]):
            self.frame(frame)

    def frame(self, frame: Frame) -> None:
        """Look at one frame."""
        octets = frame.octets
        if frame.link_type != ETHERNET or b"\x88\x8e" not in octets[12:26] or len(octets) < frame.original_length:
            return
        sight = ethernet(octets, len(octets))
        if sight.kind == MKA:
            self.mka.open(octets, sight.start, sight.end)


@final
class Openers:
    """Every key of a key log, and the SAKs that were learned, ready to open."""

    def __init__(self, keys: Sequence[Key], learned: Learning, *, reveal: bool) -> None:
        """Prepare the keys; `reveal` says that contents are wanted even where they cost extra to decipher."""
        self._mka: Final = learned.mka
        self.macsec: Final = MacsecOpener((k for k in keys if isinstance(k, MacsecSak)), learned.mka.distributed())
        self.esp: Final = EspOpener((k for k in keys if isinstance(k, EspSa)), reveal=reveal)
        self._ike: Final = IkeOpener(k for k in keys if isinstance(k, IkeSa | IkeSk))

    def open(self, sight: Sight, octets: bytes, link_type: int) -> Found:
        """Check and open one unit; what needs no opening is found as it was seen."""
        kind, start, end, destination, reason, _ = sight
        if kind in (MACSEC_ENCRYPTED, MACSEC_INTEGRITY_ONLY):
            if link_type != ETHERNET:
                return Found(kind, NO_KEY, reason=_NO_ADDRESSES)
            return self.macsec.open(octets, start, end)
        if kind == ESP:
            return self.esp.open(octets[start:end], destination)
        if kind == IKE:
            return self._ike.open(octets[start:end])
        if kind == MKA:
            if link_type != ETHERNET:
                return Found(kind, NO_KEY, reason=_NO_ADDRESSES)
            return self._mka.open(octets, start, end)
        return Found(kind, None, reason=reason)

    def kind(self, sight: Sight, octets: bytes) -> int:
        """The census class of a unit that cannot be opened, for parts of it are missing."""
        if sight.kind == ESP:
            sas = self.esp.candidates(octets[sight.start : sight.start + 4], sight.destination)
            return sas[0].kind if sas else ESP
        return sight.kind
