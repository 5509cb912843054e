"""A message: an IKE header and payloads, in the clear or already opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, TypeVar

from dataplane.errors import LocalError, WireError
from dataplane.ike.payloads.chain import Link, join, split
from dataplane.ike.payloads.kinds import Payload
from dataplane.ike.payloads.notify import Notify
from dataplane.ike.payloads.parse import parse_payloads
from dataplane.wire.ike_header import HEADER_OCTETS, IkeHeader

MAJOR_VERSION: Final = 2
_P = TypeVar("_P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message and what it holds. `is_initiator` is the sender's part in the IKE SA, as in the header.

    `raw` are the octets of a received IKE_SA_INIT message, which AUTH covers; of others nobody needs them.
    """

    spi_i: bytes
    spi_r: bytes
    exchange_type: int
    message_id: int
    is_initiator: bool
    is_response: bool
    payloads: tuple[Payload, ...]
    raw: bytes = b""

    @classmethod
    def of(cls, header: IkeHeader, payloads: tuple[Payload, ...], raw: bytes = b"") -> Self:
        """The message of a header and payloads that were read."""
        return cls(
            spi_i=header.spi_i,
            spi_r=header.spi_r,
            exchange_type=header.exchange_type,
            message_id=header.message_id,
            is_initiator=header.is_initiator,
            is_response=header.is_response,
            payloads=payloads,
            raw=raw,
        )

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Read a message in the clear.

        Raises:
            WireError: not an IKE message, or malformed within.
        """
        header = IkeHeader.parse(octets)
        return cls.of(header, parse_payloads(links_of(header, octets)), octets)

    def header(self, next_payload: int, length: int) -> IkeHeader:
        """The header of this message once it is `length` octets long."""
        return IkeHeader(
            spi_i=self.spi_i,
            spi_r=self.spi_r,
            next_payload=next_payload,
            exchange_type=self.exchange_type,
            message_id=self.message_id,
            length=length,
            is_initiator=self.is_initiator,
            is_response=self.is_response,
        )

    def emit(self) -> bytes:
        """The message in the clear."""
        first, chain = join(self.payloads)
        return self.header(first, HEADER_OCTETS + len(chain)).emit() + chain

    def all(self, kind: type[_P]) -> tuple[_P, ...]:
        """The payloads of one kind, in their order."""
        return tuple(payload for payload in self.payloads if isinstance(payload, kind))

    def first(self, kind: type[_P]) -> _P | None:
        """The first payload of one kind."""
        return next(iter(self.all(kind)), None)

    def one(self, kind: type[_P]) -> _P:
        """The payload of one kind that the rules say is there.

        Raises:
            LocalError: it is not.
        """
        found = self.first(kind)
        if found is None:
            raise LocalError(f"a message without {kind.__name__} passed the rules")
        return found

    def notify(self, notify_type: int) -> Notify | None:
        """The first notification of one type."""
        return next((each for each in self.all(Notify) if each.notify_type == notify_type), None)

    @property
    def error(self) -> Notify | None:
        """The first notification that tells of an error."""
        return next((each for each in self.all(Notify) if each.is_error), None)


def links_of(header: IkeHeader, octets: bytes) -> tuple[Link, ...]:
    """The payloads of a message, not yet read.

    Raises:
        WireError: octets before or after the message's end, or lengths that do not fit.
    """
    if header.length != len(octets):
        raise WireError(f"IKE length {header.length} in a datagram of {len(octets)} octets")
    return split(header.next_payload, octets[HEADER_OCTETS:])
