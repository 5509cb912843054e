"""The slow, obvious SecY: the standard's steps one frame at a time, with sets and single AEAD calls, nothing clever.

It shares the AEAD with the engine and no other line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dataplane.crypto.aead import Aead, aes_gcm
from dataplane.errors import IntegrityError


@dataclass
class OracleSa:
    """One SA of either direction. `ssci` and `salt` are there with extended packet numbering only."""

    key: bytes
    sci: bytes
    ssci: bytes | None = None
    salt: bytes = b""
    confidentiality: bool = True
    offset: int = 0
    next_pn: int = 1
    lowest_pn: int = 1
    seen: set[int] = field(default_factory=set)

    @property
    def xpn(self) -> bool:
        return self.ssci is not None

    @property
    def aead(self) -> Aead:
        return aes_gcm(self.key)

    def nonce(self, pn: int) -> bytes:
        if self.ssci is None:
            return self.sci + pn.to_bytes(4, "big")
        return bytes(a ^ b for a, b in zip(self.ssci + pn.to_bytes(8, "big"), self.salt, strict=True))


@dataclass
class OracleSender:
    """`tci` holds the bits that name the SC; `an` and the SA may be exchanged at any time."""

    sa: OracleSa
    an: int = 0
    tci: int = 0x20
    max_frame: int = 1 << 20
    counters: Counter[str] = field(default_factory=Counter)

    def protect(self, frame: bytes) -> bytes | None:
        if len(frame) < 14:
            self.counters["ifOutErrors"] += 1
            return None
        last = (1 << 64) - 1 if self.sa.xpn else (1 << 32) - 1
        if self.sa.next_pn > last:
            self.counters["ifOutDiscards"] += 1
            return None
        data = frame[12:]
        explicit = bool(self.tci & 0x20)
        if len(frame) + (16 if explicit else 8) + 16 > self.max_frame:
            self.counters["OutPktsTooLong"] += 1
            return None
        pn = self.sa.next_pn
        self.sa.next_pn += 1
        tag = b"\x88\xe5" + bytes([self.tci | self.an | (0x0C if self.sa.confidentiality else 0)])
        tag += bytes([len(data) if len(data) < 48 else 0]) + (pn & 0xFFFFFFFF).to_bytes(4, "big")
        if explicit:
            tag += self.sa.sci
        readable = data[: self.sa.offset] if self.sa.confidentiality else data
        aad = frame[:12] + tag + readable
        what = "Encrypted" if self.sa.confidentiality else "Protected"
        self.counters[f"OutPkts{what}"] += 1
        self.counters[f"OutOctets{what}"] += len(data)
        return aad + self.sa.aead.seal(self.sa.nonce(pn), data[len(readable) :], aad)


@dataclass
class OracleReceiver:
    """One peer's SAs by (SCI, AN). A frame that is not delivered is None."""

    sas: dict[tuple[bytes, int], OracleSa]
    validate: str = "strict"
    replay_protect: bool = True
    window: int = 0
    strict_replay: bool = False
    padding_allowed: bool = False
    xpn: bool = False
    counters: Counter[str] = field(default_factory=Counter)

    def receive(self, frame: bytes) -> bytes | None:
        reason, delivered = self._receive(frame)
        self.counters[reason] += 1
        return delivered

    def _receive(self, frame: bytes) -> tuple[str, bytes | None]:
        if len(frame) < 14:
            return "ifInErrors", None
        if frame[12:14] != b"\x88\xe5":
            return ("InPktsNoTag", None) if self.validate == "strict" else ("InPktsUntagged", frame)
        if len(frame) < 20:
            return "InPktsBadTag", None
        tci, sl, low = frame[14], frame[15], int.from_bytes(frame[16:20], "big")
        explicit, end_station, scb = bool(tci & 0x20), bool(tci & 0x40), bool(tci & 0x10)
        encrypted, changed, an = bool(tci & 8), bool(tci & 4), tci & 3
        tag_end = 28 if explicit else 20
        data_octets = len(frame) - tag_end - 16
        if sl and self.padding_allowed and data_octets > sl:
            data_octets = sl
        bad = (
            tci & 0x80 or (explicit and (end_station or scb)) or sl >= 48 or encrypted != changed
            or (sl and data_octets != sl) or (not sl and data_octets < 48)
        )  # fmt: skip
        if bad:
            return "InPktsBadTag", None

        scis = {sci for sci, _ in self.sas}
        wanted: list[bytes]
        if explicit:
            wanted = [frame[20:28]]
        elif scb:
            wanted = [frame[6:12] + b"\x00\x00", frame[6:12] + b"\x00\x01"]
        elif end_station:
            wanted = [frame[6:12] + b"\x00\x01"]
        else:
            wanted = list(scis) if len(scis) == 1 else []
        sci = next((sci for sci in wanted if sci in scis), None)
        sa = self.sas.get((sci, an)) if sci is not None else None
        if low == 0 and not (self.xpn if sa is None else sa.xpn):
            return "InPktsBadTag", None
        data = frame[tag_end : tag_end + data_octets]
        believed = frame[:12] + data
        tolerated = not changed and self.validate != "strict"
        if sa is None:
            names = ("InPktsUnknownSCI", "InPktsNoSCI") if sci is None else ("InPktsUnusedSA", "InPktsNotUsingSA")
            return (names[0], believed) if tolerated else (names[1], None)

        pn = low
        if sa.xpn:
            upper = sa.lowest_pn >> 32
            if sa.lowest_pn & 0x80000000 and not low & 0x80000000:
                upper += 1
            pn = (upper << 32 | low) % (1 << 64)
        late = pn < sa.lowest_pn or (self.strict_replay and self.window > 0 and pn in sa.seen)
        if late and self.replay_protect:
            return "InPktsLate", None
        if self.validate == "disabled" and not changed:
            return "InPktsUnchecked", believed
        readable = data[: sa.offset] if encrypted else data
        sealed = frame[tag_end + len(readable) : tag_end + data_octets + 16]
        try:
            plain = sa.aead.open(sa.nonce(pn), sealed, frame[: tag_end + len(readable)])
        except IntegrityError:
            return ("InPktsInvalid", believed) if tolerated else ("InPktsNotValid", None)
        if not late:
            sa.seen.add(pn)
            sa.next_pn = max(sa.next_pn, pn + 1)
            sa.lowest_pn = max(sa.lowest_pn, sa.next_pn - self.window)
        self.counters["InOctetsDecrypted" if encrypted else "InOctetsValidated"] += data_octets
        return "InPktsDelayed" if late else "InPktsOK", frame[:12] + readable + plain
