"""NAT detection: whether an address was changed on the way (RFC 7296 2.23)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from dataplane.ike.payloads.notify import Notify, NotifyType


class Endpoint(NamedTuple):
    """An IP address, as text, and a UDP port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class NatDetection:
    """Who is behind a NAT, or made the peer believe so."""

    local: bool = False
    remote: bool = False

    def __bool__(self) -> bool:
        return self.local or self.remote


def nat_hash(spi_i: bytes, spi_r: bytes, endpoint: Endpoint) -> bytes:
    """SHA-1(SPIi | SPIr | IP | port)."""
    octets = spi_i + spi_r + ip_address(endpoint.address).packed + endpoint.port.to_bytes(2, "big")
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def nat_notifies(
    spi_i: bytes, spi_r: bytes, source: Endpoint, destination: Endpoint, *, pretend: bytes = b""
) -> tuple[Notify, Notify]:
    """What the sender of an IKE_SA_INIT message tells of its addresses.

    `pretend` replaces the hash of the source: the peer then finds a NAT, and ESP goes in UDP.
    """
    return (
        Notify(notify_type=NotifyType.NAT_DETECTION_SOURCE_IP, data=pretend or nat_hash(spi_i, spi_r, source)),
        Notify(notify_type=NotifyType.NAT_DETECTION_DESTINATION_IP, data=nat_hash(spi_i, spi_r, destination)),
    )


def detect(
    notifies: tuple[Notify, ...], spi_i: bytes, spi_r: bytes, *, source: Endpoint, destination: Endpoint
) -> NatDetection | None:
    """What a received IKE_SA_INIT message says of NATs on its way; None if the peer does not do NAT traversal.

    `source` and `destination` are those of the datagram as it arrived. A host with several addresses sends a hash of
    each as source; one that fits is enough.
    """
    sources = [each.data for each in notifies if each.notify_type == NotifyType.NAT_DETECTION_SOURCE_IP]
    destinations = [each.data for each in notifies if each.notify_type == NotifyType.NAT_DETECTION_DESTINATION_IP]
    if not sources or not destinations:
        return None
    return NatDetection(
        local=nat_hash(spi_i, spi_r, destination) not in destinations,
        remote=nat_hash(spi_i, spi_r, source) not in sources,
    )
