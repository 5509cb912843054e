"""Keys on their way, wrapped under the KEK: SAKs, and the CAKs of groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, final

from dataplane.errors import LocalError, WireError
from dataplane.mka.paramsets.basic import CKN_LIMIT
from dataplane.mka.paramsets.header import SetHeader, SetType
from dataplane.wire.fields import check_fields


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DistributedSak:
    """A SAK from the key server, wrapped under the KEK (802.1X-2020 Figures 11-11 and 11-12).

    ```
     0                   1                   2                   3
    +---------------+---+---+-------+-------+-----------------------+
    |       4       |DAN|CO |   0   |   0   | Body: 28, 36, 52 or 0 |
    +---------------+---+---+-------+-------+-----------------------+
    |                      Key Number                               |
    +---------------------------------------------------------------+
    |    MACsec Cipher Suite, 8 octets; absent for GCM-AES-128      |
    +---------------------------------------------------------------+
    |         AES Key Wrap of the SAK, 24 or 40 octets              |
    +---------------------------------------------------------------+
    ```

    `confidentiality` is the CO field: 0 none, 1 all, 2 from octet 30, 3 from octet 50. `cipher_suite` None is the
    default encoding. `wrapped` empty: the key server wants no MACsec, and the body is empty.
    """

    kind: ClassVar[SetType] = SetType.DISTRIBUTED_SAK
    an: int = 0
    confidentiality: int = 0
    kn: int = 0
    cipher_suite: bytes | None = None
    wrapped: bytes = b""

    def __post_init__(self) -> None:
        check_fields(an=(self.an, 2), confidentiality=(self.confidentiality, 2), kn=(self.kn, 32))
        if self.cipher_suite is not None and (len(self.cipher_suite) != 8 or not self.wrapped):
            raise LocalError("a cipher suite has 8 octets and comes with a SAK")
        if self.wrapped and len(self.wrapped) != 24 and self.cipher_suite is None:
            raise LocalError("the default cipher suite's SAK is wrapped in 24 octets")

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a header and body.

        Raises:
            WireError: no wrapped SAK has the length that the body leaves for it.
        """
        an, confidentiality = header.second >> 6, header.second >> 4 & 3
        if not body:
            return cls(an=an, confidentiality=confidentiality)
        kn = int.from_bytes(body[:4], "big")
        if len(body) == 28:
            return cls(an=an, confidentiality=confidentiality, kn=kn, wrapped=body[4:])
        if len(body) < 36 or (len(body) - 12) % 8:
            raise WireError(f"a Distributed SAK body has no {len(body)} octets")
        return cls(an=an, confidentiality=confidentiality, kn=kn, cipher_suite=body[4:12], wrapped=body[12:])

    def emit(self) -> bytes:
        """The set's octets."""
        header = SetHeader(self.kind, self.an << 6 | self.confidentiality << 4)
        if not self.wrapped:
            return header.around(b"")
        return header.around(self.kn.to_bytes(4, "big") + (self.cipher_suite or b"") + self.wrapped)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DistributedCak:
    """A group CAK and its CKN (802.1X-2020 Figure 11-13): the wrapped CAK, then the CKN, in one body.

    Nothing in the body says where the CKN begins; the KEK's length does, as a CAK is as long as the KEK.
    """

    kind: ClassVar[SetType] = SetType.DISTRIBUTED_CAK
    wrapped_cak_and_ckn: bytes

    @classmethod
    def parse(cls, header: SetHeader, body: bytes) -> Self:
        """The set of a body.

        Raises:
            WireError: too short for a wrapped CAK of 128 bits and a CKN.
        """
        if len(body) < 25:
            raise WireError(f"a Distributed CAK body has at least 25 octets, not {len(body)}")
        return cls(wrapped_cak_and_ckn=body)

    def split(self, kek_octets: int) -> tuple[bytes, bytes]:
        """The wrapped CAK and the CKN, for a KEK of 16 or 32 octets.

        Raises:
            WireError: what is left for the CKN does not have 1 to 32 octets.
        """
        wrapped, ckn = self.wrapped_cak_and_ckn[: kek_octets + 8], self.wrapped_cak_and_ckn[kek_octets + 8 :]
        if not 1 <= len(ckn) <= CKN_LIMIT:
            raise WireError(f"a CKN has 1 to {CKN_LIMIT} octets, not {len(ckn)}")
        return wrapped, ckn

    def emit(self) -> bytes:
        """The set's octets."""
        return SetHeader(self.kind).around(self.wrapped_cak_and_ckn)
