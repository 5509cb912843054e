"""Two SecYs that share a SAK, for tests that want to get to the point."""

from __future__ import annotations

from dataplane.crypto.secret import Secret
from dataplane.macsec.association import Sak
from dataplane.macsec.channel import ReceiveChannel
from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import GCM_AES_128, CipherSuite
from dataplane.wire.sectag import PORT_ES, PORT_SCB

A_MAC = bytes.fromhex("02000000000a")
B_MAC = bytes.fromhex("02000000000b")
A_SCI, B_SCI = A_MAC + PORT_ES, B_MAC + PORT_ES
A_SSCI = b"\x00\x00\x00\x02"
B_SSCI = b"\x00\x00\x00\x01"


def make_sak(
    suite: CipherSuite = GCM_AES_128, *, seed: int = 1, confidentiality: bool = True, confidentiality_offset: int = 0
) -> Sak:
    return Sak(
        suite=suite,
        key=Secret(bytes((seed * 7 + i) % 256 for i in range(suite.key_octets))),
        salt=bytes(range(100, 112)) if suite.xpn else b"",
        confidentiality=confidentiality,
        confidentiality_offset=confidentiality_offset,
    )


def clear_frame(octets: int, *, fill: int = 0) -> bytes:
    """A frame from A to B of so many octets, at least 14, header included."""
    return B_MAC + A_MAC + b"\x08\x00" + bytes((fill + i) % 256 for i in range(octets - 14))


def sci_of(encoding: SciEncoding) -> bytes:
    """A's SCI, such that this encoding can name it."""
    return A_MAC + (PORT_SCB if encoding is SciEncoding.SCB else PORT_ES)


def sender(
    sak: Sak | None = None, *, an: int = 0, next_pn: int = 1, generation: Generation | None = None,
    pn_threshold: int | None = None,
) -> SecY:  # fmt: skip
    """A, ready to send."""
    sak, generation = sak or make_sak(), generation or Generation()
    secy = SecY(sci_of(generation.sci_encoding), cipher_suite=sak.suite, generation=generation)
    ssci = A_SSCI if sak.suite.xpn else None
    secy.transmit.create_sa(an, sak, ssci=ssci, next_pn=next_pn, pn_threshold=pn_threshold)
    secy.transmit.enable_sa(an)
    return secy


def receiver(
    sak: Sak | None = None, *, an: int = 0, next_pn: int = 1, verification: Verification | None = None,
    sci: bytes = A_SCI,
) -> tuple[SecY, ReceiveChannel]:  # fmt: skip
    """B, ready to receive from A."""
    sak = sak or make_sak()
    secy = SecY(B_SCI, cipher_suite=sak.suite, verification=verification)
    channel = secy.create_receive_channel(sci)
    add_receive_sa(channel, an, sak, next_pn=next_pn)
    return secy, channel


def add_receive_sa(channel: ReceiveChannel, an: int, sak: Sak, *, next_pn: int = 1) -> None:
    channel.create_sa(an, sak, ssci=A_SSCI if sak.suite.xpn else None, next_pn=next_pn)
    channel.enable_sa(an)
