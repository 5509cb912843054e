"""Classification, from the link layer up to what stands before IP: raw octets in, one small tuple out.

`octets` are what was captured, `length` is what was on the wire; they differ where the snap length cut the frame.
A frame that contradicts its own standard is malformed, with the reason in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lab.capture import frame as link
from lab.coverage.census import MACSEC_ENCRYPTED, MACSEC_INTEGRITY_ONLY, MKA
from lab.coverage.internet import ipv4, ipv6
from lab.coverage.sight import CLEARTEXT_SEEN, CONTROL_SEEN, Sight, malformed, too_short

_TAGS: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})  # 802.1Q-2018 9.6, and QinQ before 802.1ad
_LEAST_ETHER_TYPE: Final = b"\x06\x00"
_MOST_LENGTH: Final = b"\x05\xdc"
_LEAST_PADDED: Final = 64  # a frame is padded to 60 octets without FCS, or to 64 with its tag (802.3 4A.2.3.2.4)

_AF_INET: Final = 2
_AF_INET6: Final = frozenset({10, 24, 28, 30})  # Linux; NetBSD and OpenBSD; FreeBSD; macOS

ICV_OCTETS: Final = 16
SC: Final = 0x20
ES: Final = 0x40
SCB: Final = 0x10
E: Final = 0x08
C: Final = 0x04


def ethernet(octets: bytes, length: int) -> Sight:
    """A frame from its destination address on, without FCS."""
    ether_type = octets[12:14]
    start = 14
    while ether_type in _TAGS:
        ether_type = octets[start + 2 : start + 4]
        start += 4
    if len(octets) < start:
        return too_short(octets, length, "Ethernet header")
    if ether_type >= _LEAST_ETHER_TYPE:
        return by_ether_type(octets, start, length, ether_type)
    if ether_type > _MOST_LENGTH:  # 802.3 3.2.6: neither a length nor a type
        return CLEARTEXT_SEEN
    if start + int.from_bytes(ether_type, "big") > length:
        return malformed("802.3 length beyond the frame's end")
    # 802.1Q-2018 13.12: BPDUs have LLC addresses 42 and a UI control field.
    return CONTROL_SEEN if octets[start : start + 3] == b"\x42\x42\x03" else CLEARTEXT_SEEN


def by_ether_type(octets: bytes, start: int, length: int, ether_type: bytes) -> Sight:
    """What follows an EtherType; `start` is where."""
    reader = _READERS.get(ether_type)
    return CLEARTEXT_SEEN if reader is None else reader(octets, start, length)


def macsec(octets: bytes, start: int, length: int) -> Sight:
    """A SecTAG from its TCI on, with its Secure Data and ICV (802.1AE-2018 9.12)."""
    if len(octets) < start + 6:
        return too_short(octets, length, "SecTAG")
    tci, short_length = octets[start], octets[start + 1]
    if tci & 0x80:
        return malformed("SecTAG of a version other than 0 (802.1AE-2018 9.12)")
    if tci & SC and tci & (ES | SCB):
        return malformed("SecTAG with SC and ES or SCB (802.1AE-2018 9.12)")
    if tci & (E | C) == E:
        return malformed("SecTAG with E and without C (802.1AE-2018 9.5)")
    if short_length > 47:
        return malformed("SecTAG with a short length of 48 or more (802.1AE-2018 9.7)")
    data = start + (14 if tci & SC else 6)
    end = length
    if short_length:
        end = data + short_length + ICV_OCTETS
        if end < length and (length > _LEAST_PADDED or any(octets[end:])):
            return malformed("octets behind the ICV that are no padding (802.1AE-2018 9.12)")
    elif end < data + 48 + ICV_OCTETS:
        return malformed("SecTAG without a short length on a short frame (802.1AE-2018 9.12)")
    if end > length:
        return malformed("too short for its SecTAG's short length (802.1AE-2018 9.12)")
    return Sight(MACSEC_ENCRYPTED if tci & E else MACSEC_INTEGRITY_ONLY, start, end)


def _eapol(octets: bytes, start: int, length: int) -> Sight:
    if len(octets) < start + 4:
        return too_short(octets, length, "EAPOL header")
    end = start + 4 + int.from_bytes(octets[start + 2 : start + 4], "big")
    if end > length:
        return malformed("EAPOL body beyond the frame's end (802.1X-2020 11.3)")
    if octets[start + 1] != 5:  # 802.1X-2020 Table 11-3: EAPOL-MKA
        return CONTROL_SEEN
    # 802.1X-2020 11.11: a basic parameter set with a CKN, then an ICV; 4-octet units.
    if end - start - 4 < 4 + 28 + 4 + ICV_OCTETS or (end - start) % 4:
        return malformed("MKPDU shorter than its fixed parts, or not in units of 4 octets (802.1X-2020 11.11)")
    return Sight(MKA, start, end)


def _arp(octets: bytes, start: int, length: int) -> Sight:
    return CONTROL_SEEN if start + 8 <= length else malformed("too short for its ARP header")


def _slow(octets: bytes, start: int, length: int) -> Sight:
    # 802.3 Annex 57A: LACP is subtype 1, its marker 2; what else is slow (OAM, OSSP) carries data.
    return CONTROL_SEEN if octets[start : start + 1] in (b"\x01", b"\x02") else CLEARTEXT_SEEN


def _mac_control(octets: bytes, start: int, length: int) -> Sight:
    # 802.3 Annex 31A: PAUSE, and the priority-based one.
    return CONTROL_SEEN if octets[start : start + 2] in (b"\x00\x01", b"\x01\x01") else CLEARTEXT_SEEN


def _lldp(octets: bytes, start: int, length: int) -> Sight:
    return CONTROL_SEEN


def _linux_sll(octets: bytes, length: int) -> Sight:
    if len(octets) < 16:
        return too_short(octets, length, "cooked header")
    return by_ether_type(octets, 16, length, octets[14:16])


def _linux_sll2(octets: bytes, length: int) -> Sight:
    if len(octets) < 20:
        return too_short(octets, length, "cooked header")
    return by_ether_type(octets, 20, length, octets[0:2])


def _raw_ip(octets: bytes, length: int) -> Sight:
    if not octets:
        return too_short(octets, length, "IP header")
    return ipv6(octets, 0, length) if octets[0] >> 4 == 6 else ipv4(octets, 0, length)


def _bsd_loopback(octets: bytes, length: int) -> Sight:
    """The address family in front, as the capturing host counts it, in its own byte order."""
    if len(octets) < 4:
        return too_short(octets, length, "loopback header")
    low, high = sorted((int.from_bytes(octets[:4], "big"), int.from_bytes(octets[:4], "little")))
    family = low if high >> 16 else high
    if family == _AF_INET:
        return ipv4(octets, 4, length)
    return ipv6(octets, 4, length) if family in _AF_INET6 else CLEARTEXT_SEEN


_READERS: Final[dict[bytes, Callable[[bytes, int, int], Sight]]] = {
    b"\x88\xe5": macsec,
    b"\x08\x00": ipv4,
    b"\x86\xdd": ipv6,
    b"\x08\x06": _arp,
    b"\x88\x8e": _eapol,
    b"\x88\xcc": _lldp,
    b"\x88\x09": _slow,
    b"\x88\x08": _mac_control,
}

BY_LINK_TYPE: Final[dict[int, Callable[[bytes, int], Sight]]] = {
    link.ETHERNET: ethernet,
    link.RAW_IP: _raw_ip,
    link.RAW_IPV4: lambda octets, length: ipv4(octets, 0, length),
    link.RAW_IPV6: lambda octets, length: ipv6(octets, 0, length),
    link.LINUX_SLL: _linux_sll,
    link.LINUX_SLL2: _linux_sll2,
    link.BSD_LOOPBACK: _bsd_loopback,
    link.OPENBSD_LOOPBACK: _bsd_loopback,
}
