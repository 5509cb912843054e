"""What the IKE messages of a capture agreed on: each IKE SA with its children, from the answers that were heard.

An answer names what was chosen, so a negotiation is known from the answer on. Frames are those of the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lab.coverage.evidence import ike_payloads as ike
from lab.coverage.evidence.ike_payloads import Payload, Proposal
from lab.coverage.evidence.messages import Message

_RESPONSE: Final = 0x20
_INITIATOR: Final = 0x08


@dataclass(slots=True, kw_only=True)
class Child:
    """One pair of ESP or AH SAs. `group` is that of its own key exchange, None without one.

    `initial` says that it was made in IKE_AUTH, where it never has one; `rekeys` is the SPI that it took the place of.
    `spi_sent` is the SPI of the one who asked, `spi_answered` that of the one who answered.
    """

    frame: int
    time_ns: int
    protocol: str
    encryption: str | None
    integrity: str | None
    esn: bool
    group: str | None
    initial: bool
    rekeys: str | None
    transport: bool
    spi_sent: str | None
    spi_answered: str
    selectors_initiator: tuple[str, ...]
    selectors_responder: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class IkeSa:
    """One IKE SA as far as it was heard; what was not is None."""

    spi_i: str
    spi_r: str
    frame: int
    time_ns: int
    last_time_ns: int
    encryption: str | None = None
    integrity: str | None = None
    prf: str | None = None
    group: str | None = None
    rekeys: str | None = None
    ppk: bool = False
    authentication: dict[str, str] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    deciphered: int = 0


class _Exchange(NamedTuple):
    """A request with its answer, as far as they were heard."""

    kind: int
    request: list[Payload]
    answer: list[Payload]
    frame: int
    time_ns: int


def tell(messages: Iterable[Message]) -> tuple[IkeSa, ...]:
    """The story, in the order of first frames."""
    sas: dict[tuple[bytes, bytes], IkeSa] = {}
    requests: dict[tuple[bytes, int, bool], list[Payload]] = {}
    answered: set[tuple[bytes, bytes, int, bool]] = set()
    for message, content in _whole(sorted(messages)):
        head = message.octets
        initiator_spi, responder_spi, exchange, flags = head[:8], head[8:16], head[18], head[19]
        number = int.from_bytes(head[20:24], "big")
        asked_by_initiator = bool(flags & _INITIATOR) != bool(flags & _RESPONSE)
        asked = (initiator_spi, number, asked_by_initiator)
        if not flags & _RESPONSE:
            requests[asked] = content
            continue
        key = (initiator_spi, responder_spi)
        if (*key, number, asked_by_initiator) in answered or head[17] >> 4 != 2:
            continue  # the same answer, sent again
        if exchange == ike.IKE_SA_INIT and not any(kind == ike.SA for kind, _ in content):
            continue  # a cookie, or an error: nothing was agreed on
        answered.add((*key, number, asked_by_initiator))
        sa = sas.setdefault(key, _new(key, message))
        sa.last_time_ns = max(sa.last_time_ns, message.time_ns)
        sa.deciphered += message.protected
        _hear(sa, sas, _Exchange(exchange, requests.get(asked, []), content, message.frame, message.time_ns))
    return tuple(sas.values())


def versions(messages: Iterable[Message]) -> frozenset[int]:
    """The major versions heard."""
    return frozenset(message.octets[17] >> 4 for message in messages)


def _new(key: tuple[bytes, bytes], message: Message) -> IkeSa:
    return IkeSa(spi_i=key[0].hex(), spi_r=key[1].hex(), frame=message.frame, time_ns=message.time_ns,
                 last_time_ns=message.time_ns)  # fmt: skip


def _whole(messages: Sequence[Message]) -> Iterator[tuple[Message, list[Payload]]]:
    """Every message with its payloads: what was in SK, or in all its SKF together (RFC 7383 2.6)."""
    pieces: dict[tuple[bytes, int, int], dict[int, tuple[int, bytes]]] = {}
    for message in messages:
        octets = message.octets
        if not message.protected:
            yield message, ike.payloads(octets[16], octets[28:])
        elif octets[16] == ike.SK:  # its header, then what was deciphered
            yield message, ike.payloads(octets[28], octets[32:])
        elif len(octets) >= 36:
            key = (octets[:16], int.from_bytes(octets[20:24], "big"), octets[19])
            number, total = int.from_bytes(octets[32:34], "big"), int.from_bytes(octets[34:36], "big")
            parts = pieces.setdefault(key, {})
            parts[number] = (octets[28], octets[36:])
            if set(parts) == set(range(1, total + 1)):
                yield message, ike.payloads(parts[1][0], b"".join(parts[each][1] for each in sorted(parts)))
                del pieces[key]


def _hear(sa: IkeSa, sas: dict[tuple[bytes, bytes], IkeSa], exchange: _Exchange) -> None:
    """Take in one exchange that was answered."""
    chosen = _chosen(exchange.answer)
    if exchange.kind == ike.IKE_SA_INIT and chosen is not None:
        _agree(sa, chosen, exchange)
        sa.ppk = any(kind == ike.USE_PPK for kind, _, _ in ike.notifies(exchange.answer))
    elif exchange.kind == ike.IKE_AUTH:
        for side, heard in (("initiator", exchange.request), ("responder", exchange.answer)):
            for kind, body in heard:
                if kind == ike.AUTH and body:
                    sa.authentication[side] = ike.AUTH_METHODS.get(body[0], f"method {body[0]}")
        if chosen is not None:
            sa.children.append(_child(chosen, exchange, initial=True))
    elif exchange.kind == ike.CREATE_CHILD_SA and chosen is not None:
        if chosen.protocol == ike.PROTOCOL_IKE:
            _rekeyed(sa, sas, chosen, exchange)
        else:
            sa.children.append(_child(chosen, exchange, initial=False))


def _agree(sa: IkeSa, chosen: Proposal, exchange: _Exchange) -> None:
    sa.encryption, sa.prf = chosen.name(ike.ENCR), chosen.name(ike.PRF)
    sa.integrity, sa.group = chosen.name(ike.INTEG), chosen.name(ike.DH)
    sa.frame, sa.time_ns = exchange.frame, exchange.time_ns


def _rekeyed(old: IkeSa, sas: dict[tuple[bytes, bytes], IkeSa], chosen: Proposal, exchange: _Exchange) -> None:
    """RFC 7296 1.3.2, 2.18: the SPIs of the new SA are in the proposals, the asking side's first."""
    offered = _chosen(exchange.request)
    if offered is None or len(offered.spi) != 8 or len(chosen.spi) != 8:
        return
    key = (offered.spi, chosen.spi)
    new = sas.setdefault(key, IkeSa(spi_i=key[0].hex(), spi_r=key[1].hex(), frame=exchange.frame,
                                    time_ns=exchange.time_ns, last_time_ns=exchange.time_ns))  # fmt: skip
    _agree(new, chosen, exchange)
    new.rekeys = f"{old.spi_i} {old.spi_r}"


def _chosen(found: list[Payload]) -> Proposal | None:
    bodies = [body for kind, body in found if kind == ike.SA]
    return next(ike.proposals(bodies[0]), None) if bodies else None


def _child(chosen: Proposal, exchange: _Exchange, *, initial: bool) -> Child:
    offered = _chosen(exchange.request)
    answer = exchange.answer
    groups = [int.from_bytes(body[:2], "big") for kind, body in answer if kind == ike.KE]
    rekeys = [spi.hex() for kind, spi, _ in ike.notifies(exchange.request) if kind == ike.REKEY_SA and spi]
    found = {kind: body for kind, body in answer if kind in (ike.TS_I, ike.TS_R)}
    esn = chosen.of(ike.ESN)
    return Child(
        frame=exchange.frame,
        time_ns=exchange.time_ns,
        protocol="AH" if chosen.protocol == ike.PROTOCOL_AH else "ESP",
        encryption=chosen.name(ike.ENCR),
        integrity=chosen.name(ike.INTEG),
        esn=esn is not None and esn.number == 1,
        group=ike.Transform(ike.DH, groups[0], 0).name if groups else None,
        initial=initial,
        rekeys=rekeys[0] if rekeys else None,
        transport=any(kind == ike.USE_TRANSPORT_MODE for kind, _, _ in ike.notifies(answer)),
        spi_sent=offered.spi.hex() if offered is not None and offered.spi else None,
        spi_answered=chosen.spi.hex(),
        selectors_initiator=ike.selectors(found.get(ike.TS_I, b"")),
        selectors_responder=ike.selectors(found.get(ike.TS_R, b"")),
    )
