"""From a chain of payloads to records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from dataplane.ike.payloads.authentication import AuthenticationPayload
from dataplane.ike.payloads.chain import Link
from dataplane.ike.payloads.delete import DeletePayload
from dataplane.ike.payloads.identification import IdentificationInitiator, IdentificationResponder
from dataplane.ike.payloads.key_exchange import KeyExchangePayload
from dataplane.ike.payloads.kinds import Payload, PayloadType
from dataplane.ike.payloads.nonce import NoncePayload
from dataplane.ike.payloads.notify import Notify
from dataplane.ike.payloads.opaque import OpaquePayload
from dataplane.ike.payloads.security_association import SecurityAssociation
from dataplane.ike.payloads.traffic_selectors import TrafficSelectorsInitiator, TrafficSelectorsResponder
from dataplane.ike.payloads.vendor_id import VendorId

PARSERS: Final[dict[int, Callable[[bytes], Payload]]] = {
    PayloadType.SA: SecurityAssociation.parse,
    PayloadType.KE: KeyExchangePayload.parse,
    PayloadType.IDI: IdentificationInitiator.parse,
    PayloadType.IDR: IdentificationResponder.parse,
    PayloadType.AUTH: AuthenticationPayload.parse,
    PayloadType.NONCE: NoncePayload.parse,
    PayloadType.NOTIFY: Notify.parse,
    PayloadType.DELETE: DeletePayload.parse,
    PayloadType.VENDOR: VendorId.parse,
    PayloadType.TSI: TrafficSelectorsInitiator.parse,
    PayloadType.TSR: TrafficSelectorsResponder.parse,
}


def parse_payloads(links: Iterable[Link]) -> tuple[Payload, ...]:
    """The payloads of a chain, in their order; SK and SKF, which are closed, are not among them.

    Raises:
        WireError: a body that its type cannot have.
    """
    payloads: list[Payload] = []
    for link in links:
        if link.payload_type in (PayloadType.SK, PayloadType.SKF):
            continue
        parser = PARSERS.get(link.payload_type)
        if parser is None:
            payloads.append(OpaquePayload(payload_type=link.payload_type, body=link.body, critical=link.critical))
        else:
            payloads.append(parser(link.body))
    return tuple(payloads)
