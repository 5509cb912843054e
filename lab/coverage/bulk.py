"""The fast way through a burst: frames that are many and alike are classified as columns and opened in tight loops.

Only what the plain way would find authentic is counted here. Every other frame, and every one whose ICV does not fit
at once, is left to it: `Bulk` says nothing that `Observer` would not say, only sooner. It takes untagged Ethernet
frames captured whole: MACsec, encrypted, with an SA that is known; ESP to one SA that is known, in IPv4 without options
or fragmentation, by itself or on UDP port 4500.
"""

from __future__ import annotations

from typing import Final, NamedTuple, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.coverage import census
from lab.coverage.columns import Heads, Mask, Octets, groups, plain_inside
from lab.coverage.directions import Tally
from lab.coverage.macsec import Sa as MacsecSa
from lab.coverage.observe import Observer, Waiting

_SOURCE: Final = range(6, 12)
_MACSEC_KEY: Final = np.array([*_SOURCE, 14, *range(20, 28)])  # sender, TCI and AN, SCI
_SC: Final = 0x20


class _EspPlace(NamedTuple):
    """Where things are in a frame with ESP: the packet, the field that bounds it less `headers`, and what sorts it."""

    start: int
    length: int
    headers: int
    key: Column  # sender, destination, SPI


_RAW: Final = _EspPlace(34, 16, 20, np.array([*_SOURCE, *range(30, 38)]))
_IN_UDP: Final = _EspPlace(42, 38, 8, np.array([*_SOURCE, *range(30, 34), *range(42, 46)]))


@final
class Bulk:
    """Goes through bursts with an observer, which counts and does the rest."""

    def __init__(self, observer: Observer) -> None:
        """Prepare. Where tokens are looked for, everything goes the plain way; so does a class that is watched for."""
        self._observer: Final = observer
        usable = not observer.tokens
        self._macsec_too: Final = usable and census.MACSEC_ENCRYPTED not in observer.watch.outermost
        self._esp_too: Final = usable and census.ESP not in observer.watch.outermost

    def burst(self, burst: Burst) -> None:
        """Observe every frame of a burst."""
        heads = Heads(burst)
        left = np.ones(len(burst), np.bool_)
        if self._macsec_too:
            self._macsec(burst, heads, left)
        if self._esp_too:
            ipv4 = heads.ipv4()
            self._esp(burst, heads, left, _RAW, heads.esp(ipv4))
            self._esp(burst, heads, left, _IN_UDP, heads.esp_in_udp(ipv4))
        for frame in burst.frames(np.flatnonzero(left)):
            self._observer.frame(frame)

    def _macsec(self, burst: Burst, heads: Heads, left: Mask) -> None:
        picked = np.flatnonzero(heads.macsec())
        keys = heads.matrix[picked][:, _MACSEC_KEY]
        keys[keys[:, 6] & _SC == 0, 7:] = 0  # without an SCI, the Secure Data starts there
        for group in groups(_with_origin(keys, burst.origin[heads.rows[picked]])):
            key, rows = keys[group[0]].tobytes(), heads.rows[picked[group]]
            sci = key[7:] if key[6] & _SC else key[:6] + b"\0\1"
            sas = self._observer.openers.macsec.candidates(sci, key[6] & 3)
            if sas and not sas[0].offset:
                self._open_macsec(burst, rows, sas[0], 28 if key[6] & _SC else 20, left)

    def _open_macsec(self, burst: Burst, rows: Column, sa: MacsecSa, tag_end: int, left: Mask) -> None:
        """Open frames of one SA and sender, whose Secure Data starts at `tag_end`."""
        masks = (sa.pn, sa.nonce_mask)
        opened = sa.open_run(burst.data, burst.starts[rows].tolist(), burst.ends[rows].tolist(), tag_end)
        contents = [content for content in opened if content is not None]
        if not contents:
            return
        rows = rows[np.array([content is not None for content in opened])]
        tally = self._count(census.MACSEC_ENCRYPTED, burst, rows, left, contents)
        self._observer.seen.collected.macsec_run(sa.identity, masks, burst, rows, tag_end, tally.label)
        plain = plain_inside(contents)
        if census.CLEARTEXT in self._observer.watch.inside:
            plain[:] = False
        count = int(np.count_nonzero(plain))
        self._observer.seen.inside_frames[census.CLEARTEXT] += count
        tally.credit(census.MACSEC_ENCRYPTED, census.UNDER_MACSEC, count)
        for place in np.flatnonzero(~plain).tolist():
            row = int(rows[place])
            start = int(burst.starts[row])
            waiting = Waiting(burst.first_number + row, int(burst.lengths[row]), tally, int(burst.times[row]))
            under = self._observer.look_inside(burst.data[start : start + 12] + contents[place], waiting)
            if under is not None:
                tally.credit(census.MACSEC_ENCRYPTED, under)

    def _esp(self, burst: Burst, heads: Heads, left: Mask, place: _EspPlace, mask: Mask) -> None:
        """Open the ESP packets under a mask."""
        picked = np.flatnonzero(mask)
        keys = heads.matrix[picked][:, place.key]
        lengths = heads.word(place.length)[picked] - place.headers
        for group in groups(_with_origin(keys, burst.origin[heads.rows[picked]])):
            key, rows = keys[group[0]].tobytes(), heads.rows[picked[group]]
            sas = self._observer.openers.esp.candidates(key[10:14], key[6:10])
            if len(sas) != 1 or sas[0].opener is None or sas[0].esn or sas[0].kind != census.ESP:
                continue
            opener = sas[0].opener
            spare = lengths[group] - 8 - opener.least_octets
            fitting = (spare >= 0) & (spare % opener.block_octets == 0)
            rows, starts = rows[fitting], burst.starts[rows[fitting]] + place.start
            ends = starts + lengths[group][fitting]
            authentic = np.array(opener.are_authentic(burst.data, starts.tolist(), ends.tolist()), np.bool_)
            rows, starts, ends = rows[authentic], starts[authentic], ends[authentic]
            if len(rows):
                tally = self._count(census.ESP, burst, rows, left)
                octets = (opener.iv_octets, opener.icv_octets)
                self._observer.seen.collected.esp_run(sas[0].identity, octets, burst, rows, (starts, ends), tally.label)
                tally.credit(census.ESP, census.UNDER_IPSEC, len(rows))

    def _count(self, kind: int, burst: Burst, rows: Column, left: Mask, contents: list[bytes] | None = None) -> Tally:
        """Count the rows, all of one direction, as authentic; give the direction. `contents` are from inside MACsec."""
        left[rows] = False
        self._observer.seen.collected.run(kind, burst, rows, contents)
        self._observer.authenticated(kind, len(rows), int(burst.lengths[rows].sum()))
        return self._observer.seen.directions.of(next(burst.frames(rows[:1])))


def _with_origin(keys: Octets, origin: Column) -> Octets:
    """The keys, and where each frame was captured: what is alike has one direction."""
    return np.column_stack((keys, origin.astype(np.uint8), (origin >> 8).astype(np.uint8)))
