"""MKPDUs opened with the key log's CAKs, and the SAKs that they distribute (802.1X-2020 9, 11.11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, final

from dataplane.crypto.cmac import aes_cmac
from dataplane.crypto.compare import equal
from dataplane.crypto.keywrap import unwrap
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError
from lab.capture.keys import CIPHER_SUITES, MkaCak
from lab.coverage.census import AUTHENTICATED, FAILED, MKA, NO_KEY
from lab.coverage.sight import Found, forbidden

_ICV_OCTETS: Final = 16
_AGILITY: Final = b"\x00\x80\xc2\x01"  # the one algorithm set that there is (802.1X-2020 Table 11-8)
_LIVE_PEERS: Final = 1
_SAK_USE: Final = 3
_DISTRIBUTED_SAK: Final = 4
_XPN: Final = 8
_ICV_INDICATOR: Final = 255
_OFFSETS: Final = (0, 0, 30, 50)  # 802.1X-2020 Table 11-6; 0 means integrity only, which the SecTAG tells too

# 802.1AE-2018 Table 14-1; the first suite also as it was misprinted in 2006 and is still sent.
_SUITES: Final = {
    b"\x00\x80\x02\x00\x01\x00\x00\x01": "GCM-AES-128",
    b"\x00\x80\xc2\x00\x01\x00\x00\x01": "GCM-AES-128",
    b"\x00\x80\xc2\x00\x01\x00\x00\x02": "GCM-AES-256",
    b"\x00\x80\xc2\x00\x01\x00\x00\x03": "GCM-AES-XPN-128",
    b"\x00\x80\xc2\x00\x01\x00\x00\x04": "GCM-AES-XPN-256",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributedSak:
    """A SAK as a key server gave it out, and what the members that share it are named.

    `ranked_scis` are those of the key server and its live peers, the greatest first: the first has SSCI 1, and so on
    (802.1AE-2018 10.7.13). `member_scis` are all that were heard under the CKN. `salt` is for XPN suites
    (802.1X-2020 9.10). `lowest_pn` is the first that a member was heard to accept still: 1, or where a capture begins.
    """

    an: int
    cipher_suite: str
    sak: Secret
    confidentiality_offset: int
    salt: bytes
    ranked_scis: tuple[bytes, ...]
    member_scis: tuple[bytes, ...]
    lowest_pn: int


@final
class _Participant:
    """One CAK with the keys derived from it (802.1X-2020 9.3.3), and who was heard using it."""

    def __init__(self, key: MkaCak) -> None:
        cak = key.cak.reveal()
        name = key.ckn[:16].ljust(16, b"\0")
        self.ick: Final = derive(cak, b"IEEE8021 ICK", name, len(cak))
        self.kek: Final = derive(cak, b"IEEE8021 KEK", name, len(cak))
        self.key_id: Final = key.key_id
        self.sci_of: Final[dict[bytes, bytes]] = {}
        # By key identifier: the key server's MI and the key number.
        self.distributed: Final[dict[bytes, tuple[int, str, bytes, int, tuple[bytes, ...]]]] = {}
        self.lowest_pn: Final[dict[bytes, int]] = {}


@final
class MkaOpener:
    """All CAKs of a key log, looked up by CKN."""

    def __init__(self, keys: Iterable[MkaCak]) -> None:
        self._by_ckn: Final[dict[bytes, list[_Participant]]] = {}
        for key in keys:
            self._by_ckn.setdefault(key.ckn, []).insert(0, _Participant(key))  # newest first

    def open(self, octets: bytes, start: int, end: int) -> Found:
        """Check the MKPDU whose EAPOL header is at `start` of a frame; remember what it tells and distributes."""
        body = octets[start + 4 : end]
        basic = 4 + _length(body, 0)
        if not 4 + 28 < basic <= 4 + 28 + 32 or basic > len(body) - _ICV_OCTETS:
            return forbidden("MKPDU whose basic parameter set cannot be (802.1X-2020 11.11.1)")
        ckn = body[32:basic]
        participants = self._by_ckn.get(ckn, [])
        if not participants:
            return Found(MKA, NO_KEY, reason=f"no CAK for CKN {ckn.hex()} in the key log")
        if body[28:32] != _AGILITY:
            return Found(MKA, NO_KEY, reason=f"algorithm agility {body[28:32].hex()} cannot be computed here")
        # 802.1X-2020 9.4.1: over the addresses, the EtherType and all of the MKPDU before the ICV.
        covered = octets[:12] + octets[start - 2 : end - _ICV_OCTETS]
        for participant in participants:
            if equal(aes_cmac(participant.ick, covered), body[-_ICV_OCTETS:]):
                _remember(participant, body, basic)
                return Found(MKA, AUTHENTICATED)
        return Found(MKA, FAILED, reason=f"the ICV does not fit {participants[0].key_id}")

    def distributed(self) -> Iterator[DistributedSak]:
        """Every SAK distributed so far, oldest first under each CAK."""
        for participants in self._by_ckn.values():
            for participant in participants:
                members = tuple(sorted(set(participant.sci_of.values()), reverse=True))
                for identifier, (an, suite, sak, offset, live) in participant.distributed.items():
                    sharing = (identifier[:12], *live)
                    known = {participant.sci_of[mi] for mi in sharing if mi in participant.sci_of}
                    yield DistributedSak(
                        an=an,
                        cipher_suite=suite,
                        sak=Secret(sak),
                        confidentiality_offset=offset,
                        salt=_salt(identifier),
                        ranked_scis=tuple(sorted(known, reverse=True)),
                        member_scis=members,
                        lowest_pn=participant.lowest_pn.get(identifier, 1),
                    )


def derive(key: bytes, label: bytes, context: bytes, octets: int) -> bytes:
    """The KDF of 802.1X-2020 6.2.1: AES-CMAC in counter mode."""
    length = (octets * 8).to_bytes(2, "big")
    blocks = (aes_cmac(key, bytes([i]) + label + b"\0" + context + length) for i in range(1, (octets + 15) // 16 + 1))
    return b"".join(blocks)[:octets]


def _length(body: bytes, position: int) -> int:
    return (body[position + 2] & 15) << 8 | body[position + 3]


def _sets(body: bytes, position: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, second octet and body of each parameter set behind the basic one, up to the ICV."""
    end = len(body) - _ICV_OCTETS
    while position + 4 <= end:
        kind, length = body[position], _length(body, position)
        if kind == _ICV_INDICATOR or position + 4 + length > end:
            return
        yield kind, body[position + 1], body[position + 4 : position + 4 + length]
        position += 4 + (length + 3 & ~3)


def _remember(participant: _Participant, body: bytes, basic: int) -> None:
    sci, mi = body[4:12], body[12:24]
    participant.sci_of[mi] = sci
    sets = {kind: (flags, octets) for kind, flags, octets in _sets(body, basic + 3 & ~3)}
    _, peers = sets.get(_LIVE_PEERS, (0, b""))
    live = tuple(peers[i : i + 12] for i in range(0, len(peers) - 15, 16))
    flags, given = sets.get(_DISTRIBUTED_SAK, (0, b""))
    if len(given) >= 28:  # none: no MACsec (802.1X-2020 11.11.3)
        _unwrap(participant, mi, live, flags, given)
    _, use = sets.get(_SAK_USE, (0, b""))
    _, upper = sets.get(_XPN, (0, b""))
    if len(use) == 40 and len(upper) == 8:
        # The latest key and the old one: key identifier, lowest acceptable PN, whose upper half stands apart.
        for key, half in ((use[:20], upper[:4]), (use[20:], upper[4:])):
            participant.lowest_pn.setdefault(key[:16], int.from_bytes(half + key[16:], "big"))


def _unwrap(participant: _Participant, mi: bytes, live: tuple[bytes, ...], flags: int, octets: bytes) -> None:
    """802.1X-2020 11.11.3: 28 octets for the default suite; with the suite named, 36 or 52."""
    number, wrapped = octets[:4], octets[4:]
    suite: str | None = "GCM-AES-128"
    if len(octets) > 28:
        suite, wrapped = _SUITES.get(octets[4:12]), octets[12:]
    try:
        sak = unwrap(participant.kek, wrapped)
    except IntegrityError:
        return
    if suite is not None and len(sak) == CIPHER_SUITES[suite]:
        told = (flags >> 6, suite, sak, _OFFSETS[flags >> 4 & 3], live)
        participant.distributed.setdefault(mi + number, told)


def _salt(identifier: bytes) -> bytes:
    """802.1X-2020 9.10: the key server's MI, with the key number's halves in its first four octets."""
    server, number = identifier[:12], identifier[12:]
    mask = number[2:] + number[:2] + bytes(8)
    return bytes(a ^ b for a, b in zip(server, mask, strict=True))
