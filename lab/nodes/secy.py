"""A link end's SecY before it has keys, its SCI, and what the key log says of a SAK."""

from __future__ import annotations

from typing import Final

from netaddr import EUI

from dataplane.macsec.association import Sak
from dataplane.macsec.controls import Generation, SciEncoding, Verification
from dataplane.macsec.secy import SecY
from dataplane.macsec.suites import suite_named
from dataplane.wire.ethernet import HEADER_OCTETS
from lab.model.link import Interface
from lab.model.macsec import MacsecPolicy

_PORT: Final = b"\0\1"


def sci_of(mac: EUI) -> bytes:
    """The SCI of the only SC of a device: its MAC address and port 1 (802.1AE-2018 9.9)."""
    return bytes(mac.packed) + _PORT


def make_secy(end: Interface, policy: MacsecPolicy) -> SecY:
    """The SecY of one end of a link, strict, as its policy says; without channels and keys."""
    return SecY(
        sci_of(end.mac),
        cipher_suite=suite_named(policy.cipher_suite),
        generation=Generation(
            sci_encoding=SciEncoding(policy.sci_encoding.value), max_frame_octets=end.wire_mtu + HEADER_OCTETS
        ),
        verification=Verification(replay_window=policy.replay_window),
    )


def key_record(sci: bytes, an: int, sak: Sak, ssci: bytes | None) -> dict[str, object]:
    """The key log's object for a SAK as one SC uses it."""
    record: dict[str, object] = {
        "type": "macsec-sak",
        "sci": sci.hex(),
        "an": an,
        "cipher_suite": sak.suite.name,
        "sak": sak.key.reveal().hex(),
    }
    if ssci is not None:
        record |= {"ssci": ssci.hex(), "salt": sak.salt.hex()}
    if sak.confidentiality_offset:
        record["confidentiality_offset"] = sak.confidentiality_offset
    return record
