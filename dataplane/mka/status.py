"""What a KaY can tell of itself, and why its port is closed when it is."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from dataplane.mka.agreed import AgreedSak, Refusal
from dataplane.mka.cp import Cp
from dataplane.mka.machine import State
from dataplane.mka.paramsets.sakuse import KeyIdentifier
from dataplane.mka.participant import Participant
from dataplane.mka.times import HELLO, LIFE


@final
class Trouble(enum.Enum):
    """Why nothing is secured. Of several, the first that there is evidence for."""

    SCI_STATE = "the peer's SecTAGs carry an SCI where ours do not, or the other way round"
    CIPHER_SUITE = "the key server's cipher suite is not ours"
    CONFIDENTIALITY = "the key server asks for integrity only, our policy is to encrypt"
    NO_MACSEC = "a member cannot or will not use MACsec"
    SAK_NOT_TAKEN = "the peer does not take our SAK: its cipher suite or its policy may differ"
    NO_KEY_SERVER = "no member wants to be key server"
    CAK = "the CKN is ours, the ICV is not: the CAKs differ"
    ALGORITHM = "the peer's algorithm agility is not ours"
    CKN = "MKPDUs arrive, but none with a CKN of ours"
    NOT_HEARD = "MKPDUs of the peer arrive, but ours do not reach it"
    SILENCE = "no MKPDU arrives"


_REFUSALS: Final = {
    Refusal.CIPHER_SUITE: Trouble.CIPHER_SUITE,
    Refusal.CONFIDENTIALITY: Trouble.CONFIDENTIALITY,
    Refusal.NO_MACSEC: Trouble.NO_MACSEC,
}


@final
class Evidence:
    """What was seen and when; what was not seen again for longer than a peer lives is no evidence any more."""

    def __init__(self) -> None:
        self._seen: Final[dict[Trouble, float]] = {}
        self._details: Final[dict[Trouble, str]] = {}

    def note(self, trouble: Trouble, now: float, detail: str = "") -> None:
        """Take note of a sign of trouble."""
        self._seen[trouble] = now
        self._details[trouble] = detail

    def note_refusal(self, refusal: Refusal, now: float, detail: str) -> None:
        """Take note of a SAK that was not taken, if the reason does not go away by itself."""
        if refusal in _REFUSALS:
            self.note(_REFUSALS[refusal], now, detail)

    def clear(self, trouble: Trouble) -> None:
        """The trouble is over."""
        self._seen.pop(trouble, None)

    def first(self, now: float) -> tuple[Trouble, str] | None:
        """The most telling trouble of late, with its detail."""
        recent = (trouble for trouble in Trouble if self._seen.get(trouble, float("-inf")) > now - LIFE - HELLO)
        found = next(recent, None)
        return None if found is None else (found, self._details[found])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantStatus:
    """A CA by its CKN: SCIs of its members besides us, and whether the port is in this one."""

    ckn: bytes
    principal: bool
    key_server: bytes | None
    live: tuple[bytes, ...]
    potential: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SakStatus:
    """A SAK that the SecY holds. `age` is in seconds, since it was agreed."""

    identifier: KeyIdentifier
    an: int
    cipher_suite: str
    ckn: bytes
    receives: bool
    transmits: bool
    age: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KayStatus:
    """`secured`: the Controlled Port is open. While it is closed, `trouble` and `detail` say why, as far as known."""

    secured: bool
    state: State
    sci: bytes
    participants: tuple[ParticipantStatus, ...]
    saks: tuple[SakStatus, ...]
    trouble: Trouble | None
    detail: str


def describe(
    sci: bytes,
    participants: Sequence[Participant],
    principal: Participant | None,
    cp: Cp,
    evidence: Evidence,
    now: float,
) -> KayStatus:
    """The status of a KaY from its parts."""
    trouble = None if cp.controlled_port_enabled else evidence.first(now) or _guess(participants)
    held = (
        (cp.latest, cp.latest_receives, cp.latest_transmits),
        (cp.old, True, cp.old_transmits),
    )
    return KayStatus(
        secured=cp.controlled_port_enabled,
        state=cp.state,
        sci=sci,
        participants=tuple(_participant(each, is_principal=each is principal) for each in participants),
        saks=tuple(
            _sak(agreed, receives=receives, transmits=transmits, now=now)
            for agreed, receives, transmits in held
            if agreed is not None
        ),
        trouble=None if trouble is None else trouble[0],
        detail="" if trouble is None else trouble[1],
    )


def _guess(participants: Sequence[Participant]) -> tuple[Trouble, str] | None:
    """What silence means: nothing where a peer is live and the SAK is on its way."""
    if any(participant.peers.live for participant in participants):
        return None
    heard = any(participant.peers.potential for participant in participants)
    return (Trouble.NOT_HEARD if heard else Trouble.SILENCE), ""


def _participant(participant: Participant, *, is_principal: bool) -> ParticipantStatus:
    server = participant.key_server()
    return ParticipantStatus(
        ckn=participant.cak.ckn,
        principal=is_principal,
        key_server=None if server is None else server.sci,
        live=tuple(sorted(participant.live_scis.values())),
        potential=len(participant.peers.potential),
    )


def _sak(agreed: AgreedSak, *, receives: bool, transmits: bool, now: float) -> SakStatus:
    return SakStatus(
        identifier=agreed.identifier,
        an=agreed.an,
        cipher_suite=agreed.sak.suite.name,
        ckn=agreed.ckn,
        receives=receives,
        transmits=transmits,
        age=now - agreed.since,
    )
