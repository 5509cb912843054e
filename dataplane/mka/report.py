"""What a KaY tells the other members of its keys: SAK Use, the SAK on its way, XPN; and what it reads in theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, final

from dataplane.mka.agreed import AgreedSak
from dataplane.mka.cp import Cp
from dataplane.mka.lowestpn import LowestPn
from dataplane.mka.mkpdu import Mkpdu
from dataplane.mka.paramsets.sakuse import KeyIdentifier, KeyUse, SakUse, Xpn

_LOW_MASK: Final = (1 << 32) - 1
_FIRST_PN: Final = 1


@final
class KeyReport:
    """Our use of the SAKs, with the lowest PNs that the driver's readings give."""

    def __init__(self, cp: Cp, *, delay_protect: bool) -> None:
        self._cp: Final = cp
        self._delay_protect: Final = delay_protect
        self._lowest: Final[dict[KeyIdentifier, LowestPn]] = {}

    def note(self, next_pn: Mapping[int, int], now: float) -> Iterator[tuple[AgreedSak, int]]:
        """Take readings of our transmit SAs' next PNs, by AN; give them by SAK."""
        held = [agreed for agreed in (self._cp.latest, self._cp.old) if agreed is not None]
        names = {agreed.identifier for agreed in held}
        for gone in self._lowest.keys() - names:
            del self._lowest[gone]
        for agreed in held:
            if agreed.an in next_pn:
                self._lowest.setdefault(agreed.identifier, LowestPn()).note(next_pn[agreed.an], now)
                yield agreed, next_pn[agreed.an]

    def sak_use(self) -> SakUse | None:
        """The SAK Use set; None while there is no SAK."""
        cp = self._cp
        if cp.latest is None and cp.old is None:
            return None
        return SakUse(
            latest=self._use(cp.latest, transmits=cp.latest_transmits, receives=cp.latest_receives),
            old=self._use(cp.old, transmits=cp.old_transmits, receives=True),
            delay_protect=self._delay_protect,
        )

    def xpn(self) -> Xpn:
        """The upper halves that belong to it."""
        return Xpn(latest_high=self._lowest_pn(self._cp.latest) >> 32, old_high=self._lowest_pn(self._cp.old) >> 32)

    def _use(self, agreed: AgreedSak | None, *, transmits: bool, receives: bool) -> KeyUse:
        if agreed is None:
            return KeyUse(lowest_pn=_FIRST_PN)  # some peers refuse a 0 here, even of no key
        return KeyUse(
            identifier=agreed.identifier,
            an=agreed.an,
            transmits=transmits,
            receives=receives,
            lowest_pn=self._lowest_pn(agreed) & _LOW_MASK,
        )

    def _lowest_pn(self, agreed: AgreedSak | None) -> int:
        reading = None if agreed is None else self._lowest.get(agreed.identifier)
        return _FIRST_PN if reading is None else reading.value


def lowest_pns(mkpdu: Mkpdu, *, xpn: bool) -> Iterator[tuple[KeyIdentifier, int]]:
    """The lowest acceptable PNs that an MKPDU tells, by SAK; with `xpn` the upper halves count."""
    sak_use, upper = mkpdu.find(SakUse), (mkpdu.find(Xpn) if xpn else None) or Xpn()
    if sak_use is not None and sak_use.latest is not None and sak_use.old is not None:
        yield sak_use.latest.identifier, upper.latest_high << 32 | sak_use.latest.lowest_pn
        yield sak_use.old.identifier, upper.old_high << 32 | sak_use.old.lowest_pn
