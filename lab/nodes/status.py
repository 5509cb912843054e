"""A SecY and a KaY as others see them: every counter under its own name, and never a key."""

from __future__ import annotations

from dataclasses import asdict

from dataplane.macsec.channel import ANS, ReceiveChannel, TransmitChannel
from dataplane.macsec.secy import SecY
from dataplane.mka.status import KayStatus, ParticipantStatus, SakStatus, Trouble
from dataplane.mka.verdict import KayCounters


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


def kay_status(status: KayStatus, counters: KayCounters) -> dict[str, object]:
    """Whether the port is secured, and if not why; the CAs with their members, the SAKs by age, MKPDUs by outcome."""
    return {
        "secured": status.secured,
        "state": status.state.value,
        "sci": status.sci.hex(),
        "trouble": None if status.trouble is None else trouble_name(status.trouble),
        "why": None if status.trouble is None else status.trouble.value,
        "detail": status.detail,
        "participants": [_participant(participant) for participant in status.participants],
        "saks": [_sak(sak) for sak in status.saks],
        "counters": {name: count for name, count in asdict(counters).items() if name != "discarded"}
        | {"discarded": {reason.value: count for reason, count in counters.discarded.items()}},
    }


def trouble_name(trouble: Trouble) -> str:
    """A trouble in one word for programs, as `cipher-suite`."""
    return trouble.name.lower().replace("_", "-")


def _participant(participant: ParticipantStatus) -> dict[str, object]:
    return {
        "ckn": participant.ckn.hex(),
        "principal": participant.principal,
        "key_server": None if participant.key_server is None else participant.key_server.hex(),
        "live": [sci.hex() for sci in participant.live],
        "potential": participant.potential,
    }


def _sak(sak: SakStatus) -> dict[str, object]:
    return {
        "key_server_mi": sak.identifier.mi.hex(),
        "key_number": sak.identifier.kn,
        "an": sak.an,
        "cipher_suite": sak.cipher_suite,
        "ckn": sak.ckn.hex(),
        "receives": sak.receives,
        "transmits": sak.transmits,
        "age": round(sak.age, 3),
    }
