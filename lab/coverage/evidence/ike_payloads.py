"""Reading what IKE messages say, as an onlooker: their payloads, and the names of what was agreed on.

Short, and apart from the engine that is judged. What cannot be read is left out: a message is authentic or not by its
ICV, which is checked elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final, NamedTuple

SA, KE, ID_I, ID_R, AUTH, NOTIFY, DELETE, TS_I, TS_R, SK, SKF = 33, 34, 35, 36, 39, 41, 42, 44, 45, 46, 53
IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
PROTOCOL_IKE, PROTOCOL_AH, PROTOCOL_ESP = 1, 2, 3
ENCR, PRF, INTEG, DH, ESN = range(1, 6)

REKEY_SA: Final = 16393
USE_TRANSPORT_MODE: Final = 16391
USE_PPK: Final = 16435

# IANA, IKEv2 parameters.
_NAMES: Final = {
    ENCR: {2: "ENCR_DES", 3: "ENCR_3DES", 11: "ENCR_NULL", 12: "ENCR_AES_CBC", 13: "ENCR_AES_CTR",
           14: "ENCR_AES_CCM_8", 15: "ENCR_AES_CCM_12", 16: "ENCR_AES_CCM_16", 18: "ENCR_AES_GCM_8",
           19: "ENCR_AES_GCM_12", 20: "ENCR_AES_GCM_16", 21: "ENCR_NULL_AUTH_AES_GMAC", 23: "ENCR_CAMELLIA_CBC",
           28: "ENCR_CHACHA20_POLY1305"},
    PRF: {1: "PRF_HMAC_MD5", 2: "PRF_HMAC_SHA1", 4: "PRF_AES128_XCBC", 5: "PRF_HMAC_SHA2_256",
          6: "PRF_HMAC_SHA2_384", 7: "PRF_HMAC_SHA2_512", 8: "PRF_AES128_CMAC"},
    INTEG: {0: "NONE", 1: "AUTH_HMAC_MD5_96", 2: "AUTH_HMAC_SHA1_96", 3: "AUTH_DES_MAC", 4: "AUTH_KPDK_MD5",
            5: "AUTH_AES_XCBC_96", 8: "AUTH_AES_CMAC_96", 12: "AUTH_HMAC_SHA2_256_128", 13: "AUTH_HMAC_SHA2_384_192",
            14: "AUTH_HMAC_SHA2_512_256"},
    DH: {0: "NONE", 1: "group 1 (768-bit MODP)", 2: "group 2 (1024-bit MODP)", 5: "group 5 (1536-bit MODP)",
         14: "group 14 (2048-bit MODP)", 15: "group 15 (3072-bit MODP)", 16: "group 16 (4096-bit MODP)",
         17: "group 17 (6144-bit MODP)", 18: "group 18 (8192-bit MODP)", 19: "group 19 (256-bit ECP)",
         20: "group 20 (384-bit ECP)", 21: "group 21 (521-bit ECP)", 22: "group 22 (1024-bit MODP, 160-bit subgroup)",
         23: "group 23 (2048-bit MODP, 224-bit subgroup)", 24: "group 24 (2048-bit MODP, 256-bit subgroup)",
         31: "group 31 (Curve25519)", 32: "group 32 (Curve448)"},
    ESN: {0: "no ESN", 1: "ESN"},
}  # fmt: skip
AUTH_METHODS: Final = {
    1: "RSA signature", 2: "pre-shared key", 3: "DSS signature", 9: "ECDSA with SHA-256 on P-256",
    10: "ECDSA with SHA-384 on P-384", 11: "ECDSA with SHA-512 on P-521", 12: "generic secure password",
    13: "no authentication", 14: "digital signature",
}  # fmt: skip

NOTIFIES: Final = {
    1: "UNSUPPORTED_CRITICAL_PAYLOAD", 4: "INVALID_IKE_SPI", 5: "INVALID_MAJOR_VERSION", 7: "INVALID_SYNTAX",
    9: "INVALID_MESSAGE_ID", 11: "INVALID_SPI", 14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD",
    24: "AUTHENTICATION_FAILED", 34: "SINGLE_PAIR_REQUIRED", 35: "NO_ADDITIONAL_SAS", 38: "TS_UNACCEPTABLE",
    39: "INVALID_SELECTORS", 43: "TEMPORARY_FAILURE", 44: "CHILD_SA_NOT_FOUND", 16384: "INITIAL_CONTACT",
    16385: "SET_WINDOW_SIZE", 16386: "ADDITIONAL_TS_POSSIBLE", 16388: "NAT_DETECTION_SOURCE_IP",
    16389: "NAT_DETECTION_DESTINATION_IP", 16390: "COOKIE", USE_TRANSPORT_MODE: "USE_TRANSPORT_MODE",
    REKEY_SA: "REKEY_SA", 16394: "ESP_TFC_PADDING_NOT_SUPPORTED", 16395: "NON_FIRST_FRAGMENTS_ALSO",
    16396: "MOBIKE_SUPPORTED", 16404: "MULTIPLE_AUTH_SUPPORTED", 16406: "REDIRECT_SUPPORTED",
    16417: "EAP_ONLY_AUTHENTICATION", 16418: "CHILDLESS_IKEV2_SUPPORTED", 16430: "IKEV2_FRAGMENTATION_SUPPORTED",
    16431: "SIGNATURE_HASH_ALGORITHMS", USE_PPK: "USE_PPK", 16436: "PPK_IDENTITY", 16437: "NO_PPK_AUTH",
}  # fmt: skip


class Transform(NamedTuple):
    """One transform of a proposal; `key_bits` is 0 where the length is not a matter of choice."""

    kind: int
    number: int
    key_bits: int

    @property
    def name(self) -> str:
        """Its name at IANA, with the key's length."""
        name = _NAMES.get(self.kind, {}).get(self.number, f"transform {self.kind}/{self.number}")
        return f"{name}-{self.key_bits}" if self.key_bits else name


class Proposal(NamedTuple):
    """One proposal; in an answer, the one that was chosen."""

    protocol: int
    spi: bytes
    transforms: tuple[Transform, ...]

    def of(self, kind: int) -> Transform | None:
        """The first transform of a kind."""
        return next((each for each in self.transforms if each.kind == kind), None)

    def name(self, kind: int) -> str | None:
        """The name of the first transform of a kind."""
        found = self.of(kind)
        return None if found is None else found.name


Payload = tuple[int, bytes]


def payloads(kind: int, octets: bytes) -> list[Payload]:
    """The chain of payloads that begins with one of type `kind`: types and bodies, up to what cannot be read."""
    found: list[Payload] = []
    position = 0
    while kind and position + 4 <= len(octets):
        length = int.from_bytes(octets[position + 2 : position + 4], "big")
        if length < 4 or position + length > len(octets):
            break
        found.append((kind, octets[position + 4 : position + length]))
        kind = octets[position] if kind not in (SK, SKF) else 0
        position += length
    return found


def proposals(body: bytes) -> Iterator[Proposal]:
    """The proposals of an SA payload (RFC 7296 3.3.1, 3.3.2)."""
    position = 0
    while position + 8 <= len(body):
        length = int.from_bytes(body[position + 2 : position + 4], "big")
        protocol, spi_octets = body[position + 5], body[position + 6]
        if length < 8 + spi_octets or position + length > len(body):
            return
        start = position + 8 + spi_octets
        spi = body[position + 8 : start]
        yield Proposal(protocol, spi, tuple(_transforms(body[start : position + length])))
        position += length


def _transforms(octets: bytes) -> Iterator[Transform]:
    position = 0
    while position + 8 <= len(octets):
        length = int.from_bytes(octets[position + 2 : position + 4], "big")
        if length < 8:
            return
        bits = 0
        # RFC 7296 3.3.5: the one attribute there is, in the short form.
        if length >= 12 and octets[position + 8 : position + 10] == b"\x80\x0e":
            bits = int.from_bytes(octets[position + 10 : position + 12], "big")
        yield Transform(octets[position + 4], int.from_bytes(octets[position + 6 : position + 8], "big"), bits)
        position += length


def notifies(found: list[Payload]) -> Iterator[tuple[int, bytes, bytes]]:
    """Type, SPI and data of every Notify payload (RFC 7296 3.10)."""
    for kind, body in found:
        if kind == NOTIFY and len(body) >= 4 + body[1]:
            yield int.from_bytes(body[2:4], "big"), body[4 : 4 + body[1]], body[4 + body[1] :]


def selectors(body: bytes) -> tuple[str, ...]:
    """Traffic selectors in words (RFC 7296 3.13.1)."""
    told, position = [], 4
    while position + 8 <= len(body):
        kind, protocol = body[position], body[position + 1]
        length = int.from_bytes(body[position + 2 : position + 4], "big")
        octets = {7: 4, 8: 16}.get(kind)
        if octets is None or length != 8 + 2 * octets or position + length > len(body):
            break
        ports = [int.from_bytes(body[position + at : position + at + 2], "big") for at in (4, 6)]
        low = body[position + 8 : position + 8 + octets]
        high = body[position + 8 + octets : position + length]
        told.append(_range(low, high) + _narrowed(protocol, ports))
        position += length
    return tuple(told)


def _range(low: bytes, high: bytes) -> str:
    first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
    if first.version == last.version and first <= last:  # type: ignore[operator]  # both are of one version
        networks = list(ipaddress.summarize_address_range(first, last))
        if len(networks) == 1:
            return str(networks[0])
    return f"{first} to {last}"


def _narrowed(protocol: int, ports: list[int]) -> str:
    words = [f"protocol {protocol}"] if protocol else []
    if ports != [0, 65535]:
        words.append("no port" if ports == [65535, 0] else f"ports {ports[0]} to {ports[1]}")
    return f" ({', '.join(words)})" if words else ""
