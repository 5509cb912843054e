"""N: an error, or a status."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from dataplane.errors import WireError
from dataplane.ike.payloads.kinds import PayloadType

_FIXED: Final = struct.Struct("!BBH")
FIRST_STATUS_TYPE: Final = 16384


class NotifyType(enum.IntEnum):
    """The notifications this engine sends or acts on (IANA "IKEv2 Notify Message Types"); others are skipped."""

    UNSUPPORTED_CRITICAL_PAYLOAD = 1
    INVALID_IKE_SPI = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_SYNTAX = 7
    INVALID_MESSAGE_ID = 9
    INVALID_SPI = 11
    NO_PROPOSAL_CHOSEN = 14
    INVALID_KE_PAYLOAD = 17
    AUTHENTICATION_FAILED = 24
    SINGLE_PAIR_REQUIRED = 34
    NO_ADDITIONAL_SAS = 35
    INTERNAL_ADDRESS_FAILURE = 36
    FAILED_CP_REQUIRED = 37
    TS_UNACCEPTABLE = 38
    INVALID_SELECTORS = 39
    TEMPORARY_FAILURE = 43
    CHILD_SA_NOT_FOUND = 44

    INITIAL_CONTACT = 16384
    SET_WINDOW_SIZE = 16385
    ADDITIONAL_TS_POSSIBLE = 16386
    IPCOMP_SUPPORTED = 16387
    NAT_DETECTION_SOURCE_IP = 16388
    NAT_DETECTION_DESTINATION_IP = 16389
    COOKIE = 16390
    USE_TRANSPORT_MODE = 16391
    HTTP_CERT_LOOKUP_SUPPORTED = 16392
    REKEY_SA = 16393
    ESP_TFC_PADDING_NOT_SUPPORTED = 16394
    NON_FIRST_FRAGMENTS_ALSO = 16395
    MOBIKE_SUPPORTED = 16396
    CHILDLESS_IKEV2_SUPPORTED = 16418
    IKEV2_FRAGMENTATION_SUPPORTED = 16430
    SIGNATURE_HASH_ALGORITHMS = 16431
    USE_PPK = 16435
    PPK_IDENTITY = 16436
    NO_PPK_AUTH = 16437


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A notify payload.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |  protocol ID  |   SPI size    |      notify message type      |
    +---------------+---------------+-------------------------------+
    |                    SPI, then notification data                ~
    +---------------------------------------------------------------+
                                                      RFC 7296 3.10
    """

    payload_type: ClassVar[int] = PayloadType.NOTIFY
    critical: ClassVar[bool] = False

    notify_type: int
    protocol: int = 0
    spi: bytes = b""
    data: bytes = b""

    @property
    def is_error(self) -> bool:
        """Whether it tells that a request failed, known or not (RFC 7296 3.10.1)."""
        return self.notify_type < FIRST_STATUS_TYPE

    @property
    def name(self) -> str:
        """IANA's name, or the number of a type that is not known here."""
        if self.notify_type in set(NotifyType):
            return NotifyType(self.notify_type).name
        return f"notify {self.notify_type}"

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the body.

        Raises:
            WireError: shorter than the fixed part and the SPI it states.
        """
        if len(body) < _FIXED.size:
            raise WireError(f"a notify payload of {len(body)} octets tells nothing")
        protocol, spi_octets, notify_type = _FIXED.unpack_from(body)
        data = _FIXED.size + spi_octets
        if len(body) < data:
            raise WireError(f"a notify payload of {len(body)} octets has no room for an SPI of {spi_octets}")
        return cls(notify_type=notify_type, protocol=protocol, spi=body[_FIXED.size : data], data=body[data:])

    def emit(self) -> bytes:
        """The payload's body."""
        return _FIXED.pack(self.protocol, len(self.spi), self.notify_type) + self.spi + self.data
