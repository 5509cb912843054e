"""A SecY as others see it: every counter under its own name, and never a key."""

from __future__ import annotations

from dataclasses import asdict

from dataplane.macsec.channel import ANS, ReceiveChannel, TransmitChannel
from dataplane.macsec.secy import SecY


def secy_status(secy: SecY) -> dict[str, object]:
    """Its suite, counters (802.1AE-2018 10.7.9, 10.7.18), transmit SC and receive SCs with their SAs."""
    return {
        "cipher_suite": secy.controls.cipher_suite.name,
        "counters": asdict(secy.counters),
        "transmit": _transmit(secy.transmit),
        "receive": [_receive(channel) for channel in secy.receive_channels()],
    }


def _transmit(channel: TransmitChannel) -> dict[str, object]:
    sas = [sa for sa in map(channel.sa, range(ANS)) if sa is not None]
    return {
        "sci": channel.sci.hex(),
        "encoding_an": None if channel.encoding_sa is None else channel.encoding_sa.an,
        "counters": asdict(channel.counters),
        "sas": [
            {"an": sa.an, "in_use": sa.in_use, "next_pn": sa.next_pn, "counters": asdict(sa.counters)} for sa in sas
        ],
    }


def _receive(channel: ReceiveChannel) -> dict[str, object]:
    sas = [sa for sa in map(channel.sa, range(ANS)) if sa is not None]
    return {
        "sci": channel.sci.hex(),
        "counters": asdict(channel.counters),
        "sas": [
            {
                "an": sa.an,
                "in_use": sa.in_use,
                "next_pn": sa.window.next,
                "lowest_pn": sa.window.lowest,
                "counters": asdict(sa.counters),
            }
            for sa in sas
        ],
    }
