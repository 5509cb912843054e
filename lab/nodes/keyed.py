"""Keys by MKA: a KaY beside the SecY of one end of a link, and what makes the two work as one (802.1X-2020 6, 12).

The KaY's orders are carried out in their order, then its MKPDUs are sent, by the common port, untagged. Until a SAK is
in use, and whenever none is, the controlled port is closed: nothing but EAPOL passes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, final

from dataplane.batch import Batch
from dataplane.crypto.secret import Secret
from dataplane.errors import LocalError
from dataplane.macsec.counters import Accepted
from dataplane.macsec.suites import suite_named
from dataplane.mka.agreed import SakPolicy
from dataplane.mka.configuration import KayConfiguration
from dataplane.mka.events import (
    CreateTransmitSa,
    EnableTransmitSa,
    KayEvent,
    KeyServerElected,
    MemberJoined,
    MemberLeft,
    SetControlledPort,
)
from dataplane.mka.kay import KaY
from dataplane.mka.keys import Cak
from dataplane.mka.orders import carry_out, next_pns
from dataplane.wire.ethernet import ADDRESSES_OCTETS, HEADER_OCTETS, EtherType
from lab.errors import InputError
from lab.model.link import Interface, Link
from lab.model.macsec import MacsecPolicy, MkaKeys, SciEncoding
from lab.nodes.secy import key_record, make_secy, sci_of
from lab.nodes.status import kay_status, trouble_name
from lab.ports.checksum import native_words
from lab.ports.keep import keep
from lab.ports.port import Port

# 802.1X-2020 11.1.1: an EAPOL PDU fits every LAN, so 1500 octets behind the header.
_MKPDU_OCTETS: Final = HEADER_OCTETS + 1500
_MKPDUS: Final = 4
_MACSEC_WORD: Final = int.from_bytes(EtherType.MACSEC.to_bytes(2, "big"), sys.byteorder)
_TCI: Final = HEADER_OCTETS
_SC: Final = 0x20  # 802.1AE-2018 9.5: the SecTAG has an SCI


class Teller(Protocol):
    """What a KaY's driver tells the lab: a `Line`, where there is one."""

    def event(self, name: str, **fields: object) -> None:
        """Tell the lab's event log."""
        ...

    def hand_in_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        """Have keys written to the key log."""
        ...

    def await_keys(self) -> None:
        """Return when they are on file."""
        ...


def cak_of(link: Link, policy: MacsecPolicy, secrets: Mapping[str, bytes]) -> Cak:
    """The CAK of a policy, from `secrets` by the text of their references.

    Raises:
        InputError: the policy has none, or a secret is missing or of another length.
    """
    if not isinstance(policy.keys, MkaKeys):
        raise InputError(f"{link.segment}: its keys are static SAKs, which MKA has no use for")
    octets = []
    for name, reference in (("CKN", policy.keys.ckn), ("CAK", policy.keys.cak)):
        if str(reference) not in secrets:
            raise InputError(f"{link.segment}: there is no secret {reference}, its {name}")
        octets.append(secrets[str(reference)])
    return make_cak(*octets)


def make_cak(ckn: bytes, cak: bytes) -> Cak:
    """A CAK by its name.

    Raises:
        InputError: one of them has a length that it cannot have.
    """
    try:
        return Cak(cak=Secret(cak), ckn=ckn)
    except LocalError as error:
        raise InputError(str(error)) from None


@final
class KeyedSecY:
    """A SecY whose SAs are its KaY's, and the gate of its controlled port. Nothing happens until it is started."""

    def __init__(self, link: Link, end: Interface, policy: MacsecPolicy, cak: Cak, *, common: Port, teller: Teller):
        """Make both for one end of a link; MKPDUs go out by `common`."""
        assert isinstance(policy.keys, MkaKeys)
        self.secy: Final = make_secy(end, policy)
        self.is_open = False
        self._segment: Final = link.segment
        self._first: Final = cak
        self._caks: Final[dict[bytes, Cak]] = {}
        self._common: Final = common
        self._teller: Final = teller
        self._has_sci: Final = policy.sci_encoding is SciEncoding.EXPLICIT
        self._mkpdus: Final = Batch(_MKPDUS, _MKPDU_OCTETS)
        self._clock: Callable[[], float] = lambda: float("-inf")
        self._kay: Final = KaY(
            KayConfiguration(
                sci=sci_of(end.mac),
                policy=SakPolicy(
                    suite=suite_named(policy.cipher_suite),
                    confidentiality=policy.confidentiality,
                    confidentiality_offset=policy.confidentiality_offset,
                ),
                delay_protect=policy.keys.delay_protection,
            ),
            random=os.urandom,
        )

    def start(self, clock: Callable[[], float]) -> None:
        """Take part with the CAK from now on, by this clock."""
        self._clock = clock
        self.add(self._first)

    # --- what the edge hands over ------------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> None:
        """Take in an EAPOL frame."""
        now = self._clock()
        self._kay.receive(frame, now)
        self._work(now)

    def inspect(self, wire: Batch) -> None:
        """Take out frames whose SecTAG has an SCI where the policy says that none has, or the other way round.

        An authentic one says that the peer's policy is another: the port closes. A forged one says nothing.
        """
        count = wire.count
        has_sci = wire.rows[:count, _TCI] & _SC
        if has_sci.all() if self._has_sci else not has_sci.any():
            return
        is_tagged = native_words(wire)[:count, ADDRESSES_OCTETS >> 1] == _MACSEC_WORD
        is_other = is_tagged & ((has_sci != 0) != self._has_sci)
        if not is_other.any():
            return
        others = [bytes(wire[index]) for index in is_other.nonzero()[0]]
        keep(wire, [int(index) for index in (~is_other).nonzero()[0]])
        if any(isinstance(self.secy.validate_frame(frame), Accepted) for frame in others):
            now = self._clock()
            self._kay.refuse_sci_state(now)
            self._work(now)

    def port_up(self) -> None:
        """The wire works again."""
        now = self._clock()
        self._kay.port_up(now)
        self._work(now)

    # --- the loop's timer --------------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """When the KaY has something to do."""
        return self._kay.next_timeout()

    def handle_timer(self, now: float) -> None:
        """Let the KaY do what is due, and read the PNs."""
        self._kay.handle_timer(now, next_pns(self.secy))
        self._work(now)

    # --- management --------------------------------------------------------------------------------------------------

    def add(self, cak: Cak) -> None:
        """Take part with one more CAK.

        Raises:
            InputError: its CKN is in use here.
        """
        now = self._clock()
        try:
            self._kay.add_participant(cak, now)
        except LocalError as error:
            raise InputError(f"{self._segment}: {error}") from None
        self._caks[cak.ckn] = cak
        self._work(now)

    def remove(self, ckn: bytes) -> None:
        """Take part with a CAK no longer.

        Raises:
            InputError: there is none of this CKN.
        """
        now = self._clock()
        try:
            self._kay.remove_participant(ckn, now)
        except LocalError as error:
            raise InputError(f"{self._segment}: {error}") from None
        del self._caks[ckn]
        self._work(now)

    def replace(self, cak: Cak) -> None:
        """Take part with this CAK alone: the port closes until the peer has it, too."""
        for ckn in tuple(self._caks):
            self.remove(ckn)
        self.add(cak)

    def holds(self, cak: Cak) -> bool:
        """Whether it takes part with just this CAK under this name."""
        held = self._caks.get(cak.ckn)
        return held is not None and held.ick == cak.ick

    def rekey(self) -> bool:
        """Have the SAK replaced; only the key server can. Says whether it will."""
        now = self._clock()
        will = self._kay.rekey(now)
        self._work(now)
        return will

    def status(self) -> dict[str, object]:
        """How the KaY is."""
        return kay_status(self._kay.status(self._clock()), self._kay.counters)

    # --- how it works ------------------------------------------------------------------------------------------------

    def _work(self, now: float) -> None:
        """What is owed after each verb of the KaY: its events in their order, then what it has to send."""
        while (event := self._kay.next_event()) is not None:
            self._apply(event)
        mkpdus = self._mkpdus
        frames = self._kay.to_send(now)
        for start in range(0, len(frames), mkpdus.slots):
            mkpdus.clear()
            for frame in frames[start : start + mkpdus.slots]:
                mkpdus.append(frame)
            self._common.send(mkpdus)

    def _apply(self, event: KayEvent) -> None:
        match event:
            case SetControlledPort(enabled=enabled):
                self.is_open = enabled
                self._tell("secured" if enabled else "unsecured", **self._trouble())
            case MemberJoined(sci=sci):
                self._tell("mka-member-joined", sci=sci.hex())
            case MemberLeft(sci=sci):
                self._tell("mka-member-left", sci=sci.hex())
            case KeyServerElected(sci=server):
                self._tell("mka-key-server", sci=None if server is None else server.hex())
            case CreateTransmitSa():
                carry_out(event, self.secy)
                self._teller.hand_in_keys([key_record(event.sci, event.an, event.sak, event.ssci)])
            case EnableTransmitSa(an=an):
                self._teller.await_keys()  # the SAK is on file before a frame is sent under it
                carry_out(event, self.secy)
                self._tell("mka-sak-in-use", an=an)
            case _:
                carry_out(event, self.secy)

    def _trouble(self) -> dict[str, object]:
        trouble = self._kay.status(self._clock()).trouble
        return {} if trouble is None else {"trouble": trouble_name(trouble)}

    def _tell(self, name: str, **fields: object) -> None:
        self._teller.event(name, segment=self._segment, **fields)
