"""ESP's speed in memory, as ratios taken in the same run: against a bare loop of cipher calls, and against Scapy.

A batch is 64 packets of one length; policy, selectors, anti-replay, lifetimes and counters are on. The bare loop makes
the same calls of the crypto library on the same kind of buffers and nothing else. Scapy's figures are bytes to bytes:
dissect the packet, encrypt or decrypt, build. Figures are medians of rounds that take turns, so that a slow moment of
the machine hits all alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from dataplane.batch import Batch
from dataplane.esp.layout import GREATEST_HEAD, Layout
from dataplane.esp.open import opener
from dataplane.esp.seal import sealer
from dataplane.esp.shape import Shape
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import encr, integ
from tests.unit.dataplane.esp.peers import CBC256_SHA256, GCM256, NOW, SPI, parameters, receiver, sender, tcp

PACKETS = 64
ROUNDS = 200
SIZES = (64, 1400)
WANTED_OF_SCAPY = 100
CHACHA = EspSuite(encryption=encr("ENCR_CHACHA20_POLY1305"))
CBC128_SHA1 = EspSuite(encryption=encr("ENCR_AES_CBC", 128), integrity=integ("AUTH_HMAC_SHA1_96"), esn=True)


@dataclass(frozen=True)
class Case:
    suite: EspSuite
    scapy_cipher: str | None = None
    scapy_integrity: str = "NULL"


CASES = (
    Case(CBC256_SHA256, "AES-CBC", "SHA2-256-128"),
    Case(GCM256, "AES-GCM"),
    Case(CHACHA, "CHACHA20-POLY1305"),
    Case(CBC128_SHA1),
)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def packet_of(octets: int) -> bytes:
    return tcp(4, data=bytes(octets - 40))


def medians(verbs: dict[str, Callable[[], object]], rounds: int, each: int) -> dict[str, float]:
    """Median microseconds a packet of verbs that handle `each` packets, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in verbs}
    for _ in range(rounds):
        for name, verb in verbs.items():
            times[name].append(timed(verb) / each * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def engine(suite: EspSuite, octets: int) -> dict[str, float]:
    """The engine's batches, its single packets, and the bare loops of the same calls."""
    of = parameters(suite)
    a, b, c = sender(of), receiver(of), sender(of)
    packet = packet_of(octets)
    clear, back = (Batch(PACKETS, 1600, headroom=GREATEST_HEAD) for _ in range(2))
    wire = Batch(PACKETS, 1600)
    for _ in range(PACKETS):
        clear.append(packet)
    shape = Shape.of(suite)
    bare_wire, bare_clear = Batch(PACKETS, 1600), Batch(PACKETS, 1600, headroom=GREATEST_HEAD)
    seals = Layout(bare_wire, bare_clear, shape, shape.packet(octets), sealing=True)
    opens = Layout(bare_wire, bare_clear, shape, shape.packet(octets), sealing=False)
    seal_run, open_run = sealer(suite, of.keys, os.urandom), opener(suite, of.keys)
    rows = slice(0, PACKETS)
    found = medians(
        {
            "bare seal": lambda: seal_run.run(seals, rows, 1),
            "encapsulate": lambda: a.encapsulate(clear, wire, NOW),
            "bare open": lambda: open_run.run(opens, rows, 0),
            "decapsulate": lambda: b.decapsulate(wire, back, NOW),
            "one by one": lambda: [c.encapsulate_packet(packet, NOW) for _ in range(PACKETS)],
        },
        ROUNDS,
        PACKETS,
    )
    assert b.counters.in_packets == ROUNDS * PACKETS
    assert not b.counters.discarded
    return found


def scapy(case: Case, octets: int) -> dict[str, float]:
    """Scapy's for the same."""
    from scapy.layers.inet import IP
    from scapy.layers.ipsec import ESP, SecurityAssociation

    keys = parameters(case.suite).keys
    sa = SecurityAssociation(
        ESP,
        spi=SPI,
        crypt_algo=case.scapy_cipher,
        crypt_key=keys.encryption.reveal(),
        auth_algo=case.scapy_integrity,
        auth_key=keys.integrity.reveal() or None,
        tunnel_header=IP(src="203.0.113.1", dst="10.0.1.4"),
    )
    packet = packet_of(octets)
    sealed = bytes(sa.encrypt(IP(packet)))
    assert bytes(sa.decrypt(IP(sealed))) == packet
    return medians(
        {
            "encapsulate": lambda: bytes(sa.encrypt(IP(packet))),
            "decapsulate": lambda: bytes(sa.decrypt(IP(sealed))),
        },
        60,
        1,
    )


def main() -> int:
    print(f"batches of {PACKETS} packets, microseconds a packet; {CBC256_SHA256} at 1,400 octets,")
    print(f"encapsulate and decapsulate together, must reach {WANTED_OF_SCAPY} times Scapy")
    print(
        f"{'suite':<42} {'octets':>6} {'verb':<11} {'ours':>6} {'bare':>6} {'of bare':>8} {'Scapy':>7} {'x Scapy':>8}"
    )
    reached = 0.0
    for case in CASES:
        for octets in SIZES:
            ours = engine(case.suite, octets)
            theirs = scapy(case, octets) if case.scapy_cipher is not None else {}
            for verb, bare in (("encapsulate", "bare seal"), ("decapsulate", "bare open")):
                against = f"{theirs[verb]:>7.0f} {theirs[verb] / ours[verb]:>8.0f}" if theirs else ""
                print(
                    f"{case.suite!s:<42} {octets:>6} {verb:<11} {ours[verb]:>6.2f} {ours[bare]:>6.2f}"
                    f" {ours[bare] / ours[verb]:>8.2f} {against}"
                )
            print(f"{'':<42} {octets:>6} {'one by one':<11} {ours['one by one']:>6.2f}")
            if case.suite == CBC256_SHA256 and octets == 1400:
                both = ours["encapsulate"] + ours["decapsulate"]
                reached = (theirs["encapsulate"] + theirs["decapsulate"]) / both
                print(f"   both together: {both:.2f} microseconds, {reached:.0f} times Scapy")
    return reached < WANTED_OF_SCAPY


if __name__ == "__main__":
    sys.exit(main())
