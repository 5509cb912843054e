"""The first half of the fast way: what a burst's frames are, and whether they are authentic, many at a time.

Only what is beyond doubt is told: frames that are plainly one thing, captured whole, and authentic where they are
protected. All others are LEFT, for the plain way to look at. How far numbers have come is an argument, and nothing that
decides is kept, so that bursts can be looked at in any order, by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, TypeVar, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.capture.frame import ETHERNET
from lab.coverage import census
from lab.coverage.classify import ICV_OCTETS
from lab.coverage.columns import Heads, Internet, Mask, Octets, gather
from lab.coverage.esp import Sa as EspSa
from lab.coverage.evidence.residual import speakers
from lab.coverage.evidence.uses import Uses, eights, folded_ivs
from lab.coverage.numbers import Numbers, nearest_numbers
from lab.coverage.opening import Openers
from lab.coverage.sealed import Sealed
from lab.coverage.tokens import Tokens

LEFT: Final = 255
"""In the column of kinds: the plain way has to look at this frame."""
NOTHING: Final = 254
"""In the column of what is inside: there is no inside."""

_MOST_MISSES: Final = 4

State: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""How far the numbers of each MACsec SA and of each ESP SA have come."""


class Run(NamedTuple):
    """Rows that one SA opened, of frames or of what was inside them, and their PNs or sequence numbers.

    `guessed` says that only the lower halves were in the frames: the numbers are what is nearest to the state. `uses`
    tells how each unit was protected beside its number.
    """

    protocol: str
    sa: int
    inside: bool
    guessed: bool
    rows: Column
    numbers: Numbers
    uses: Uses


@dataclass(slots=True)
class Opened:
    """What was found: a row a frame its kind and what is inside MACsec, and by whom it was opened.

    `unsure` says that another state might have told more. The `speakers` are rows that are not LEFT, and show all that
    anybody can read in those.
    """

    kind: Octets
    inside: Octets
    runs: list[Run] = field(default_factory=list)
    unsure: bool = False
    speakers: Column = field(default_factory=lambda: np.empty(0, np.int64))


Sa = TypeVar("Sa")


@final
class Fast:
    """Looks at bursts with the keys of an `Openers`, and changes nothing there."""

    def __init__(self, openers: Openers, tokens: Tokens) -> None:
        self._macsec: Final = openers.macsec
        self._esp: Final = openers.esp
        self._tokens: Final = tokens
        # Which SA fitted last, by what its frames have in common; it is tried first.
        self._latest: Final[dict[object, int]] = {}

    def look(self, burst: Burst, rows: Column | None, state: State) -> Opened:
        """Look at the frames of a burst, or at these rows of it."""
        opened = Opened(np.full(len(burst), LEFT, np.uint8), np.full(len(burst), NOTHING, np.uint8))
        plain = np.flatnonzero(self._plain(burst, rows))
        heads = Heads(burst.data, burst.starts[plain] + 12, burst.ends[plain])
        rows = plain[heads.rows]
        self._internet(burst.data, heads.internet(), rows, state[1], opened, inside=False)
        sealed = Sealed(burst, heads, rows)
        places = self._macsec_runs(sealed, state[0], opened)
        hidden, readable = places[sealed.encrypted[places]], places[~sealed.encrypted[places]]
        room = bytes(sealed.room)
        if self._tokens:
            hidden = hidden[~self._held(room, sealed.into, sealed.until)[hidden]]
        for data, types_at, ends, here, kind in (
            (room, sealed.into, sealed.until, hidden, census.MACSEC_ENCRYPTED),
            (burst.data, sealed.body, sealed.ends - ICV_OCTETS, readable, census.MACSEC_INTEGRITY_ONLY),
        ):
            if len(here):
                heads = Heads(data, types_at[here], ends[here])
                rows = sealed.rows[here[heads.rows]]
                self._internet(data, heads.internet(), rows, state[1], opened, inside=True)
                opened.kind[rows[opened.inside[rows] != NOTHING]] = kind
        opened.speakers = speakers(burst, np.flatnonzero(opened.kind != LEFT))
        return opened

    def _macsec_runs(self, sealed: Sealed, state: Sequence[int], opened: Opened) -> Column:
        """Open what is plainly MACsec; give the places that were opened."""
        good: list[Column] = [np.empty(0, np.int64)]
        for sci, an, places in sealed.groups():
            sas = self._macsec.candidates(sci, an)
            found = self._settle((sci, an), places, sas, lambda sa, here: sealed.open(sa, here, state[sa.index]))
            if any(sa.xpn for sa in sas) and sum(len(here) for _, here, _ in found) < len(places):
                opened.unsure, found = True, []
            for sa, here, numbers in found:
                uses = sealed.uses(sa, here, numbers)
                opened.runs.append(Run("macsec", sa.index, False, sa.xpn, sealed.rows[here], numbers, uses))
                good.append(here)
        return np.sort(np.concatenate(good))

    def _internet(
        self, data: bytes, net: Internet, rows: Column, state: Sequence[int], opened: Opened, *, inside: bool
    ) -> None:
        """What is in IP packets: clear, or ESP that is authentic."""
        kinds = opened.inside if inside else opened.kind
        # Where tokens are looked for, they may lie across TCP segments.
        kinds[rows[net.clear & ~net.tcp if self._tokens else net.clear]] = census.CLEARTEXT
        for spi, destination, places in net.esp_groups():
            sas = self._esp.candidates(spi, destination)
            if not sas:
                continue
            found = self._settle(
                (spi, destination), places, sas, lambda sa, here: _open_esp(data, net, sa, here, state[sa.index])
            )
            if any(sa.esn for sa in sas) and sum(len(here) for _, here, _ in found) < len(places):
                opened.unsure, found = True, []
            for sa, here, numbers in found:
                if self._tokens:
                    free = self._free(data, net, sa, here, numbers)
                    here, numbers = here[free], numbers[free]
                kinds[rows[here]] = sa.kind
                uses = _esp_uses(data, net, sa, here, numbers)
                opened.runs.append(Run("esp", sa.index, inside, sa.esn, rows[here], numbers, uses))

    def _settle(
        self, key: object, places: Column, sas: Sequence[Sa], attempt: Callable[[Sa, Column], tuple[Mask, Numbers]]
    ) -> list[tuple[Sa, Column, Numbers]]:
        """Find the SA that opens each place: what fitted last is tried with all, others with one after the other."""
        found = []
        done: set[int] = set()
        misses = 0
        choice = self._latest.get(key, 0)
        while len(places) and sas:
            good, numbers = attempt(sas[choice], places)
            done.add(choice)
            if good.any():
                found.append((sas[choice], places[good], numbers[good]))
                self._latest[key] = choice
                places = places[~good]
            fitting = None
            while fitting is None and len(places) and len(done) < len(sas) and misses < _MOST_MISSES:
                others = (other for other in range(len(sas)) if other not in done)
                fitting = next((other for other in others if attempt(sas[other], places[:1])[0][0]), None)
                if fitting is None:
                    places, misses = places[1:], misses + 1
            if fitting is None:
                break
            choice = fitting
        return found

    def _free(self, data: bytes, net: Internet, sa: EspSa, places: Column, numbers: Numbers) -> Mask:
        """Which of these authentic packets hold no token."""
        assert sa.opener is not None
        free = np.ones(len(places), np.bool_)
        for place, (start, end, number) in enumerate(
            zip(net.starts[places].tolist(), net.ends[places].tolist(), numbers.tolist(), strict=True)
        ):
            high = (number >> 32).to_bytes(4, "big") if sa.esn else b""
            payload = sa.opener.open(data[start : start + 8], data[start + 8 : end], high)
            free[place] = payload is not None and not self._tokens.are_in(payload)
        return free

    def _plain(self, burst: Burst, rows: Column | None) -> Mask:
        """Whole Ethernet frames without a token in them."""
        ethernet = np.array([origin[0] == ETHERNET for origin in burst.origins], np.bool_)
        mask: Mask = ethernet[burst.origin] & (burst.ends - burst.starts == burst.lengths) & (burst.lengths >= 14)
        if rows is not None:
            chosen = np.zeros(len(burst), np.bool_)
            chosen[rows] = True
            mask &= chosen
        if self._tokens:
            mask &= ~self._held(burst.data, burst.starts, burst.ends)
        return mask

    def _held(self, data: bytes, starts: Column, ends: Column) -> Mask:
        """Which stretches of the data, that follow each other, may hold a token."""
        held = np.zeros(len(starts), np.bool_)
        places = self._tokens.places(data)
        near = np.searchsorted(starts, places, "right") - 1
        near, places = near[near >= 0], places[near >= 0]
        held[near[places < ends[near]]] = True
        return held


def _open_esp(data: bytes, net: Internet, sa: EspSa, places: Column, near: int) -> tuple[Mask, Numbers]:
    """Check these packets, all of one SPI and destination, with an SA that has come `near`."""
    starts, ends = net.starts[places], net.ends[places]
    low = gather(data, starts + 4, 4).view(">u4").astype(np.int64)
    numbers = nearest_numbers(low, near) if sa.esn else low.astype(np.uint64)
    good = np.zeros(len(places), np.bool_)
    if sa.opener is None:
        return good, numbers
    spare = ends - starts - 8 - sa.opener.least_octets
    fitting = np.flatnonzero((spare >= 0) & (spare % sa.opener.block_octets == 0))
    failed = sa.opener.failed(data, starts[fitting], ends[fitting], numbers[fitting] if sa.esn else None)
    good[np.delete(fitting, failed)] = True
    return good, numbers


def _esp_uses(data: bytes, net: Internet, sa: EspSa, places: Column, numbers: Numbers) -> Uses:
    """How these packets, which an SA opened, were protected."""
    assert sa.opener is not None
    bodies, ends = net.starts[places] + 8, net.ends[places]
    iv_octets, icv_octets = sa.opener.iv_octets, sa.opener.icv_octets
    return Uses(
        folded_ivs(data, bodies, iv_octets) if iv_octets else numbers,
        eights(data, ends - 8),
        ends - bodies - iv_octets - icv_octets,
    )
