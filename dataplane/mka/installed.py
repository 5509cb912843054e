"""What the SecY holds because of us, so that each order to it is given once and none is forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, final

from dataplane.mka.agreed import AgreedSak
from dataplane.mka.events import (
    CreateReceiveSa,
    CreateReceiveSc,
    CreateTransmitSa,
    DeleteReceiveSa,
    DeleteReceiveSc,
    DeleteTransmitSa,
    EnableReceiveSa,
    EnableTransmitSa,
    KayEvent,
    RaiseLowestPn,
)
from dataplane.mka.paramsets.sakuse import KeyIdentifier


@final
class Installed:
    """SCs and SAs of one SecY. Orders go into `events`."""

    def __init__(self, sci: bytes, events: deque[KayEvent]) -> None:
        self._sci: Final = sci
        self._events: Final = events
        self._transmit: Final[dict[int, AgreedSak]] = {}
        self._receive: Final[dict[bytes, dict[int, AgreedSak]]] = {}
        self._receiving: Final[dict[KeyIdentifier, set[bytes]]] = {}
        self._told_pn: Final[dict[tuple[bytes, int], int]] = {}

    def create(self, agreed: AgreedSak, mi: bytes) -> None:
        """A transmit SA for a SAK, our MI being `mi`. What still uses its AN goes first."""
        if agreed.an in self._transmit:
            self.delete(self._transmit[agreed.an])
        self._transmit[agreed.an] = agreed
        self._events.append(
            CreateTransmitSa(
                sci=self._sci, an=agreed.an, sak=agreed.sak, ssci=agreed.ssci(mi), identifier=agreed.identifier
            )
        )

    def receive_from(self, agreed: AgreedSak, peers: Mapping[bytes, bytes]) -> None:
        """Receive with a SAK from these peers, SCIs by MI, where it does not yet.

        Under an XPN suite only members of the SAK have an SSCI. Otherwise whoever has the SAK may be heard: there are
        key servers that give it to a late joiner before they list it.
        """
        receiving = self._receiving.setdefault(agreed.identifier, set())
        for mi, sci in peers.items():
            if sci == self._sci or (agreed.sak.suite.xpn and mi not in agreed.members):
                continue
            receiving.add(mi)
            if sci not in self._receive:
                self._receive[sci] = {}
                self._events.append(CreateReceiveSc(sci=sci))
            channel = self._receive[sci]
            former = channel.get(agreed.an)
            if former is agreed:
                continue
            if former is not None:
                self._delete_receive(sci, agreed.an)
            channel[agreed.an] = agreed
            self._events.append(
                CreateReceiveSa(
                    sci=sci, an=agreed.an, sak=agreed.sak, ssci=agreed.ssci(mi), identifier=agreed.identifier
                )
            )
            self._events.append(EnableReceiveSa(sci=sci, an=agreed.an))

    def receives_from_all(self, agreed: AgreedSak, own_mi: bytes) -> bool:
        """Whether every member of a SAK but us has been heard, so that there is a receive SA for it."""
        return agreed.members.keys() - {own_mi} <= self._receiving.get(agreed.identifier, set())

    def enable_transmit(self, agreed: AgreedSak) -> None:
        """Transmit with a SAK, and with no other."""
        self._events.append(EnableTransmitSa(an=agreed.an))

    def delete(self, agreed: AgreedSak) -> None:
        """Delete all SAs of a SAK."""
        self._receiving.pop(agreed.identifier, None)
        for sci, channel in self._receive.items():
            if channel.get(agreed.an) is agreed:
                self._delete_receive(sci, agreed.an)
        if self._transmit.get(agreed.an) is agreed:
            del self._transmit[agreed.an]
            self._events.append(DeleteTransmitSa(an=agreed.an))

    def keep_only(self, scis: set[bytes]) -> None:
        """Delete the SCs of all others."""
        for sci in [sci for sci in self._receive if sci not in scis]:
            for an in self._receive.pop(sci):
                self._told_pn.pop((sci, an), None)
            self._events.append(DeleteReceiveSc(sci=sci))

    def raise_pn(self, agreed: AgreedSak, sci: bytes, lowest_pn: int) -> None:
        """Tell the SecY the lowest PN to accept, if it does not know one as high."""
        channel = self._receive.get(sci, {})
        if channel.get(agreed.an) is agreed and lowest_pn > self._told_pn.get((sci, agreed.an), 1):
            self._told_pn[sci, agreed.an] = lowest_pn
            self._events.append(RaiseLowestPn(sci=sci, an=agreed.an, lowest_pn=lowest_pn))

    def _delete_receive(self, sci: bytes, an: int) -> None:
        del self._receive[sci][an]
        self._told_pn.pop((sci, an), None)
        self._events.append(DeleteReceiveSa(sci=sci, an=an))
