"""MACsec frames opened with SAKs of the key log, or out of MKPDUs (802.1AE-2018 10.6, 14)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

import numpy as np

from dataplane.crypto.aead import aes_gcm
from dataplane.crypto.secret import Secret
from dataplane.errors import IntegrityError
from lab.capture.keys import MacsecSak
from lab.coverage.census import AUTHENTICATED, FAILED, MACSEC_ENCRYPTED, MACSEC_INTEGRITY_ONLY, NO_KEY
from lab.coverage.classify import ES, ICV_OCTETS, SC, SCB, E
from lab.coverage.evidence.identity import KeyIdentity, Used, of_macsec
from lab.coverage.mka import DistributedSak
from lab.coverage.numbers import Numbers, full_numbers
from lab.coverage.sight import Found, forbidden

_MOST_SSCIS: Final = 16
_LOW: Final = (1 << 64) - 1


@final
class Sa:
    """One SA as its receiver would hold it: the key, how its nonce is made, and how far its PNs have come.

    `last` is the full PN of the frame that was opened last; `nonce_mask` makes the low 64 bits of a nonce of a PN.
    """

    __slots__ = (
        "_mask", "_open", "_sci", "identity", "index", "last", "nonce_mask", "offset", "open_columns", "pn", "xpn",
    )  # fmt: skip

    def __init__(
        self,
        identity: KeyIdentity,
        sak: Secret,
        sci: bytes,
        ssci: bytes | None,
        salt: bytes,
        offset: int,
        first_pn: int,
    ) -> None:
        self.identity: Final = identity
        self.last = 0
        self.nonce_mask: Final = 0 if ssci is None else int.from_bytes(salt[4:], "big")
        aead = aes_gcm(sak.reveal())
        self._open: Final = aead.open
        self.open_columns: Final = aead.open_columns
        self._sci: Final = sci
        self.xpn: Final = ssci is not None
        # 802.1AE-2018 14.7: (SSCI || PN) xor salt; here the SSCI and the salt together.
        self._mask: Final = 0 if ssci is None else int.from_bytes(ssci + bytes(8), "big") ^ int.from_bytes(salt, "big")
        self.offset: Final = offset
        self.pn = first_pn
        self.index = 0  # in its opener's list of all

    def open(self, head: bytes, low_pn: bytes, data: bytes, *, encrypted: bool) -> bytes | None:
        """The user data of Secure Data||ICV, or None where the ICV says no. `head` is what is authenticated first."""
        low = int.from_bytes(low_pn, "big")
        if not self.xpn:
            self.last = low
            return self._try(self._sci + low_pn, head, data, encrypted=encrypted)  # 14.5
        for pn in full_numbers(low, self.pn):
            opened = self._try((pn ^ self._mask).to_bytes(12, "big"), head, data, encrypted=encrypted)
            if opened is not None:
                self.pn = max(self.pn, pn)
                self.last = pn
                return opened
        return None

    def nonces(self, pns: Numbers) -> list[bytes]:
        """The nonces of many frames, of their full PNs where the suite is an XPN one."""
        matrix = np.empty((len(pns), 12), np.uint8)
        if self.xpn:
            matrix[:, :4] = np.frombuffer(self._mask.to_bytes(12, "big")[:4], np.uint8)
            matrix[:, 4:] = (pns ^ np.uint64(self._mask & _LOW)).astype(">u8")[:, None].view(np.uint8)
        else:
            matrix[:, :8] = np.frombuffer(self._sci, np.uint8)
            matrix[:, 8:] = pns.astype(">u4")[:, None].view(np.uint8)
        nonces: list[bytes] = matrix.view("V12").ravel().tolist()
        return nonces

    def _try(self, nonce: bytes, head: bytes, data: bytes, *, encrypted: bool) -> bytes | None:
        # What is not confidential is authenticated as it stands: all of it, or the octets up to the offset.
        clear = min(self.offset, len(data) - ICV_OCTETS) if encrypted else len(data) - ICV_OCTETS
        try:
            opened = self._open(nonce, data[clear:], head + data[:clear])
        except IntegrityError:
            return None
        return data[:clear] + opened if clear else opened


@final
class MacsecOpener:
    """All SAs, looked up by SCI and AN; the newest is tried first, then the one that fitted last."""

    def __init__(self, keys: Iterable[MacsecSak], distributed: Iterable[DistributedSak]) -> None:
        self._sas: Final[dict[tuple[bytes, int], list[Sa]]] = {}
        self.every: Final[list[Sa]] = []
        for learned in distributed:
            for sci in learned.member_scis:
                self._sas.setdefault((sci, learned.an), [])[:0] = _learned_sas(learned, sci)
        for key in keys:
            salt, offset = key.salt or b"", key.confidentiality_offset
            identity = of_macsec(
                sak=key.sak.reveal(), sci=key.sci, an=key.an, suite=key.cipher_suite, ssci=key.ssci, salt=salt,
                offset=offset, learned=False,
            )  # fmt: skip
            sa = Sa(identity, key.sak, key.sci, key.ssci, salt, offset, key.first_pn)
            self._sas.setdefault((key.sci, key.an), []).insert(0, sa)
        for sas in self._sas.values():
            for sa in sas:
                sa.index = len(self.every)
                self.every.append(sa)

    def candidates(self, sci: bytes, an: int) -> list[Sa]:
        """The SAs of an SC with this AN, the likeliest first."""
        return self._sas.get((sci, an), [])

    def open(self, octets: bytes, start: int, end: int) -> Found:
        """Check and open an Ethernet frame whose TCI is at `start` and whose ICV ends before `end`."""
        tci = octets[start]
        kind = MACSEC_ENCRYPTED if tci & E else MACSEC_INTEGRITY_ONLY
        an, data = tci & 3, start + (14 if tci & SC else 6)
        scis = _scis(octets, start)
        low_pn = octets[start + 2 : start + 6]
        # 802.1AE-2018 10.6: addresses and SecTAG; VLAN tags before the SecTAG are not covered.
        head = octets[:data] if start == 14 else octets[:12] + octets[start - 2 : data]
        sealed = octets[data:end]
        known = False
        for sci in scis:
            sas = self._sas.get((sci, an), [])
            if low_pn == bytes(4) and sas and not any(sa.xpn for sa in sas):
                return forbidden("SecTAG with PN 0 (802.1AE-2018 9.12)")
            for place, sa in enumerate(sas):
                known = True
                opened = sa.open(head, low_pn, sealed, encrypted=bool(tci & E))
                if opened is not None:
                    sas.insert(0, sas.pop(place))
                    icv = int.from_bytes(octets[end - 8 : end], "big")
                    used = Used(sa.identity, sa.last, sa.last ^ sa.nonce_mask, icv, len(sealed) - ICV_OCTETS)
                    return Found(kind, AUTHENTICATED, octets[:12] + opened, used=used)
        where = f"SCI {scis[0].hex()} AN {an}"
        if known:
            return Found(kind, FAILED, reason=f"the ICV does not fit the SAK of {where}")
        return Found(kind, NO_KEY, reason=f"no SAK for {where}")


def _scis(octets: bytes, start: int) -> tuple[bytes, ...]:
    """The SCIs that a frame may belong to (802.1AE-2018 9.9)."""
    tci, source = octets[start], octets[6:12]
    if tci & SC:
        return (octets[start + 6 : start + 14],)
    if tci & SCB and not tci & ES:
        return (source + b"\0\0", source + b"\0\1")  # the standard's port, then Linux's
    return (source + b"\0\1",)


def _learned_sas(learned: DistributedSak, sci: bytes) -> list[Sa]:
    if "XPN" not in learned.cipher_suite:
        return [_learned_sa(learned, sci, None, 1)]
    ranks = [learned.ranked_scis.index(sci) + 1] if sci in learned.ranked_scis else []
    # A capture may have missed who was live at the time, so the other ranks are tried behind the one that is right.
    ranks += [rank for rank in range(1, min(len(learned.member_scis), _MOST_SSCIS) + 1) if rank not in ranks]
    return [_learned_sa(learned, sci, rank.to_bytes(4, "big"), learned.lowest_pn) for rank in ranks]


def _learned_sa(learned: DistributedSak, sci: bytes, ssci: bytes | None, first_pn: int) -> Sa:
    salt = b"" if ssci is None else learned.salt
    identity = of_macsec(
        sak=learned.sak.reveal(), sci=sci, an=learned.an, suite=learned.cipher_suite, ssci=ssci, salt=salt,
        offset=learned.confidentiality_offset, learned=True,
    )  # fmt: skip
    return Sa(identity, learned.sak, sci, ssci, salt, learned.confidentiality_offset, first_pn)
