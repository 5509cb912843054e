"""SecY's speed in memory, as ratios taken in the same run: against a bare loop of AEAD calls, and against Scapy.

A batch is 64 frames of one length; replay check and counters are on. The bare loop makes the same calls of the crypto
library on the same kind of buffers and nothing else. Scapy's figures are bytes to bytes: build or dissect, encrypt or
decrypt. Figures are medians of rounds that take turns, so that a slow moment of the machine hits all alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dataplane.batch import Batch
from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Verification
from dataplane.macsec.layout import Layout
from dataplane.macsec.suites import GCM_AES_128, GCM_AES_XPN_256, CipherSuite
from tests.unit.dataplane.macsec.pair import A_SCI, A_SSCI, clear_frame, make_sak, receiver, sender

FRAMES = 64
ROUNDS = 200
SIZES = (64, 1500, 9000)
WANTED_OF_BARE = 0.6
WANTED_OF_SCAPY = 200


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def engine(suite: CipherSuite, size: int) -> dict[str, float]:
    """Median microseconds a frame: protect, validate, and the bare loops of the same calls."""
    sak = make_sak(suite)
    a, (b, channel) = sender(sak), receiver(sak, verification=Verification(replay_window=64))
    clear, wire, back = Batch(FRAMES, 9100), Batch(FRAMES, 9132), Batch(FRAMES, 9132)
    for _ in range(FRAMES):
        clear.append(clear_frame(size))
    bare_clear, bare_wire = Batch(FRAMES, 9100), Batch(FRAMES, 9132)
    layout = Layout(bare_clear, bare_wire, clear_octets=size, tag_octets=16, covered=0)
    library = AESGCM(sak.key.reveal())

    def seal() -> None:
        seal_into = library.encrypt_into
        for nonce, plain, aad, sealed in layout.seals:
            seal_into(nonce, plain, aad, sealed)

    def unseal() -> None:
        open_into = library.decrypt_into
        for nonce, sealed, aad, plain in layout.opens:
            open_into(nonce, sealed, aad, plain)

    verbs = {
        "bare seal": seal,
        "protect": lambda: a.protect(clear, wire),
        "bare open": unseal,
        "validate": lambda: b.validate(wire, back),
    }
    times: dict[str, list[float]] = {name: [] for name in verbs}
    for _ in range(ROUNDS):
        for name, verb in verbs.items():
            times[name].append(timed(verb) / FRAMES * 1e6)
    assert channel.counters.InPktsOK == ROUNDS * FRAMES
    return {name: statistics.median(values) for name, values in times.items()}


def scapy(sak: Sak, size: int) -> dict[str, float]:
    """Median microseconds a frame that Scapy takes for the same."""
    from scapy.contrib.macsec import MACsecSA
    from scapy.layers.l2 import Ether

    xpn = {"xpn_en": True, "ssci": A_SSCI, "salt": sak.salt} if sak.suite.xpn else {}
    sa = MACsecSA(sci=A_SCI, an=0, pn=1, key=sak.key.reveal(), icvlen=16, encrypt=1, send_sci=1, **xpn)
    clear = clear_frame(size)
    wire = bytes(sa.encrypt(sa.encap(Ether(clear))))
    assert bytes(sa.decap(sa.decrypt(Ether(wire)))) == clear
    verbs = {
        "protect": lambda: bytes(sa.encrypt(sa.encap(Ether(clear)))),
        "validate": lambda: bytes(sa.decap(sa.decrypt(Ether(wire)))),
    }
    times: dict[str, list[float]] = {name: [] for name in verbs}
    for _ in range(60):
        for name, verb in verbs.items():
            times[name].append(timed(verb) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> int:
    print(f"batches of {FRAMES} frames, microseconds a frame; 1,500 octets must reach {WANTED_OF_BARE} and x200")
    print(f"{'suite':<16} {'octets':>6} {'verb':<9} {'ours':>6} {'bare':>6} {'of bare':>8} {'Scapy':>7} {'x Scapy':>8}")
    missed = False
    for suite in (GCM_AES_128, GCM_AES_XPN_256):
        for size in SIZES:
            ours, theirs = engine(suite, size), scapy(make_sak(suite), size)
            for verb, bare in (("protect", "bare seal"), ("validate", "bare open")):
                of_bare, of_scapy = ours[bare] / ours[verb], theirs[verb] / ours[verb]
                missed = missed or (size == 1500 and (of_bare < WANTED_OF_BARE or of_scapy < WANTED_OF_SCAPY))
                print(
                    f"{suite.name:<16} {size:>6} {verb:<9} {ours[verb]:>6.2f} {ours[bare]:>6.2f} {of_bare:>8.2f}"
                    f" {theirs[verb]:>7.0f} {of_scapy:>8.0f}"
                )
    return missed


if __name__ == "__main__":
    sys.exit(main())
