"""From a set's type to its record; a type that is not known is kept as it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from dataplane.mka.paramsets.announced import Announcement, Kmd
from dataplane.mka.paramsets.distributed import DistributedCak, DistributedSak
from dataplane.mka.paramsets.header import SetHeader
from dataplane.mka.paramsets.peerlists import LivePeerList, PotentialPeerList
from dataplane.mka.paramsets.sakuse import SakUse, Xpn


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSet:
    """A set of a type that this KaY does not know."""

    header: SetHeader
    body: bytes

    @property
    def kind(self) -> int:
        """The set's type."""
        return self.header.kind

    def emit(self) -> bytes:
        """The set's octets, as they came; padding becomes zeros."""
        return self.header.around(self.body)


ParameterSet = (
    LivePeerList | PotentialPeerList | SakUse | DistributedSak | DistributedCak | Kmd | Announcement | Xpn | UnknownSet
)

_PARSERS: Final[dict[int, Callable[[SetHeader, bytes], ParameterSet]]] = {
    int(known.kind): known.parse
    for known in (LivePeerList, PotentialPeerList, SakUse, DistributedSak, DistributedCak, Kmd, Announcement, Xpn)
}


def parse_set(header: SetHeader, body: bytes) -> ParameterSet:
    """The record of a set.

    Raises:
        WireError: a known type's body is not what its type demands.
    """
    parser = _PARSERS.get(header.kind)
    return UnknownSet(header=header, body=body) if parser is None else parser(header, body)
