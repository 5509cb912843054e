"""Fuzz targets of MKA: functions of octets that may do anything but raise.

`python -m tests.fuzz.mka_targets TARGET [ROUNDS [SEED]]` runs one for as long as wanted; the tests run each briefly.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

from dataplane.crypto.cmac import aes_cmac
from dataplane.errors import WireError
from dataplane.macsec.suites import GCM_AES_128, GCM_AES_XPN_256
from dataplane.mka.mkpdu import ICV_OCTETS, Mkpdu
from dataplane.mka.paramsets.announced import Announcement
from dataplane.mka.paramsets.distributed import DistributedCak
from dataplane.mka.verdict import Accepted, Discarded
from tests.exchange.mka.lan import Lan, cak, pair
from tests.fuzz.mutants import main
from tests.vectors.load import DATA


def mkpdu(octets: bytes) -> None:
    """What is an MKPDU is emitted and parsed again as the same one."""
    with contextlib.suppress(WireError):
        parsed = Mkpdu.parse(octets)
        assert Mkpdu.parse(parsed.emit() + octets[-ICV_OCTETS:]) == parsed


def sets(octets: bytes) -> None:
    """The sets that are looked into only when asked."""
    with contextlib.suppress(WireError):
        list(Announcement(octets=octets).tlvs())
    for kek_octets in (16, 32):
        with contextlib.suppress(WireError):
            wrapped, ckn = DistributedCak(wrapped_cak_and_ckn=octets).split(kek_octets)
            assert wrapped + ckn == octets


def _secured(*, xpn: bool) -> Lan:
    lan = pair(suite=GCM_AES_XPN_256 if xpn else GCM_AES_128, delay_protect=True)
    lan.run(0.02)
    return lan


def frame(octets: bytes) -> None:
    """Whatever arrives at a secured pair leaves it secured: without the CAK nobody is heard."""
    lan = _secured(xpn=False)
    for member in lan.members:
        member.kay.receive(octets, lan.now)
        member.work()
    lan.run(0.5)
    assert lan.secured()


def insider(octets: bytes) -> None:
    """A member that says anything, authentically: the SecY never gets an order that it must refuse."""
    for xpn in (False, True):
        lan = _secured(xpn=xpn)
        ick = cak(octets=32 if xpn else 16).ick.reveal()
        victim = lan.members[1]
        for start in range(0, len(octets), 200):
            body = octets[start : start + 200]
            body += bytes(-len(body) % 4)
            unsealed = bytes.fromhex("0180c2000003020000000009888e0305") + (len(body) + 16).to_bytes(2, "big") + body
            outcome = victim.kay.receive(unsealed + aes_cmac(ick, unsealed), lan.now)
            assert isinstance(outcome, Accepted | Discarded)
            victim.work()
            lan.run(0.2)
        lan.run(4)


TARGETS: dict[str, Callable[[bytes], None]] = {"mkpdu": mkpdu, "sets": sets, "frame": frame, "insider": insider}


def seeds(target: str) -> list[bytes]:
    """The published MKPDUs, and every one that a pair of ours sends from the start to a rekey."""
    frames = [
        bytes.fromhex(entry["frame"]) for entry in json.loads((DATA / "mka.json").read_text()) if "frame" in entry
    ]
    for suite in (GCM_AES_128, GCM_AES_XPN_256):
        lan = pair(suite=suite)
        lan.run(2.5)
        lan.members[0].kay.rekey(lan.now)
        lan.members[0].work()
        lan.run(0.05)
        frames += [sent for member in lan.members for sent in member.sent_mkpdus]
    if target == "frame":
        return frames
    if target == "insider":  # as the key server itself would say it next
        return [_ahead(sent[18:-ICV_OCTETS]) for sent in frames if b"\xc0\xff\xee" in sent]
    return [sent[18:] for sent in frames] + [bytes.fromhex("e0020102e20400000000")]


def _ahead(body: bytes) -> bytes:
    """The same body with an MN that is still to come."""
    return body[:24] + b"\x00\x01" + body[26:]


if __name__ == "__main__":
    main(TARGETS, seeds)
