"""The network headers of many frames as columns, one row a frame, and the questions that the fast way asks of them.

What is answered with yes is exactly what `classify` and `internet` would see; of all else nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lab.capture.burst import Column

Mask: TypeAlias = NDArray[np.bool_]
Octets: TypeAlias = NDArray[np.uint8]

REACH: Final = 52  # from the network header on: IPv6, UDP, an SPI
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS: Final = 4
_IGMP, _TCP, _UDP, _ESP, _ICMPV6 = 2, 6, 17, 50, 58
_WALKED: Final = (0, 43, 60, 44)  # IPv6 extension headers
_IKE_PORT: Final = 500
_NATT_PORT: Final = 4500


@final
class Heads:
    """What stands behind the EtherType of frames that lie in `data`.

    `rows` tells which of the rows that were given these are: those of which REACH octets can be read there. `at` is
    where the network header starts, `ends` where the frame ends, `ether` its EtherType behind any VLAN tags.
    """

    __slots__ = ("_data", "_words", "at", "ends", "ether", "rows")

    def __init__(self, data: bytes, types_at: Column, ends: Column) -> None:
        octets = np.frombuffer(data, np.uint8)
        fits = np.flatnonzero((types_at + 2 <= ends) & (types_at + 2 + 4 * _MOST_TAGS + REACH <= len(data)))
        types_at, self.ends = types_at[fits], ends[fits]
        ether, at = word(octets, types_at), types_at + 2
        for _ in range(_MOST_TAGS):
            tagged = (ether == _TAGS[0]) | (ether == _TAGS[1]) | (ether == _TAGS[2])
            if not tagged.any():
                break
            at = at + 4 * tagged
            ether = np.where(tagged, word(octets, at - 2), ether)
        ether[at > self.ends] = 0
        self.rows: Final[Column] = fits
        self.at: Final[Column] = at
        self.ether: Final = ether
        self._data: Final = data
        self._words: Final = gather(data, at, 20).view(">u2").reshape(-1, 10).T.astype(np.int32, order="C")

    def macsec(self) -> tuple[Mask, Mask, Column]:
        """MACsec frames that are plainly so (802.1AE-2018 9.12): encrypted; integrity only; where Secure Data starts.

        They have an SCI, or ES, or neither; a PN other than 0, which is for the plain way to judge; no padding.
        """
        tci, short = self._words[0] >> 8, (self._words[0] & 0xFF).astype(np.int64)
        body = self.at + np.where(tci & 0x20, 14, 6)
        lengths = np.where(short == 0, self.ends >= body + 64, (short < 48) & (self.ends == body + short + 16))
        flags = tci >> 4
        usual = (flags == 0) | (flags == 2) | (flags == 4)
        mask = (self.ether == 0x88E5) & usual & lengths & ((self._words[1] | self._words[2]) != 0)
        changed = tci & 0x0C
        return mask & (changed == 0x0C), mask & (changed == 0), body

    def low_pn(self, places: Column) -> Column:
        """The PNs in the SecTAGs of these rows."""
        low: Column = self._words[1][places].astype(np.int64) << 16 | self._words[2][places]
        return low

    def an(self, places: Column) -> Column:
        """The association numbers of these rows, and with 32 added where an SCI is in the SecTAG."""
        numbers: Column = (self._words[0][places] >> 8 & 0x23).astype(np.int64)
        return numbers

    def whole_ipv4(self) -> Mask:
        """IPv4 in one piece and without options, whatever else is wrong with it."""
        words = self._words
        mask: Mask = (self.ether == 0x0800) & (words[0] >> 8 == 0x45) & (words[3] & 0x3FFF == 0)
        return mask & (self.at + 20 <= self.ends)

    def words(self, mask: Mask) -> NDArray[np.int32]:
        """The first 20 octets of network headers as numbers of two octets: ten rows, a column a frame."""
        chosen: NDArray[np.int32] = self._words[:, mask]
        return chosen

    def internet(self) -> Internet:
        """What stands in IP packets."""
        return Internet(self._data, self._words, self)


@final
class Internet:
    """The same rows seen as IP datagrams in one piece, with good headers and nothing between header and payload.

    `esp` and `esp_in_udp` are packets of ESP, with their bounds; `clear` is what IPsec does not protect, `tcp` of it.
    """

    __slots__ = ("_at", "_data", "_destinations", "_spis", "_version4", "clear", "ends", "esp", "starts", "tcp")

    def __init__(self, data: bytes, words: NDArray[np.int32], heads: Heads) -> None:
        version4, version6 = _ipv4(words, heads.ether), _ipv6(words, heads.ether)
        protocol = np.where(version6, words[3] >> 8, words[4] & 0xFF)
        at = heads.at + np.where(version6, 40, 20)
        end = np.where(version6, at + words[2], heads.at + words[1])
        good = (version4 | version6) & (end <= heads.ends)
        walked = version6 & np.isin(protocol, (*_WALKED, _ICMPV6))
        udp_words = gather(data, at, 12).view(">u2").reshape(-1, 6).T.astype(np.int64, order="C")
        source, target, stated = udp_words[0], udp_words[1], udp_words[2]
        udp = good & (protocol == _UDP) & (stated >= 8) & (stated <= end - at)
        natt = (source == _NATT_PORT) | (target == _NATT_PORT)
        in_udp = udp & natt & (stated >= 20)
        raw_spi, udp_spi = udp_words[0] << 16 | udp_words[1], udp_words[4] << 16 | udp_words[5]
        raw = good & (protocol == _ESP) & (end - at >= 12)
        self._spis: Final[Column] = np.where(raw, raw_spi, udp_spi)
        self.esp: Final[Mask] = (raw | in_udp) & (self._spis != 0)
        self.starts: Final[Column] = at + np.where(in_udp, 8, 0)
        self.ends: Final[Column] = np.where(in_udp, at + stated, end)
        plain_udp = udp & ~natt & (source != _IKE_PORT) & (target != _IKE_PORT)
        other = good & (protocol != _UDP) & (protocol != _ESP) & (protocol != _IGMP) & ~walked
        self.clear: Final[Mask] = plain_udp | other
        self.tcp: Final[Mask] = good & (protocol == _TCP)
        self._version4: Final[Mask] = version4
        self._destinations: Final[Column] = words[8].astype(np.int64) << 16 | words[9]
        self._at: Final = heads.at
        self._data: Final = data

    def esp_groups(self) -> Iterator[tuple[bytes, bytes, Column]]:
        """SPI, destination and places of the packets of ESP that have these in common."""
        places = np.flatnonzero(self.esp & self._version4)
        spis, destinations = self._spis[places].astype(np.uint64), self._destinations[places].astype(np.uint64)
        for group in alike(spis << np.uint64(32) | destinations):
            first = places[group[0]]
            yield _octets(self._spis[first]), _octets(self._destinations[first]), places[group]
        places = np.flatnonzero(self.esp & ~self._version4)
        groups: dict[tuple[int, bytes], list[int]] = {}
        targets = gather(self._data, self._at[places] + 24, 16).tolist()
        for place, spi, target in zip(places.tolist(), self._spis[places].tolist(), targets, strict=True):
            groups.setdefault((spi, target), []).append(place)
        for (spi, target), rows in groups.items():
            yield _octets(spi), target, np.array(rows, np.int64)


def _octets(number: int | np.int64) -> bytes:
    return int(number).to_bytes(4, "big")


def _ipv4(words: NDArray[np.int32], ether: Column) -> Mask:
    """RFC 791 3.1: no options, no fragment; a sum of 0 was left to the hardware to fill in."""
    good_sum = (words.sum(axis=0) % 65535 == 0) | (words[5] == 0)
    whole = (words[3] & 0x3FFF == 0) & (words[1] >= 20)
    mask: Mask = (ether == 0x0800) & (words[0] >> 8 == 0x45) & whole & good_sum
    return mask


def _ipv6(words: NDArray[np.int32], ether: Column) -> Mask:
    """RFC 8200 3."""
    mask: Mask = (ether == 0x86DD) & (words[0] >> 12 == 6)
    return mask


def gather(data: bytes, at: Column, octets: int) -> NDArray[np.void]:
    """So many octets from each of these places on."""
    if not len(at):
        return np.empty(0, f"V{octets}")
    every: NDArray[np.void] = np.ndarray(len(data) - octets + 1, f"V{octets}", data, strides=(1,))
    return every[at]


def word(octets: Octets, at: Column) -> Column:
    """The two octets from each of these places on, as a number."""
    words: Column = octets[at].astype(np.int64) << 8 | octets[at + 1]
    return words


def alike(keys: Column | NDArray[np.uint64]) -> Iterator[Column]:
    """The rows whose keys are alike: for each kind one column of row numbers, in ascending order."""
    if len(keys):
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        yield from np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
