"""The residue: what anybody on the wire reads without a key, by design. Outermost headers, identifiers and lengths.

Frames whose headers were seen before are known by a few octets, so that most frames cost one look into a set.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from lab.capture import frame as link
from lab.capture.burst import Burst, Column
from lab.coverage.columns import gather

MOST_ITEMS: Final = 64  # of each field
_MOST_KNOWN: Final = 1 << 14
_SC: Final = 0x20
_TAGS: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
_PROTOCOLS: Final = {
    0: "IPv6 hop-by-hop options", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 43: "IPv6 routing", 44: "IPv6 fragment",
    50: "ESP", 51: "AH", 58: "ICMPv6", 60: "IPv6 options",
}  # fmt: skip
_ETHER_TYPES: Final = {
    b"\x08\x00": "IPv4", b"\x08\x06": "ARP", b"\x86\xdd": "IPv6", b"\x88\x8e": "EAPOL", b"\x88\xe5": "MACsec",
    b"\x88\xcc": "LLDP", b"\x88\x09": "slow protocols", b"\x88\x08": "MAC control",
}  # fmt: skip
_EXCHANGES: Final = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL"}
_HEAD: Final = 46  # Ethernet, IPv4, UDP, SPI: what tells the commonest frames apart
_STARTS: Final = {link.LINUX_SLL: 16, link.LINUX_SLL2: 20, link.BSD_LOOPBACK: 4, link.OPENBSD_LOOPBACK: 4}
_REACH: Final = 72  # the same in IPv6, and what makes it a multiple of 8
_EXTENSIONS: Final = np.array([0, 43, 44, 60])


@final
class Residue:
    """What was readable in the frames so far: for each field the MOST_ITEMS values that come first when sorted.

    Which those are does not depend on the order in which frames are looked at.
    """

    def __init__(self) -> None:
        self.fields: Final[dict[str, set[str]]] = {}
        self.overflowing: Final[set[str]] = set()
        self.lengths: Final[dict[int, int]] = {}
        self._known: Final[set[bytes]] = set()

    def frame(self, octets: bytes, length: int, link_type: int) -> None:
        """Look at one frame."""
        self.lengths[length] = self.lengths.get(length, 0) + 1
        self._head(octets, link_type)

    def run(self, burst: Burst, rows: Column, speakers: Column) -> None:
        """Look at rows of a burst, all of them whole Ethernet frames; the `speakers` among them say it all."""
        counts = np.bincount(burst.lengths[rows])
        for length in np.flatnonzero(counts).tolist():
            self.lengths[length] = self.lengths.get(length, 0) + int(counts[length])
        for start, end in zip(burst.starts[speakers].tolist(), burst.ends[speakers].tolist(), strict=True):
            self._head(burst.data[start:end], link.ETHERNET)

    def merge(self, other: Residue) -> None:
        """Add what the part that follows has shown."""
        for length, count in other.lengths.items():
            self.lengths[length] = self.lengths.get(length, 0) + count
        for name, values in other.fields.items():
            for value in values:
                self._add(name, value)
        self.overflowing.update(other.overflowing)

    def _head(self, octets: bytes, link_type: int) -> None:
        if link_type != link.ETHERNET:
            start = _STARTS.get(link_type, 0)
            self._ip(octets, start)
            return
        key = _key(octets)
        if len(octets) < _REACH:  # there is less to read, if it is cut
            key += bytes([len(octets)])
        if key not in self._known:
            if len(self._known) < _MOST_KNOWN:
                self._known.add(key)
            self._ethernet(octets)

    def _ethernet(self, octets: bytes) -> None:
        self._add("mac addresses", f"{octets[6:12].hex(':')} to {octets[:6].hex(':')}")
        start, tags = 12, []
        while octets[start : start + 2] in _TAGS:
            tags.append(str(int.from_bytes(octets[start + 2 : start + 4], "big") & 0xFFF))
            start += 4
        if tags:
            self._add("vlan tags", " in ".join(reversed(tags)))
        ether_type = octets[start : start + 2]
        if ether_type > b"\x05\xff":
            self._add("ether types", _ETHER_TYPES.get(ether_type, ether_type.hex()))
        start += 2
        if ether_type == b"\x88\xe5" and len(octets) >= start + 6:
            tci = octets[start]
            sci = octets[start + 6 : start + 14] if tci & _SC else b""
            self._add("secure channels", f"{f'SCI {sci.hex()}' if sci else 'SCI by sender'} AN {tci & 3}")
        elif ether_type == b"\x88\x8e" and octets[start + 1 : start + 2] == b"\x05":
            self._mkpdu(octets[start + 4 :])
        elif ether_type in (b"\x08\x00", b"\x86\xdd"):
            self._ip(octets, start)

    def _mkpdu(self, body: bytes) -> None:
        """802.1X-2020 11.11.1: the basic parameter set is not encrypted."""
        if len(body) < 32:
            return
        end = 4 + ((body[2] & 15) << 8 | body[3])
        self._add("mka members", f"SCI {body[4:12].hex()}, CKN {body[32:end].hex()}")

    def _ip(self, octets: bytes, start: int) -> None:
        version = octets[start] >> 4 if start < len(octets) else 0
        if version == 4 and len(octets) >= start + 20:
            source, target = octets[start + 12 : start + 16], octets[start + 16 : start + 20]
            protocol, payload = octets[start + 9], start + (octets[start] & 15) * 4
            whole = not int.from_bytes(octets[start + 6 : start + 8], "big") & 0x1FFF
        elif version == 6 and len(octets) >= start + 40:
            source, target = octets[start + 8 : start + 24], octets[start + 24 : start + 40]
            protocol, payload, whole = octets[start + 6], start + 40, True
        else:
            return
        to = ipaddress.ip_address(target)
        self._add("ip addresses", f"{ipaddress.ip_address(source)} to {to}")
        self._add("ip protocols", _PROTOCOLS.get(protocol, str(protocol)))
        if not whole or len(octets) < payload + 8:
            return
        if protocol == 50:
            self._add("esp spis", f"{octets[payload : payload + 4].hex()} to {to}")
        elif protocol in (6, 17):
            ports = [int.from_bytes(octets[payload + at : payload + at + 2], "big") for at in (0, 2)]
            self._add("ports", f"{_PROTOCOLS[protocol]} {ports[0]} to {ports[1]}")
            if protocol == 17 and (500 in ports or 4500 in ports):
                self._ipsec(octets, payload + 8, str(to), natt=4500 in ports)

    def _ipsec(self, octets: bytes, start: int, to: str, *, natt: bool) -> None:
        if natt and octets[start : start + 4] != bytes(4):
            if len(octets) >= start + 8:  # not the keepalive
                self._add("esp spis", f"{octets[start : start + 4].hex()} to {to}")
            return
        start += 4 if natt else 0
        if len(octets) >= start + 20:
            self._add("ike spis", f"{octets[start : start + 8].hex()} {octets[start + 8 : start + 16].hex()}")
            self._add("ike exchanges", _EXCHANGES.get(octets[start + 18], str(octets[start + 18])))

    def _add(self, name: str, value: str) -> None:
        values = self.fields.setdefault(name, set())
        values.add(value)
        if len(values) > MOST_ITEMS:
            values.remove(max(values))
            self.overflowing.add(name)


def speakers(burst: Burst, rows: Column) -> Column:
    """Rows that show all that is to be read in rows, which are whole Ethernet frames: one of each kind, and the odd."""
    # Of a short frame the next one's octets would be looked at, too: that makes it new, and does no harm.
    fits = burst.starts[rows] + _REACH <= len(burst.data)
    marks, simple = _marks(gather(burst.data, burst.starts[rows[fits]], _REACH))
    alike = rows[fits][simple]
    odd = np.concatenate((rows[~fits], rows[fits][~simple]))
    return np.sort(np.concatenate((alike[np.unique(marks[simple], return_index=True)[1]], odd)))


def _marks(heads: NDArray[np.void]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A number for each head that is alike where the same is to be read, and which heads are simple enough for that.

    MACsec, and IP without options or extensions, untagged; but for IKE.
    """
    octets = heads.view(np.uint8).reshape(-1, _REACH)
    ether = octets[:, 12].astype(np.int64) << 8 | octets[:, 13]
    version4, version6 = (ether == 0x0800) & (octets[:, 14] == 0x45), ether == 0x86DD
    protocol = np.where(version4, octets[:, 23], octets[:, 20])
    words = heads.view(">u2").reshape(-1, _REACH // 2)
    udp = protocol == 17
    ports = np.where(version4[:, None], words[:, 17:19], words[:, 27:29])
    natt = udp & (ports == 4500).any(axis=1)
    marker = np.where(version4[:, None], words[:, 21:23], words[:, 31:33])
    ike = (udp & (ports == 500).any(axis=1)) | (natt & ~marker.any(axis=1))  # few, and no two alike
    ported = (protocol == 6) | (protocol == 17) | (protocol == 50)
    form = np.where(version4, 2, np.where(version6, 5, np.where(octets[:, 14] & _SC, 1, 0)))
    form = form + (version4 | version6) * (ported.astype(np.int64) + natt)
    marks: NDArray[np.uint64] = form.astype(np.uint64)
    for part in (heads.view("<u8").reshape(-1, _REACH // 8) & _FORMS[form]).T:
        marks = (marks ^ part) * _ODD  # so that a difference anywhere comes to one everywhere
        marks ^= marks >> np.uint64(29)
    extended = version6 & np.isin(protocol, _EXTENSIONS)
    return marks, ((version4 | version6) & ~ike | (ether == 0x88E5)) & ~extended


def _form(*octets: Iterable[int]) -> NDArray[np.uint64]:
    """A mask over the octets of a head."""
    mask = np.zeros(_REACH, np.uint8)
    mask[[each for some in octets for each in some]] = 0xFF
    return mask.view("<u8")


_FORMS: Final = np.array([
    _form(range(15)), _form(range(15), range(20, 28)),  # MACsec without and with an SCI
    *(_form(range(14), (20, 21, 23), range(26, end), more)  # IPv4: addresses, then ports or SPI, then the SPI in UDP
      for end, more in ((34, ()), (38, ()), (38, range(42, 46)))),
    *(_form(range(14), (20,), range(22, end), more) for end, more in ((54, ()), (58, ()), (58, range(62, 66)))),  # IPv6
])  # fmt: skip
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


def _key(octets: bytes) -> bytes:
    """What is alike for frames in which the same is to be read."""
    ether_type = octets[12:14]
    if ether_type == b"\x88\xe5":
        return octets[:15] + (octets[20:28] if octets[14:15] and octets[14] & _SC else b"")
    if ether_type == b"\x08\x00" and octets[14:15] == b"\x45" and len(octets) >= _HEAD:
        head = octets[:14] + octets[20:22] + octets[23:24] + octets[26:34]
        protocol = octets[23]
        if protocol == 50:
            return head + octets[34:38]
        if protocol == 17 and b"\x11\x94" in (octets[34:36], octets[36:38]):
            # The SPI of ESP; behind the marker of IKE, its SPIs and its exchange.
            return head + octets[34:38] + (octets[42:46] if octets[42:46] != bytes(4) else octets[42:65])
        if protocol == 17 and b"\x01\xf4" in (octets[34:36], octets[36:38]):
            return head + octets[34:38] + octets[42:61]
        return head + octets[34:38] if protocol in (6, 17) else head
    return octets[:128]
